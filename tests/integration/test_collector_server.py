"""A real Collector starts here with a configuration, counts what it takes, and goes on after it was killed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.services import collector
from tests.services.collector import Collector
from tests.services.errors import ServiceError
from tests.support import request, wait_until

CONFIG = """
extensions:
  health_check: {endpoint: "${env:HEALTH_ENDPOINT}"}
receivers:
  otlp: {protocols: {http: {endpoint: "${env:OTLP_HTTP_ENDPOINT}"}}}
exporters:
  file: {path: "${env:OUT}", append: true}
service:
  extensions: [health_check]
  pipelines:
    logs: {receivers: [otlp], exporters: [file]}
  telemetry:
    metrics:
      readers:
        - pull: {exporter: {prometheus: {host: 127.0.0.1, port: "${env:TELEMETRY_PORT}"}}}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "config.yaml"
    file.write_text(CONFIG)
    return file


def send(server: Collector, text: str) -> None:
    record = {"body": {"stringValue": text}}
    body = json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]}).encode()
    answer = request(
        f"{server.otlp_http}/v1/logs", method="POST", headers={"Content-Type": "application/json"}, body=body
    )
    assert answer.status == 200, answer.text


def test_it_takes_records_counts_them_and_goes_on_after_a_kill(
    collector_binary: Path, config: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.json"
    with Collector(collector_binary, [config], tmp_path, {"OUT": str(out)}) as server:
        send(server, "first")
        wait_until(lambda: out.exists() and "first" in out.read_text(), what="the first record")
        assert server.metric("otelcol_receiver_accepted_log_records", receiver="otlp") == 1
        assert server.metric("otelcol_receiver_accepted_log_records_total", receiver="otlp") == 1
        assert server.metric("otelcol_receiver_accepted_log_records", receiver="nothing") == 0

        server.kill()
        assert not server.running
        server.start()
        send(server, "second")
        wait_until(lambda: "second" in out.read_text(), what="the second record")
        assert server.stop() == 0
        assert "first" in out.read_text()
        assert server.log.count("Everything is ready") == 2


def test_a_configuration_with_an_unknown_word_does_not_start_and_its_log_is_shown(
    collector_binary: Path, config: Path, tmp_path: Path
) -> None:
    config.write_text(CONFIG.replace("append", "appendd"))
    with pytest.raises(ServiceError, match=r"(?s)ended with status 1.*appendd"):
        Collector(collector_binary, [config], tmp_path, {"OUT": str(tmp_path / "out")}).start()


def test_validate_judges_several_files_as_one(config: Path, tmp_path: Path) -> None:
    env = {"OUT": str(tmp_path / "out"), "HEALTH_ENDPOINT": "127.0.0.1:1", "OTLP_HTTP_ENDPOINT": "127.0.0.1:2"}
    env["TELEMETRY_PORT"] = "3"
    more = tmp_path / "more.yaml"
    more.write_text("exporters: {debug: {}}\nservice: {pipelines: {logs: {exporters: [debug]}}}\n")
    collector.validate(config, more, env=env)
    more.write_text("service: {pipelines: {logs: {exporters: [debug]}}}\n")
    with pytest.raises(AssertionError, match=r"debug.*not configured"):
        collector.validate(config, more, env=env)

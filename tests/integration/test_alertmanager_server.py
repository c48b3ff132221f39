"""A real Alertmanager starts here, takes alerts and tells a receiver of ours, and keeps its silences."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.services import alertmanager
from tests.services.alertmanager import Alertmanager
from tests.services.errors import ServiceError

CONFIG = """
route: {{receiver: hook, group_wait: 100ms, group_interval: 1s}}
receivers:
  - {{name: hook, webhook_configs: [{{url: "http://127.0.0.1:{port}/"}}]}}
"""


@pytest.fixture
def told() -> Iterator[tuple[int, queue.Queue[Any]]]:
    """Give the port of a receiver and what it was told."""
    notes: queue.Queue[Any] = queue.Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            notes.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server.server_port, notes
        finally:
            server.shutdown()
            thread.join()


def test_an_alert_reaches_the_receiver_and_a_silence_outlives_a_stop(
    alertmanager_binary: Path, told: tuple[int, queue.Queue[Any]], tmp_path: Path
) -> None:
    port, notes = told
    with Alertmanager(alertmanager_binary, CONFIG.format(port=port), tmp_path) as server:
        server.post([{"labels": {"alertname": "Loud", "severity": "critical"}}])
        assert notes.get(timeout=30)["alerts"][0]["labels"] == {"alertname": "Loud", "severity": "critical"}
        assert [alert["labels"]["alertname"] for alert in server.alerts()] == ["Loud"]

        said = alertmanager.amtool(
            f"--alertmanager.url={server.url}", "silence", "add", "alertname=Quiet", "--author=test", "--comment=test"
        )
        server.stop()
        server.start()
        assert server.silences() == [said.strip()]
        server.kill()
        server.start()
        server.post([{"labels": {"alertname": "Quiet"}}, {"labels": {"alertname": "Loud", "severity": "page"}}])
        assert notes.get(timeout=30)["alerts"][0]["labels"]["alertname"] == "Loud"
        assert notes.empty()


def test_a_changed_configuration_is_read_again_and_a_wrong_one_refused(
    alertmanager_binary: Path, tmp_path: Path
) -> None:
    with Alertmanager(alertmanager_binary, CONFIG.format(port=9), tmp_path) as server:
        server.file.write_text(CONFIG.format(port=9).replace(" hook", " other"))
        server.reload()
        server.file.write_text("route: {receiver: nobody}")
        with pytest.raises(AssertionError, match="nobody"):
            server.reload()


def test_a_wrong_configuration_does_not_start_and_its_log_is_shown(alertmanager_binary: Path, tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match=r"(?s)ended with status 1.*routes"):
        Alertmanager(alertmanager_binary, "routes: []", tmp_path).start()


def test_amtool_judges_a_configuration_with_templates(tmp_path: Path) -> None:
    (tmp_path / "own.tmpl").write_text('{{ define "own" }}{{ .Status }}{{ end }}')
    good = CONFIG.format(port=9) + f"templates: ['{tmp_path}/*.tmpl']\n"
    (tmp_path / "good.yml").write_text(good)
    (tmp_path / "bad.yml").write_text("route: 7")
    assert "SUCCESS" in alertmanager.amtool("check-config", tmp_path / "good.yml")
    with pytest.raises(AssertionError, match="cannot unmarshal"):
        alertmanager.amtool("check-config", tmp_path / "bad.yml")

"""compose.yaml without an engine: its structure, and its scripts on real servers."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.benchmarks import pipeline_cost
from tests.full_disk import QUEUE
from tests.processes import ROOT
from tests.services import alertmanager, elasticsearch
from tests.services.collector import COMPONENTS
from tests.services.elasticsearch import Elasticsearch

FOLDER: Final = ROOT / "collector-config"
COMPOSE: Final[dict[str, Any]] = yaml.safe_load((FOLDER / "compose.yaml").read_text())
SERVICES: Final[dict[str, dict[str, Any]]] = COMPOSE["services"]
AGENT: Final = (FOLDER / "agent.yaml").read_text()
DEFAULTED: Final = re.compile(r"\$\{(\w+):-([^}]*)\}")


def filled_in(value: str) -> str:
    """What compose makes of a text when nobody has set a variable."""
    return DEFAULTED.sub(r"\2", value).replace("$$", "$")


def mounts(service: dict[str, Any]) -> list[tuple[str, str]]:
    """Source and target of each volume."""
    volumes = [filled_in(volume).split(":") for volume in service.get("volumes", [])]
    return [(source, target) for source, target, *_ in volumes]


def script(name: str) -> str:
    """The one script that a service runs in its shell."""
    assert SERVICES[name]["entrypoint"] == ["sh", "-ec"]
    (text,) = SERVICES[name]["command"]
    return filled_in(text)


@pytest.mark.parametrize("name", SERVICES)
def test_each_image_is_pinned_to_a_release(name: str) -> None:
    assert re.fullmatch(r"[a-z./-]+:(v?\d+\.\d+\.\d+|\d+\.\d+-slim)", SERVICES[name]["image"])


def test_collector_and_elasticsearch_are_the_releases_that_the_tests_run() -> None:
    version = yaml.safe_load(COMPONENTS.read_text())["dist"]["version"]
    assert SERVICES["collector"]["image"] == f"otel/opentelemetry-collector-contrib:{version}"
    for name in ("elasticsearch", "setup"):
        assert SERVICES[name]["image"].endswith(f":{elasticsearch.VERSION}")


@pytest.mark.parametrize("name", SERVICES)
def test_whatever_is_mounted_from_the_repository_is_there_and_read_only(name: str) -> None:
    for volume in SERVICES[name].get("volumes", []):
        source = filled_in(volume).split(":")[0]
        if source.startswith("./"):
            assert (FOLDER / source).exists(), source
            assert volume.endswith(":ro")
        elif not source.startswith(("/", "..")):
            assert source in COMPOSE["volumes"]


def test_every_volume_has_a_service() -> None:
    used = {source for service in SERVICES.values() for source, _ in mounts(service)}
    assert set(COMPOSE["volumes"]) <= used


@pytest.mark.parametrize("name", SERVICES)
def test_each_service_is_waited_for_by_a_health_check_or_its_end(name: str) -> None:
    service = SERVICES[name]
    for other, how in service.get("depends_on", {}).items():
        if how["condition"] == "service_healthy":
            assert "healthcheck" in SERVICES[other]
        else:
            assert how["condition"] == "service_completed_successfully"
            assert SERVICES[other]["restart"] == "on-failure"
    assert ("healthcheck" in service) == (name not in ("setup", "share", "collector"))


@pytest.mark.parametrize("name", SERVICES)
def test_nobody_listens_for_other_machines(name: str) -> None:
    service = SERVICES[name]
    if service["network_mode"] == "none":
        return
    assert service["network_mode"] == "host"
    said = filled_in(yaml.safe_dump(service))
    assert "127.0.0.1" in said
    everywhere = "0.0.0.0"  # noqa: S104 -- this is looked for
    assert everywhere not in said
    assert everywhere not in AGENT  # whose addresses the Collector has


def test_prometheus_keeps_the_exemplars_that_the_dashboards_show() -> None:
    dashboards = "".join(file.read_text() for file in (FOLDER / "grafana" / "dashboards").glob("*.json"))
    assert '"exemplar": true' in dashboards
    assert "--enable-feature=exemplar-storage" in SERVICES["prometheus"]["command"]


def test_the_collector_gets_variables_that_its_configuration_has_and_all_that_have_no_default() -> None:
    given = set(SERVICES["collector"]["environment"])
    known = set(re.findall(r"\$\{env:(\w+)", AGENT))
    needed = known - {name for name, _ in DEFAULTED.findall(AGENT.replace("${env:", "${"))}
    assert needed <= given <= known | {"GOGC"}  # which Go itself reads


def test_the_collector_is_started_as_the_benchmark_starts_it_with_a_heap_that_may_grow() -> None:
    assert pipeline_cost.LEAN.items() <= SERVICES["collector"]["environment"].items()


def test_the_collectors_port_for_lines_can_be_another_than_that_of_a_flask_service_on_the_machine() -> None:
    given = SERVICES["collector"]["environment"]["TCP_ENDPOINT"]
    assert given == "${TCP_ENDPOINT:-127.0.0.1:5000}"
    assert "${env:TCP_ENDPOINT:-localhost:5000}" in AGENT


def test_the_collector_has_no_lines_that_are_in_no_queue() -> None:
    assert "--feature-gates=stanza.synchronousLogEmitter" in SERVICES["collector"]["command"]
    targets = [target for _, target in mounts(SERVICES["collector"])]
    assert "--config=/etc/otelcol/agent.yaml" in SERVICES["collector"]["command"]
    assert "/etc/otelcol/agent.yaml" in targets
    assert SERVICES["collector"]["environment"]["STORAGE_DIR"] in targets
    assert str(Path(SERVICES["collector"]["environment"]["LOG_GLOB"]).parent) in targets


def test_the_queue_has_its_share_of_the_disk_before_the_collector_starts(tmp_path: Path) -> None:
    share, collector = SERVICES["share"], SERVICES["collector"]
    assert collector["depends_on"]["share"] == {"condition": "service_completed_successfully"}
    assert share["environment"]["STORAGE_DIR"] == collector["environment"]["STORAGE_DIR"]
    assert share["environment"]["QUEUE_BYTES"] == collector["environment"]["QUEUE_BYTES"]
    assert [volume for volume in mounts(collector) if volume in mounts(share)] == mounts(share)
    env = {**os.environ, "STORAGE_DIR": str(tmp_path), "QUEUE_BYTES": "1000000"}
    for _ in range(2):  # again, it changes nothing
        subprocess.run(["sh", "-ec", script("share")], env=env, check=True, timeout=60)
        (file,) = tmp_path.iterdir()
        assert (file.name, file.stat().st_size, file.stat().st_mode & 0o777) == (QUEUE, 0, 0o600)
        assert file.stat().st_blocks * 512 >= 4_000_000
    too_much = {**env, "QUEUE_BYTES": str(10**15)}
    assert subprocess.run(["sh", "-ec", script("share")], env=too_much, check=False, timeout=60).returncode != 0


def test_the_set_up_installs_both_templates_in_a_real_elasticsearch(elasticsearch_server: Elasticsearch) -> None:
    for name in ("python-app", "rejected-python-app"):
        elasticsearch_server.respond("DELETE", f"/_index_template/{name}")
    env = {**os.environ, "ELASTICSEARCH_URL": elasticsearch_server.url, "TEMPLATES": str(FOLDER / "elasticsearch")}
    for _ in range(2):  # again, it changes nothing
        subprocess.run(["sh", "-ec", script("setup")], env=env, check=True, timeout=60)
    installed = elasticsearch_server.request("GET", "/_index_template/*python-app")["index_templates"]
    assert {template["name"] for template in installed} == {"python-app", "rejected-python-app"}
    wrong = {**env, "TEMPLATES": str(FOLDER)}
    assert subprocess.run(["sh", "-ec", script("setup")], env=wrong, check=False, timeout=60).returncode != 0


def test_alertmanager_is_started_with_a_configuration_in_which_every_variable_stands(tmp_path: Path) -> None:
    program, made = tmp_path / "alertmanager", tmp_path / "made.yml"
    program.write_text('#!/bin/sh\necho "$@"\n')
    program.chmod(0o755)
    given = {name: filled_in(value) for name, value in SERVICES["alertmanager"]["environment"].items()}
    given |= {"CONFIGURATION": str(FOLDER / "alertmanager" / "alertmanager.yml"), "MADE": str(made)}
    given |= {"ALERT_CHAT_CHANNEL": "#shop", "ALERT_CHAT_URL": "http://127.0.0.1:9/a?b=1&c=|2"}
    env = {**os.environ, **given, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    command = ["sh", "-ec", script("alertmanager")]
    said = subprocess.run(command, env=env, check=True, timeout=60, capture_output=True, text=True)
    assert f"--config.file={made}" in said.stdout
    text = re.sub(r"^#.*", "", made.read_text(), flags=re.MULTILINE)
    assert "${" not in text
    assert 'channel: "#shop"' in text
    assert 'api_url: "http://127.0.0.1:9/a?b=1&c=|2"' in text
    subprocess.run([alertmanager.find()["amtool"], "check-config", made], check=True, timeout=60)

"""Both generations of promtool take every file and every case; a real Prometheus loads the files without a warning."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from string import Template

import pytest
import yaml

from otel_distro.monitoring.files import generated, write
from otel_distro.monitoring.objectives import Objectives
from otel_distro.monitoring.parameters import Parameters
from tests.alert_cases.model import Case, Firing, counted
from tests.alert_cases.render import CASES, RECORDED, promtool_file, rendered
from tests.processes import ROOT
from tests.services import alertmanager, prometheus, prometheus3
from tests.services.prometheus import Generation, Prometheus
from tests.support import wait_until

FOLDER = ROOT / "collector-config" / "prometheus"
ALERTMANAGER = ROOT / "collector-config" / "alertmanager" / "alertmanager.yml"
GENERATIONS: dict[str, Callable[..., str]] = {"2": prometheus.promtool, "3": prometheus3.promtool}
# What a user puts into the environment; the names are in the file's head.
VARIABLES = {
    "ALERT_WEBHOOK_URL": "http://localhost:9999/alerts",
    "ALERT_CHAT_URL": "http://localhost:9999/chat",
    "ALERT_CHAT_CHANNEL": "#alerts",
    "ALERT_MAIL_TO": "team@example.com",
    "ALERT_MAIL_FROM": "alerts@example.com",
    "ALERT_SMTP_HOST": "localhost:25",
    "ALERT_SMTP_USER": "alerts",
    "ALERT_SMTP_PASSWORD_FILE": "/run/secrets/smtp",
}
# Of each job one target stands in the file; the test lets a second node be discovered.
JOBS = ("alertmanager", "node", "node", "otel-collector", "otel-collector-exporter", "python-app")

both = pytest.mark.parametrize("generation", GENERATIONS)


@both
@pytest.mark.parametrize("name", [*CASES, *RECORDED])
def test_every_case_holds(generation: str, name: str) -> None:
    assert "SUCCESS" in GENERATIONS[generation]("test", "rules", FOLDER / "tests" / f"{name}_test.yml")


def test_a_case_that_does_not_hold_is_found(tmp_path: Path) -> None:
    for part in ("rules", "alerts", "tests"):
        shutil.copytree(FOLDER / part, tmp_path / part)
    file = tmp_path / "alerts" / "targets.yml"
    file.write_text(file.read_text().replace("up == 0", "up == 1"))
    with pytest.raises(AssertionError, match="TargetDown fires for the one instance of two"):
        prometheus.promtool("test", "rules", tmp_path / "tests" / "targets_test.yml")


@both
@pytest.mark.parametrize(
    "parameters",
    [
        Parameters(),
        Parameters("shop", Objectives(99.5, 95, 1.0), "zh", "https://wiki.example.com/runbook"),
        Parameters(pace=1 / 60),
    ],
    ids=["committed", "a service in Chinese", "a sixtieth of the pace"],
)
def test_the_rules_are_valid_whatever_they_are_made_from(
    generation: str, parameters: Parameters, tmp_path: Path
) -> None:
    write(tmp_path, generated(parameters))
    said = GENERATIONS[generation]("check", "rules", *sorted(tmp_path.rglob("*.yml")))
    assert said.count("SUCCESS") == 9


def test_the_texts_of_a_service_of_ones_own_are_as_readable_in_chinese(tmp_path: Path) -> None:
    write(tmp_path, generated(Parameters("shop", language="zh")))
    firing = Firing(
        {"job": "shop", "severity": "critical"},
        "shop：6% 的请求失败",  # noqa: RUF001 -- Chinese has its own punctuation
        "最近 5m 内，shop 有 6% 的请求以 5xx 状态结束；上限为 5%。",  # noqa: RUF001 -- the same
    )
    series = {counted("200"): "0+94x20", counted("500"): "0+6x20", counted("500", job="other"): "0+6x20"}
    case = Case("fires", "fires in Chinese, for this service alone", "HighErrorRate", series, {"12m": [firing]})
    (tmp_path / "case.yml").write_text(promtool_file("requests", [rendered(case)], str(tmp_path)))
    for promtool in GENERATIONS.values():
        assert "SUCCESS" in promtool("test", "rules", tmp_path / "case.yml")


@both
@pytest.mark.parametrize("arguments", [("prometheus.yml",), ("--agent", "prometheus-agent.yml")])
def test_the_configurations_are_valid(generation: str, arguments: tuple[str, ...]) -> None:
    said = GENERATIONS[generation]("check", "config", *arguments[:-1], FOLDER / arguments[-1])
    assert "SUCCESS" in said
    assert "WARNING" not in said


def test_a_mistyped_configuration_is_refused(tmp_path: Path) -> None:
    (tmp_path / "prometheus.yml").write_text((FOLDER / "prometheus.yml").read_text().replace("rule_files", "rules"))
    for promtool in GENERATIONS.values():
        with pytest.raises(AssertionError, match="rules"):
            promtool("check", "config", tmp_path / "prometheus.yml")


def test_a_real_prometheus_loads_the_committed_files_without_a_warning(
    each_prometheus: Generation, tmp_path: Path
) -> None:
    for part in ("rules", "alerts", "targets"):
        shutil.copytree(FOLDER / part, tmp_path / part)
    (tmp_path / "targets" / "node.yml").write_text('[{"targets": ["discovered:9100"]}]')
    requests = tmp_path / "rules" / "requests.yml"
    requests.write_text(requests.read_text().replace("interval: 2m", "interval: 1s"))
    config = (FOLDER / "prometheus.yml").read_text().replace("15s", "1s").replace("localhost:", "127.0.0.1:1")
    with Prometheus(each_prometheus.binary, config, tmp_path) as server:
        wait_until(lambda: "unknown" not in healths(server), what="every rule to be evaluated once", every=0.2)
        assert healths(server) == ["ok"] * (33 + 25)
        wait_until(lambda: len(jobs(server)) >= len(JOBS), what="every target to be known", every=0.2)
        assert jobs(server) == sorted(JOBS)
        assert server.complaints == []


def jobs(server: Prometheus) -> list[str]:
    """The job of each target."""
    return sorted(target["labels"]["job"] for target in server.api("targets")["activeTargets"])


def healths(server: Prometheus) -> list[str]:
    """How each rule fared when it was evaluated last."""
    return [rule["health"] for group in server.api("rules")["groups"] for rule in group["rules"]]


def test_what_the_agent_scrapes_arrives_at_another_prometheus(each_prometheus: Generation, tmp_path: Path) -> None:
    binary, agent = each_prometheus
    flags = ["--web.enable-remote-write-receiver"]
    with Prometheus(binary, "scrape_configs: []", tmp_path / "store", flags=flags) as store:
        config = (FOLDER / "prometheus-agent.yml").read_text().replace("15s", "1s")
        config = config.replace("http://localhost:9090", store.url)
        with Prometheus(binary, config, tmp_path / "agent", flags=[agent]):
            wait_until(lambda: store.query('up{job="python-app"}'), what="a series of the agent", every=0.2)
        (sample,) = store.query('up{job="python-app"}')
        assert sample.labels["monitor"] == "otel-distro"
        assert sample.labels["service"] == "api"


def filled(**changes: str) -> str:
    """The configuration as `envsubst` makes it."""
    return Template(ALERTMANAGER.read_text()).substitute({**VARIABLES, **changes})


def test_the_alertmanager_takes_its_configuration(tmp_path: Path) -> None:
    (tmp_path / "alertmanager.yml").write_text(filled())
    said = alertmanager.amtool("check-config", tmp_path / "alertmanager.yml")
    assert "SUCCESS" in said
    assert "2 receivers" in said
    assert "5 inhibit rules" in said


def test_a_mistyped_alertmanager_configuration_is_refused(tmp_path: Path) -> None:
    (tmp_path / "alertmanager.yml").write_text(filled().replace("receiver: everybody", "receiver: nobody"))
    with pytest.raises(AssertionError, match="nobody"):
        alertmanager.amtool("check-config", tmp_path / "alertmanager.yml")


@pytest.mark.parametrize(("severity", "receiver"), [("critical", "everybody"), ("warning", "chat"), ("none", "chat")])
def test_alerts_are_routed_by_severity(severity: str, receiver: str, tmp_path: Path) -> None:
    file = tmp_path / "alertmanager.yml"
    file.write_text(filled())
    said = alertmanager.amtool("config", "routes", "test", f"--config.file={file}", f"severity={severity}", "job=shop")
    assert said.split() == [receiver]


def test_the_head_of_the_alertmanager_file_names_every_variable_of_it() -> None:
    text = ALERTMANAGER.read_text()
    head = "\n".join(line for line in text.splitlines() if line.startswith("#"))
    assert set(VARIABLES) == {
        name for _, name, braced, _ in Template.pattern.findall(text) for name in [name or braced] if name
    }
    assert all(name in head for name in VARIABLES)
    assert not [name for name in VARIABLES if name in os.environ]


def test_the_receivers_all_say_when_it_is_over() -> None:
    receivers = yaml.safe_load(filled())["receivers"]
    ways = [way for receiver in receivers for kind in receiver if kind != "name" for way in receiver[kind]]
    assert len(ways) == 5
    assert all(way["send_resolved"] for way in ways)


def test_the_ports_of_the_collector_are_those_that_its_configuration_opens() -> None:
    agent = (ROOT / "collector-config" / "agent.yaml").read_text()
    opened = re.findall(r"\$\{env:(?:TELEMETRY_PORT:-|PROMETHEUS_ENDPOINT:-localhost:)(\d+)\}", agent)
    for name in ("prometheus.yml", "prometheus-agent.yml"):
        jobs = yaml.safe_load((FOLDER / name).read_text())["scrape_configs"]
        scraped = [job["static_configs"][0]["targets"] for job in jobs if job["job_name"].startswith("otel-collector")]
        assert sorted(scraped) == sorted([f"localhost:{port}"] for port in opened)

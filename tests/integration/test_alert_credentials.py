"""The Collector's password is changed: that is told once, with the reason; it is changed back, and nothing is missing.

Real Elasticsearch with security, Collector, Prometheus and Alertmanager with the project's configurations; the rules
are generated at a twentieth of their pace, by the same code and from the same words.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from otel_distro.monitoring.files import generated, write
from otel_distro.monitoring.parameters import Parameters
from tests.agent import Agent, install_templates, line
from tests.certificates import Certificates
from tests.integration.test_agent_security import LEAST
from tests.integration.test_alerts_end_to_end import quickened
from tests.mails import MailServer
from tests.scraping import collector_job
from tests.services.alertmanager import Alertmanager
from tests.services.elasticsearch import Elasticsearch
from tests.services.prometheus import Prometheus
from tests.support import wait_until
from tests.webhooks import Receiver, listening

NAME = "CollectorCredentialsRefused"
CONFIG = """
global: {{scrape_interval: 500ms, scrape_timeout: 500ms, evaluation_interval: 500ms}}
rule_files: [rules/*.yml, alerts/*.yml]
alerting: {{alertmanagers: [{{static_configs: [{{targets: ["{alertmanager}"]}}]}}]}}
scrape_configs:
  - {collector}
"""


@dataclass(frozen=True)
class Stage:
    """Everything that runs."""

    elasticsearch: Elasticsearch
    agent: Agent
    alertmanager: Alertmanager
    receiver: Receiver

    def password(self, password: str) -> None:
        """Give the Collector's user this password."""
        self.elasticsearch.request("PUT", "/_security/user/collector/_password", {"password": password})

    def wait_for(self, status: str) -> dict[str, Any]:
        """Wait until the receiver was told of the alert, and return the only telling."""
        wait_until(lambda: self.receiver.alerts("/alerts", status, NAME), 90, what=f"{NAME} {status}", every=0.2)
        [told] = self.receiver.alerts("/alerts", status, NAME)
        return told

    def states(self) -> dict[str, str]:
        """Return what the Alertmanager does with each alert that fires."""
        return {alert["labels"]["alertname"]: alert["status"]["state"] for alert in self.alertmanager.alerts()}


@pytest.fixture
def stage(
    secured_elasticsearch: Elasticsearch,
    known_certificates: Certificates,
    collector_binary: Path,
    prometheus3_binary: Path,
    alertmanager_binary: Path,
    tmp_path: Path,
) -> Iterator[Stage]:
    server = secured_elasticsearch
    receiver, mail = Receiver(), MailServer()
    with ExitStack() as running:
        running.enter_context(listening(receiver))
        running.enter_context(mail.listening())
        install_templates(server)
        server.request("PUT", "/_security/role/logs", LEAST["logs"])
        server.request("PUT", "/_security/user/collector", {"password": "as it was", "roles": ["logs"]})
        variables = {
            "ELASTICSEARCH_USERNAME": "collector",
            "ELASTICSEARCH_PASSWORD": "as it was",
            "ELASTICSEARCH_CA_FILE": str(known_certificates.authority.certificate),
        }
        agent = running.enter_context(Agent(collector_binary, server, tmp_path / "agent", variables))
        config = quickened(receiver.url, mail.address)
        told = running.enter_context(Alertmanager(alertmanager_binary, config, tmp_path / "alertmanager"))
        write(tmp_path, generated(Parameters(pace=1 / 20)))
        address = told.url.removeprefix("http://")
        scraped = CONFIG.format(
            alertmanager=address, collector=collector_job(f"127.0.0.1:{agent.env['TELEMETRY_PORT']}")
        )
        running.enter_context(Prometheus(prometheus3_binary, scraped, tmp_path))
        yield Stage(server, agent, told, receiver)


def write_logs(agent: Agent, begin: int, number: int) -> None:
    moment = "2026-11-24T09:00:00.123456Z"
    agent.write(*(line(timestamp=moment, message="x", log_id=f"r-{begin + place}") for place in range(number)))


def test_a_password_that_is_changed_is_told_of_once_and_after_the_mend_nothing_is_missing(stage: Stage) -> None:
    write_logs(stage.agent, 0, 3)
    stage.agent.wait_for(3)
    stage.password("another")
    write_logs(stage.agent, 3, 100)
    firing = stage.wait_for("firing")
    here = f"127.0.0.1:{stage.elasticsearch.port}"
    collector = f"127.0.0.1:{stage.agent.env['TELEMETRY_PORT']}"
    summary = f"Collector {collector}: {here} refuses its credentials (401)"
    assert firing["annotations"]["summary"] == summary
    assert firing["labels"]["severity"] == "critical"
    # That logs wait is no second message.
    wait_until(
        lambda: stage.states().get("LogPipelineStalled") == "suppressed",
        60,
        what=lambda: f"{stage.states()}",
        every=0.2,
    )
    assert stage.receiver.alerts("/alerts", "firing", "LogPipelineStalled") == []
    assert stage.receiver.alerts("/alerts", "resolved", NAME) == []

    stage.password("as it was")
    stage.agent.wait_for(103)
    assert stage.wait_for("resolved")["startsAt"] == firing["startsAt"]
    assert stage.wait_for("firing")
    assert sorted(document.id for document in stage.agent.stored()) == sorted(f"r-{number}" for number in range(103))

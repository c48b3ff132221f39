"""The shop fails, the alert arrives; it recovers, and that arrives as well; it dies, and only that is told.

Real Prometheus, real Alertmanager with the project's configuration, a real receiver; the rules are generated at a
sixtieth of their pace, by the same code and from the same words.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from string import Template
from typing import Any

import pytest
import yaml

from otel_distro.monitoring.files import generated, write
from otel_distro.monitoring.parameters import Parameters
from tests.integration.test_alert_rules import ALERTMANAGER, VARIABLES
from tests.integration.test_shop import Shop, running_shop
from tests.mails import MailServer
from tests.services.alertmanager import Alertmanager
from tests.services.prometheus import Prometheus
from tests.support import request, wait_until
from tests.webhooks import Receiver, listening

RUNBOOK = "https://wiki.example.com/runbook"
CONFIG = """
global:
  {{scrape_interval: 500ms, scrape_timeout: 500ms, evaluation_interval: 500ms,
    external_labels: {{environment: staging}}}}
rule_files: [rules/*.yml, alerts/*.yml]
alerting: {{alertmanagers: [{{static_configs: [{{targets: ["{alertmanager}"]}}]}}]}}
scrape_configs:
  - {{job_name: shop, static_configs: [{{targets: ["localhost:{shop}"]}}]}}
"""


class Traffic(threading.Thread):
    """Requests, some twenty a second; while `failing`, one in four is one that fails."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self.failing = True
        self._url = url
        self._over = threading.Event()

    def run(self) -> None:
        """Send until the end; a shop that is gone is not this thread's concern."""
        number = 0
        while not self._over.wait(0.04):
            number += 1
            with suppress(OSError, HTTPException):
                request(self._url + ("/api/fail" if self.failing and number % 4 == 0 else "/health"))

    def end(self) -> None:
        """Stop and wait for the last request."""
        self._over.set()
        self.join(20)


@dataclass(frozen=True)
class Stage:
    """Everything that runs."""

    shop: Shop
    traffic: Traffic
    prometheus: Prometheus
    alertmanager: Alertmanager
    receiver: Receiver
    mail: MailServer

    def wait_for(self, path: str, status: str, name: str, seconds: float = 60.0) -> dict[str, Any]:
        """Wait until the receiver was told of an alert, and return the first telling."""

        def told() -> list[dict[str, Any]]:
            return self.receiver.alerts(path, status, name)

        wait_until(told, seconds, what=lambda: f"{name} {status}: {self.prometheus.api('alerts')}", every=0.1)
        return told()[0]


@pytest.fixture(scope="module")
def stage(
    prometheus_binary: Path, alertmanager_binary: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("stage")
    receiver, mail = Receiver(), MailServer()
    with ExitStack() as running:
        running.enter_context(listening(receiver))
        running.enter_context(mail.listening())
        told = running.enter_context(
            Alertmanager(alertmanager_binary, quickened(receiver.url, mail.address), folder / "alertmanager")
        )
        shop = running.enter_context(running_shop(folder))
        traffic = Traffic(shop.url)
        running.callback(traffic.end)
        traffic.start()
        write(folder, generated(Parameters("shop", runbook=RUNBOOK, pace=1 / 60)))
        config = CONFIG.format(alertmanager=told.url.removeprefix("http://"), shop=shop.metrics_port)
        server = running.enter_context(Prometheus(prometheus_binary, config, folder))
        yield Stage(shop, traffic, server, told, receiver, mail)


def quickened(url: str, smtp: str) -> str:
    """The project's configuration with the receivers' addresses, without waits for further alerts and without TLS."""
    ways = {"ALERT_WEBHOOK_URL": f"{url}/alerts", "ALERT_CHAT_URL": f"{url}/chat", "ALERT_SMTP_HOST": smtp}
    config = yaml.safe_load(Template(ALERTMANAGER.read_text()).substitute(VARIABLES | ways))
    config["global"]["smtp_require_tls"] = False
    for route in (config["route"], *config["route"]["routes"]):
        route |= {"group_wait": "100ms", "group_interval": "1s"}
    return yaml.safe_dump(config)


def test_a_failing_shop_is_told_of_with_the_right_text_and_its_recovery_as_well(stage: Stage) -> None:
    firing = stage.wait_for("/alerts", "firing", "HighErrorRate")
    assert firing["labels"] == {
        "alertname": "HighErrorRate",
        "environment": "staging",
        "job": "shop",
        "severity": "critical",
    }
    assert firing["annotations"]["runbook_url"] == f"{RUNBOOK}#higherrorrate"
    text = r"([\d.]+)% of the requests to shop ended with a status 5xx in the last 5s; 5% is the limit\."
    found = re.fullmatch(text, firing["annotations"]["description"])
    assert found, firing
    assert 15 < float(found[1]) < 35
    chat = wait_until(lambda: chats_of(stage, "FIRING: HighErrorRate shop (staging)"), what="the chat's message")
    assert re.fullmatch(text + "\n?", chat[0]["text"])
    assert chat[0]["title_link"] == f"{RUNBOOK}#higherrorrate"
    wait_until(lambda: "FIRING: HighErrorRate shop (staging)" in stage.mail.subjects(), what="the mail")
    mail = stage.mail.mails[stage.mail.subjects().index("FIRING: HighErrorRate shop (staging)")]
    assert mail["To"] == VARIABLES["ALERT_MAIL_TO"]
    assert "of the requests to shop ended with a status 5xx" in mail.get_body(("html",)).get_content()  # type: ignore[union-attr]
    assert stage.receiver.alerts("/alerts", "resolved", "HighErrorRate") == []

    stage.traffic.failing = False
    resolved = stage.wait_for("/alerts", "resolved", "HighErrorRate")
    assert resolved["startsAt"] == firing["startsAt"]
    assert resolved["endsAt"] > resolved["startsAt"]
    wait_until(lambda: chats_of(stage, "RESOLVED: HighErrorRate shop (staging)"), what="the chat's message of the end")
    wait_until(lambda: "RESOLVED: HighErrorRate shop (staging)" in stage.mail.subjects(), what="the mail of the end")


def test_a_dead_shop_is_told_of_once_and_holds_back_what_follows_from_it(stage: Stage) -> None:
    stage.shop.process.kill()
    firing = stage.wait_for("/alerts", "firing", "TargetDown")
    assert firing["labels"]["job"] == "shop"
    instance = firing["labels"]["instance"]
    assert firing["annotations"]["summary"] == f"shop on {instance} does not answer"
    assert instance == f"localhost:{stage.shop.metrics_port}"

    def low() -> list[str]:
        alerts = stage.alertmanager.alerts()
        return [alert["status"]["state"] for alert in alerts if alert["labels"]["alertname"] == "LowRequestRate"]

    assert wait_until(low, 60, what="the low rate to be noticed", every=0.2) == ["suppressed"]
    assert stage.receiver.alerts("/alerts", "firing", "LowRequestRate") == []


def chats_of(stage: Stage, title: str) -> list[dict[str, Any]]:
    """The chat's messages of a title."""
    told = [attachment for body in stage.receiver.bodies.get("/chat", []) for attachment in body["attachments"]]
    return [attachment for attachment in told if attachment["title"] == title]

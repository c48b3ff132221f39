"""What holds an alert back in a real Alertmanager with the project's configuration, and what does not."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.integration.test_alert_rules import filled
from tests.services.alertmanager import Alertmanager
from tests.support import wait_until

ENVIRONMENTS = ("staging", "production")  # external labels of two Prometheus that tell one Alertmanager


def test_what_explains_an_alert_holds_it_back_and_nothing_of_another_target_or_job(
    alertmanager_binary: Path, tmp_path: Path
) -> None:
    first, second = {"job": "node", "instance": "a:9100"}, {"job": "node", "instance": "b:9100"}
    one, other = ({"job": "otel-collector", "instance": instance} for instance in ("a:8888", "b:8888"))
    critical, warning = {"severity": "critical"}, {"severity": "warning"}
    active = (
        alert("TargetDown", first, critical),
        alert("TargetDown", {**first, "instance": "c:9100"}, critical),
        alert("NodeDiskFilling", second, warning, mountpoint="/"),
        alert("CollectorCredentialsRefused", one, critical),
        alert("LogPipelineStalled", other, critical),
        alert("AvailabilityBudgetBurning", {"job": "shop"}, critical, long="1h"),
        alert("LatencyBudgetBurning", {"job": "shop"}, warning, long="1d"),
        alert("HighErrorRate", {"job": "payments"}, critical),
        alert("LatencyBudgetBurning", {"job": "payments"}, critical, long="1h"),
        alert("HighResponseTime", {"job": "payments"}, warning),
    )
    suppressed = (
        alert("NodeDiskFilling", first, warning, mountpoint="/"),
        alert("NodeMemoryLow", first, warning),
        alert("SeriesLimitReached", {"job": "node"}, warning, instrument="signups"),
        alert("LowRequestRate", {"job": "node"}, warning),
        alert("LogPipelineStalled", one, critical),
        alert("AvailabilityBudgetBurning", {"job": "shop"}, warning, long="1d"),
        alert("AvailabilityBudgetBurning", {"job": "payments"}, critical, long="1h"),
        alert("LatencyBudgetBurning", {"job": "payments"}, warning, long="1d"),
    )
    with Alertmanager(alertmanager_binary, filled(), tmp_path) as server:
        server.post([{"labels": labels} for labels in (*active, *suppressed)])
        assert held_back(server, suppressed) == []


def test_an_environment_holds_back_nothing_of_another_one(alertmanager_binary: Path, tmp_path: Path) -> None:
    def pair(name: str, severity: str, **labels: str) -> list[dict[str, str]]:
        """An alert of each environment."""
        return [alert(name, {**labels, "severity": severity, "environment": where}) for where in ENVIRONMENTS]

    shop, collector = {"job": "shop"}, {"job": "otel-collector", "instance": "localhost:8888"}
    explaining = [
        pair("TargetDown", "critical", job="node", instance="localhost:9100"),
        pair("HighErrorRate", "critical", **shop),
        pair("LatencyBudgetBurning", "critical", **shop),
        pair("CollectorCredentialsRefused", "critical", **collector),
    ]
    explained = [
        pair("NodeDiskFilling", "warning", job="node", instance="localhost:9100"),
        pair("LowRequestRate", "warning", job="node"),
        pair("AvailabilityBudgetBurning", "critical", **shop),
        pair("LatencyBudgetBurning", "warning", **shop),
        pair("LogPipelineStalled", "critical", **collector),
    ]
    with Alertmanager(alertmanager_binary, filled(), tmp_path) as server:
        server.post([{"labels": staging} for staging, _ in explaining])
        server.post([{"labels": labels} for pairs in explained for labels in pairs])
        assert held_back(server, [staging for staging, _ in explained]) == []


def held_back(server: Alertmanager, wanted: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    """Wait until these alerts are held back, which comes a moment after they do, and return what is beside them."""

    def suppressed() -> list[dict[str, str]]:
        return [given["labels"] for given in server.alerts() if given["status"]["state"] == "suppressed"]

    wait_until(lambda: all(labels in suppressed() for labels in wanted), what=lambda: f"{wanted}", every=0.1)
    return [labels for labels in suppressed() if labels not in wanted]


def alert(name: str, *labels: dict[str, str], **more: str) -> dict[str, str]:
    """The labels of an alert, as Prometheus sends them."""
    return {"alertname": name, **{label: value for part in (*labels, more) for label, value in part.items()}}

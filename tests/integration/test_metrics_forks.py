"""Fork while the parent's threads record, create instruments and make pages: no child hangs, every total is exact."""

from __future__ import annotations

import json

from tests.processes import AppProcess
from tests.support import free_port


def test_children_of_a_busy_parent_neither_hang_nor_report_its_totals() -> None:
    check_forks(12)


def check_forks(forks: int) -> None:
    """Fork so many children; the long form is among the faults."""
    env = {
        "OTEL_SERVICE_NAME": "forks",
        "OTEL_EXPORTER_PROMETHEUS_PORT": str(free_port()),
        "OTEL_DISTRO_SERIES_LIMIT": "5000",
    }
    with AppProcess(["python", "-m", "tests.forks", str(forks)], env) as app:
        status = app.wait(60 + 25 * forks)
        assert status == 0, app.report
        said = json.loads(app.stdout.splitlines()[-1])
    assert said["hung"] == []
    assert said["failed"] == [], app.report
    assert said["children"] == forks
    assert said["inherited"] == forks
    assert said["parent"] == said["parent_must"]
    assert min(said["parent"]) > 0

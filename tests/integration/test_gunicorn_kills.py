"""The short form of `tests/faults/test_gunicorn_kills.py`."""

from __future__ import annotations

from pathlib import Path

from tests.kills import KillRun


def test_requests_are_counted_to_the_unit_while_workers_are_killed(tmp_path: Path, prometheus_binary: Path) -> None:
    KillRun(requests=2_500, kills_every=0.7, server_kills=1).check(tmp_path, prometheus_binary)

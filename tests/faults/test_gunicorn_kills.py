"""Gunicorn under 20,000 requests while workers and the serving process are killed: not one is lost or doubled."""

from __future__ import annotations

from pathlib import Path

from tests.kills import KillRun


def test_twenty_thousand_requests_are_counted_to_the_unit(tmp_path: Path, prometheus_binary: Path) -> None:
    KillRun(requests=20_000, kills_every=1.0, server_kills=2).check(tmp_path, prometheus_binary)

"""uvicorn by itself, with workers and with its reloader: the totals are what the client got, to the unit."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.processes import ROOT, AppProcess
from tests.served import ASGI, FASTAPI, Served


@pytest.fixture
def served(tmp_path: Path) -> Served:
    return Served(tmp_path)


def uvicorn(served: Served, *options: str, app: str = FASTAPI, cwd: Path | None = None) -> AppProcess:
    return served.started("uvicorn", "--port", str(served.port), *options, app, cwd=cwd)


def test_one_process_is_counted(served: Served) -> None:
    with uvicorn(served) as app:
        served.check_exact(app, served.drive(500))


def test_an_application_without_a_framework_is_counted_by_its_own_metrics(served: Served) -> None:
    with uvicorn(served, app=ASGI) as app:
        served.check_exact(app, served.drive(500), hook=False)


def test_several_workers_are_counted_together(served: Served) -> None:
    with uvicorn(served, "--workers", "3") as app:
        served.processes(3)
        served.check_exact(app, served.drive(800))


def test_workers_that_end_after_so_many_requests_keep_their_counts(served: Served) -> None:
    with uvicorn(served, "--workers", "2", "--limit-max-requests", "80") as app:
        first = served.drive(250)
        served.processes(4)
        second = served.drive(250)
        served.check_within(app, first, second)


def test_workers_that_are_killed_keep_their_counts(served: Served) -> None:
    with uvicorn(served, "--workers", "2") as app:
        served.processes(2)
        tallies = [served.drive_and_kill(250) for _ in range(2)]
        served.check_within(app, *tallies)


def test_a_reload_keeps_the_counts(served: Served, tmp_path: Path) -> None:
    folder = tmp_path / "program"
    folder.mkdir()
    source = folder / "reloaded.py"
    shutil.copy(ROOT / "tests" / "data" / "apps" / "counted_fastapi.py", source)
    with served.started(
        *("uvicorn", "--port", str(served.port), "--reload", "--reload-dir", str(folder), "reloaded:app"),
        cwd=folder,
        env={"PYTHONPATH": str(ROOT)},
    ) as app:
        first = served.drive(300)
        source.write_text(source.read_text() + "\n# changed\n")
        served.processes(2)
        second = served.drive(300)
        served.check_exact(app, first, second)

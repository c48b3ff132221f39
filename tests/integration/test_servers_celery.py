"""Celery with processes of its own, recycled after a few tasks: the page counts what the tasks counted."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes import ROOT, clean_environment
from tests.served import Served, kill
from tests.support import wait_until

TASKS = "tests.data.apps.counted_tasks"


@pytest.fixture
def served(tmp_path: Path) -> Served:
    served = Served(tmp_path)
    served.env["QUEUE"] = str(tmp_path / "queue")
    return served


def worker(served: Served, *options: str) -> list[str]:
    return [
        *("celery", "-A", TASKS, "worker", "--pool", "prefork", "--concurrency", "2"),
        *("--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "warning", *options),
    ]


def send(served: Served, number: int, task: str = "work") -> None:
    """Put tasks into the queue, by a program without telemetry.

    Each file comes whole into the worker's folder: a worker that finds one before it is written ends.
    """
    environment = clean_environment({**served.env, "OTEL_SDK_DISABLED": "true"})
    program = f"from {TASKS} import {task}\nfor number in range({number}): {task}.delay(number)"
    subprocess.run([sys.executable, "-c", program], env=environment, cwd=ROOT, check=True, timeout=60)
    folder = Path(served.env["QUEUE"])
    for file in sorted((folder / "out").iterdir()):
        file.rename(folder / "in" / file.name)


def done(served: Served, number: int) -> None:
    wait_until(lambda: len(served.ledger.entries()) >= number, 60, what=f"{number} tasks")
    served.page.wait_for("work_total", number, kind="task")


def test_recycled_processes_keep_their_counts(served: Served) -> None:
    with served.start(*worker(served, "--max-tasks-per-child", "10")) as app:
        send(served, 60)
        done(served, 60)
        assert len(served.ledger.by_process()) >= 6
        served.check_quiet(app)


def test_a_killed_process_keeps_its_counts(served: Served) -> None:
    with served.start(*worker(served)) as app:
        send(served, 40)
        done(served, 40)
        # Amid a task: an idle process that is killed leaves Celery's own queue locked.
        send(served, 1, "work_long")
        done(served, 41)
        kill(int(served.ledger.entries()[-1].split()[0]))
        wait_until(lambda: "SIGKILL" in app.output, 60, what="Celery to notice")
        send(served, 40)
        done(served, 81)

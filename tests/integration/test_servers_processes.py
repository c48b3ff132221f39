"""Processes that a program makes itself: forked, spawned, pooled, started; and who serves the page when one dies."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.processes import ROOT, AppProcess
from tests.served import Served, kill
from tests.support import wait_until
from tests.watch import Watch

PROGRAM = str(ROOT / "tests" / "data" / "apps" / "counted_family.py")


@pytest.fixture
def served(tmp_path: Path) -> Served:
    return Served(tmp_path)


def family(served: Served, way: str, processes: int = 4, times: int = 100) -> AppProcess:
    return served.start("python", PROGRAM, way, str(processes), str(times), env={"PYTHONPATH": str(ROOT)})


@pytest.mark.parametrize("way", ["fork", "spawn", "forkserver", "pool", "subprocess"])
def test_what_children_count_is_on_the_page(served: Served, way: str) -> None:
    with family(served, way) as app:
        app.wait_for_output("done\n")
        served.page.wait_for("work_total", 500, kind="call")
        assert len(served.ledger.entries()) == 500
        served.check_quiet(app)


def test_a_child_that_is_started_in_another_folder_finds_the_one_that_a_relative_path_names(
    served: Served, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    program = """
import subprocess, sys, time
from opentelemetry.metrics import get_meter
get_meter("counted").create_counter("work").add(1, {"kind": "call"})
if sys.argv[1:] != ["child"]:
    subprocess.run([sys.executable, "-c", open("program.py").read(), "child"], cwd="elsewhere", check=True)
    print("done", flush=True)
    time.sleep(60)
"""
    (tmp_path / "program.py").write_text(program)
    with served.start("python", "program.py", env={"OTEL_DISTRO_PROMETHEUS_DIR": "shared"}, cwd=tmp_path) as app:
        app.wait_for_output("done\n")
        served.page.wait_for("work_total", 2, kind="call")
        assert not list((tmp_path / "elsewhere").iterdir())
        served.check_quiet(app)


def serving(served: Served, processes: set[int]) -> int:
    """Find who listens on the page's port, as the system sees it."""
    port = int(served.page.url.split(":")[2].partition("/")[0])
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    (inode,) = {row[9] for row in rows if row[1].endswith(f":{port:04X}") and row[3] == "0A"}
    for pid in processes:
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            try:
                if os.readlink(descriptor) == f"socket:[{inode}]":
                    return pid
            except OSError:
                continue
    raise AssertionError(f"none of {processes} serves the page")


def test_when_the_serving_process_is_killed_another_takes_over_within_two_seconds(served: Served) -> None:
    with family(served, "staying fork", times=50) as app:
        wait_until(lambda: len(served.ledger.entries()) == 250, 60, what="all counts")
        served.page.wait_for("work_total", 250, kind="call")
        left = set(served.ledger.by_process())
        before = served.page.samples()
        for _ in range(4):
            victim = serving(served, left)
            left.discard(victim)
            with Watch() as watch:
                kill(victim)
                wait_until(lambda: is_served(served), what="the page")
                assert watch.seconds < 2
            assert serving(served, left) != victim
            after = served.page.samples()
            grown = {key: value for key, value in before.items() if key[0].endswith("_total") and "work" in key[0]}
            assert all(after[key] >= value for key, value in grown.items())
            served.page.wait_for("work_total", 250, kind="call")
        served.check_quiet(app)


def is_served(served: Served) -> bool:
    try:
        served.page.samples()
    except OSError:
        return False
    return True


def test_processes_that_start_and_end_at_once_never_clash_for_the_port(served: Served) -> None:
    with family(served, "fork", processes=40, times=5) as app:
        app.wait_for_output("done\n")
        served.page.wait_for("work_total", 205, kind="call")
        served.check_quiet(app)
        app.signal(signal.SIGINT)

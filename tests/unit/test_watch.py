"""The watch by which bounds are measured counts the time in which its process runs, and no other."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests import watch as module
from tests.support import wait_until
from tests.watch import Watch

_STOP = 2.0  # seconds
# It counts of a stop what it takes for a late tick.
_COUNTED = 0.25

_PROGRAM = """
import time
from tests.watch import Watch
begin = time.monotonic()
with Watch() as watch:
    print("runs", flush=True)
    input()
    print(watch.seconds, time.monotonic() - begin, flush=True)
"""


def test_it_stands_still_while_its_process_is_stopped() -> None:
    command, home = [sys.executable, "-c", _PROGRAM], Path(__file__).parents[2]
    with subprocess.Popen(command, cwd=home, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdin is not None
        assert program.stdout is not None
        assert program.stdout.readline() == "runs\n"
        os.kill(program.pid, signal.SIGSTOP)
        try:
            stat = Path(f"/proc/{program.pid}/stat")
            wait_until(lambda: stat.read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "T", what="its stop")
            time.sleep(_STOP)
        finally:
            os.kill(program.pid, signal.SIGCONT)
        program.stdin.write("\n")
        program.stdin.flush()
        shown, passed = map(float, program.stdout.readline().split())
    assert passed >= _STOP
    assert shown <= passed - _STOP + _COUNTED


def test_it_counts_all_of_the_time_in_which_nothing_stands_still(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now))
    watch = Watch()
    for number in range(1, 50):
        now += 0.2
        assert watch.seconds == pytest.approx(number * 0.2)
    now += 3600
    assert watch.seconds == pytest.approx(49 * 0.2 + _COUNTED)


def test_it_goes_on_without_being_asked_and_ends_with_its_block() -> None:
    with Watch() as watch:
        thread = watch._thread
        # Not by what it shows: to ask would move it on, by less than this.
        wait_until(lambda: watch._seconds > 2 * _COUNTED, what="time that nobody has asked for")
    assert not thread.is_alive()

"""What is sent at the end of a process; `tests/integration/test_servers_endings.py` has the real servers."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading

import pytest

from otel_distro.ending import Ending

PROGRAM = """
import signal, sys, time
from otel_distro.ending import Ending

class Provider:
    def force_flush(self, timeout_millis):
        print("flushed", flush=True)

{before}
Ending([Provider()], 0.2).watch()
{after}
print("ready", flush=True)
time.sleep(60)
"""


class Provider:
    def __init__(self, *, error: Exception | None = None, wait: threading.Event | None = None) -> None:
        self.flushed: list[int] = []
        self._error = error
        self._wait = wait

    def force_flush(self, timeout_millis: int) -> bool:
        if self._wait is not None:
            self._wait.wait()
        self.flushed.append(timeout_millis)
        if self._error is not None:
            raise self._error
        return True


def test_every_provider_is_flushed_though_one_raises_and_one_cannot_be() -> None:
    first, last = Provider(error=OSError("gone")), Provider()
    Ending([first, object(), None, last], 2).flush()
    assert first.flushed == last.flushed == [2000]


def test_a_provider_that_hangs_holds_neither_the_end_nor_the_others() -> None:
    never = threading.Event()
    other = Provider()
    Ending([Provider(wait=never), other], 0.05).flush()
    assert other.flushed
    never.set()


def terminated(before: str = "", after: str = "") -> tuple[int, str]:
    """Run the program, terminate it when it is ready, and return its status and what it said."""
    program = subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format(before=before, after=after)], stdout=subprocess.PIPE, text=True
    )
    with program:
        assert program.stdout is not None
        assert program.stdout.readline() == "ready\n"
        program.terminate()
        output = program.stdout.read()
        return program.wait(20), output


def test_a_terminated_program_flushes_and_dies_of_the_signal_all_the_same() -> None:
    assert terminated() == (-signal.SIGTERM, "flushed\n")


@pytest.mark.parametrize(
    ("before", "status"),
    [("signal.signal(signal.SIGTERM, lambda *_: sys.exit(3))", 3), ("sys.modules['uwsgi'] = sys", -signal.SIGTERM)],
    ids=["of the application", "of a server that embeds Python"],
)
def test_a_handler_that_is_there_is_left_alone(before: str, status: int) -> None:
    assert terminated(before) == (status, "")


def test_a_handler_that_comes_later_takes_the_place() -> None:
    assert terminated(after="signal.signal(signal.SIGTERM, lambda *_: sys.exit(4))")[0] == 4

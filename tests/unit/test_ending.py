"""What is sent at the end of a process; `tests/integration/test_servers_endings.py` has the real servers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from otel_distro.ending import Ending
from tests.processes import ROOT
from tests.support import wait_until

PROGRAM = """
import signal, sys, time
from otel_distro.ending import Ending
from tests.unit.test_ending import Box

class Said(Box):
    def wait(self, deadline):
        print("waited", flush=True)
        super().wait(deadline)

{before}
Ending([Said(left={left})], [], 0.2).watch()
{after}
print("ready", flush=True)
for _ in range({seconds}):
    time.sleep(0.1)  # a signal that comes right before a sleep is handled after it
"""


class Count:
    def __init__(self, signal: str = "traces", endpoint: str = "here:4318", why: str = "refused") -> None:
        self.signal, self.endpoint, self.why = signal, endpoint, why
        self.dropped = 7


class Box:
    """An outlet that has `left` items when the time is over."""

    def __init__(self, *, left: int = 0, ledger: Count | None = None, error: Exception | None = None) -> None:
        self.ledger = ledger or Count()
        self.calls: list[str] = []
        self.deadlines: list[float] = []
        self._left = left
        self._error = error

    def hurry(self, deadline: float) -> None:
        self.calls.append("hurry")
        self.deadlines.append(deadline)
        if self._error is not None:
            raise self._error

    def wait(self, deadline: float) -> None:
        self.calls.append("wait")
        self.deadlines.append(deadline)
        self.ledger.dropped += self._left
        self._left = 0

    def close(self) -> None:
        self.calls.append("close")


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


def test_all_begin_before_any_is_waited_for_and_one_that_raises_holds_none() -> None:
    first, last = Box(error=OSError("gone")), Box()
    Ending([first, last], [], 2).finish()
    assert first.calls == last.calls == ["hurry", "wait", "close"]
    assert len({*first.deadlines, *last.deadlines}) == 1


def test_every_provider_is_flushed_though_one_raises_and_one_cannot_be() -> None:
    first, last = Provider(error=OSError("gone")), Provider()
    Ending([], [first, object(), None, last], 60).flush()
    assert first.flushed == last.flushed == [60_000]


def test_a_provider_that_hangs_holds_neither_the_end_nor_the_others() -> None:
    never = threading.Event()
    other = Provider()
    Ending([], [Provider(wait=never), other], 0.05).flush()
    wait_until(lambda: other.flushed)  # its thread may not have run in so short a time
    never.set()


def test_what_was_not_delivered_is_one_line_by_place_and_reason(capfd: pytest.CaptureFixture[str]) -> None:
    boxes = [
        Box(left=3),
        Box(left=4, ledger=Count("logs")),
        Box(ledger=Count("metrics")),
        Box(left=1, ledger=Count("logs", "", "")),
    ]
    Ending(boxes, [], 0.1).finish()
    assert capfd.readouterr().err == (
        f"otel_distro: process {os.getpid()} ends and has not delivered 3 spans, 4 log records to here:4318 (refused); "
        "1 log records to the exporter (no answer in time)\n"
    )


def test_nothing_is_said_where_all_was_delivered(capfd: pytest.CaptureFixture[str]) -> None:
    Ending([Box()], [], 0.1).finish()
    assert capfd.readouterr() == ("", "")


def test_where_standard_error_is_closed_no_file_of_the_application_gets_the_line(tmp_path: Path) -> None:
    data = tmp_path / "data"
    program = f"""
import os
from otel_distro.ending import Ending
from tests.unit.test_ending import Box
opened = os.open({str(data)!r}, os.O_WRONLY | os.O_CREAT)
os.write(opened, b"precious")
Ending([Box(left=3)], [], 0.1).finish()
assert opened == 2, opened
"""
    closed = 'exec "$0" -c "$1" 2>&-'
    subprocess.run(["sh", "-c", closed, sys.executable, program], check=True, cwd=ROOT)
    assert data.read_text() == "precious"


def test_a_shutdown_and_the_signal_after_it_share_their_time() -> None:
    box = Box()
    ending = Ending([box], [], 1)
    ending.flush()
    ending.finish()
    assert len(set(box.deadlines)) == 1


def terminated(
    before: str = "", after: str = "", left: int = 0, seconds: int = 600, number: int = signal.SIGTERM
) -> tuple[int, str, str]:
    """Run the program, send it the signal when it is ready, and return its status and what it said."""
    text = PROGRAM.format(before=before, after=after, left=left, seconds=seconds)
    program = subprocess.Popen(
        [sys.executable, "-c", text], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
    )
    with program:
        assert program.stdout is not None
        assert program.stderr is not None
        assert program.stdout.readline() == "ready\n"
        if seconds:
            program.send_signal(number)
        output, errors = program.stdout.read(), program.stderr.read()
        return program.wait(20), output, errors


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_terminated_program_sends_and_dies_of_the_signal_all_the_same(number: int) -> None:
    # Who runs the tests by nohup has them ignore SIGHUP.
    before = "signal.signal(signal.SIGHUP, signal.SIG_DFL)"
    assert terminated(before, number=number) == (-number, "waited\n", "")


def test_a_program_that_is_to_outlive_its_terminal_does() -> None:
    assert terminated("signal.signal(signal.SIGHUP, signal.SIG_IGN)", seconds=1, number=signal.SIGHUP)[0] == 0


def test_a_program_that_ends_by_itself_sends_too() -> None:
    status, output, errors = terminated(left=2, seconds=0)
    assert (status, output) == (0, "waited\n")
    assert "has not delivered 2 spans to here:4318 (refused)\n" in errors


@pytest.mark.parametrize(
    ("before", "status", "output"),
    [
        ("signal.signal(signal.SIGTERM, lambda *_: sys.exit(3))", 3, "waited\n"),
        ("sys.modules['uwsgi'] = sys", -signal.SIGTERM, ""),
    ],
    ids=["of the application", "of a server that embeds Python"],
)
def test_a_handler_that_is_there_is_left_alone(before: str, status: int, output: str) -> None:
    assert terminated(before) == (status, output, "")


def test_a_handler_that_comes_later_takes_the_place() -> None:
    assert terminated(after="signal.signal(signal.SIGTERM, lambda *_: sys.exit(4))")[0] == 4

"""One process serves the page, and when it dies the next one does."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from otel_distro.metrics.election import Seat, Ticker
from tests.shared_metrics import descriptors_of, ended, forked, in_child
from tests.support import wait_until


@pytest.fixture
def seat(tmp_path: Path) -> Iterator[Seat]:
    made = Seat(tmp_path, "port-8000")
    yield made
    made.leave()


def test_one_has_the_seat_and_keeps_it(seat: Seat, tmp_path: Path) -> None:
    other = Seat(tmp_path, "port-8000")
    assert seat.take()
    for _ in range(3):
        assert not other.take()
        assert seat.take()
    assert descriptors_of(tmp_path / "port-8000.seat") == 1


def test_who_leaves_makes_room(seat: Seat, tmp_path: Path) -> None:
    other = Seat(tmp_path, "port-8000")
    assert seat.take()
    seat.leave()
    seat.leave()
    assert other.take()
    assert not seat.take()
    other.leave()


def test_each_port_has_its_own_seat(seat: Seat, tmp_path: Path) -> None:
    other = Seat(tmp_path, "port-8001")
    assert seat.take()
    assert other.take()
    other.leave()


def test_a_folder_that_has_gone_is_said(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Seat(tmp_path / "gone", "port-8000").take()


def test_a_forked_child_has_not_its_parents_seat_nor_keeps_it_from_the_next(seat: Seat, tmp_path: Path) -> None:
    assert seat.take()
    held, hold = os.pipe()
    tried, say = os.pipe()

    def child() -> None:
        os.close(hold)
        seat.forget()
        assert not seat.take()
        os.write(say, b"!")
        os.read(held, 1)

    with forked(child) as pid:
        os.close(say)
        assert os.read(tried, 1) == b"!"
        seat.leave()
        other = Seat(tmp_path, "port-8000")
        assert other.take()
        other.leave()
        os.close(hold)
        assert ended(pid) == 0
    os.close(held)
    os.close(tried)


def test_of_many_who_want_it_at_once_one_has_it(tmp_path: Path) -> None:
    said, say = os.pipe()
    gate, hold = os.pipe()

    def want() -> None:
        os.close(hold)
        os.write(say, b"1" if Seat(tmp_path, "port-8000").take() else b"0")
        os.read(gate, 1)

    with forked(want) as a, forked(want) as b, forked(want) as c, forked(want) as d:
        os.close(say)
        with os.fdopen(said, "rb", buffering=0) as pipe:
            answers = b""
            while len(answers) < 4:
                answers += pipe.read(4)
        os.close(hold)
        os.close(gate)
        assert [ended(pid) for pid in (a, b, c, d)] == [0, 0, 0, 0]
    assert sorted(answers) == sorted(b"0001")


def test_the_seat_of_a_killed_process_is_taken_by_who_tries_every_second(
    tmp_path: Path, record_property: pytest.FixtureRequest
) -> None:
    ready, say = os.pipe()

    def serve() -> None:
        assert Seat(tmp_path, "port-8000").take()
        os.write(say, b"!")
        signal.pause()

    taken: list[float] = []
    tries: list[int] = []
    seat = Seat(tmp_path, "port-8000")

    def tick() -> None:
        tries.append(1)
        if seat.take() and not taken:
            taken.append(time.monotonic())

    ticker = Ticker(tick)
    with forked(serve) as pid:
        assert os.read(ready, 1) == b"!"
        ticker.start()
        assert not seat.take()
        os.kill(pid, signal.SIGKILL)
        killed = time.monotonic()
        assert ended(pid) == -signal.SIGKILL
        before = len(tries)
        wait_until(lambda: taken, what="the seat")
        # One may have been on its way. Counted and not timed, as a busy machine makes a second longer.
        assert len(tries) - before <= 2
        assert ticker._seconds == 1
    ticker.stop()
    seat.leave()
    os.close(ready)
    os.close(say)
    record_property("seconds", taken[0] - killed)  # type: ignore[operator]


def _threads() -> int:
    return sum(thread.name == "otel-distro-watch" for thread in threading.enumerate())


def test_what_a_tick_raises_ends_nothing() -> None:
    ticks = []

    def tick() -> None:
        ticks.append(1)
        raise ValueError("a fault")

    ticker = Ticker(tick, 0.001)
    ticker.start()
    wait_until(lambda: len(ticks) > 5, 10)
    ticker.stop()


def test_starting_again_and_again_makes_one_thread_and_stopping_leaves_none() -> None:
    wait_until(lambda: _threads() == 0, 10, what="the end of the threads of other tests")
    ticker = Ticker(lambda: None, 0.001)
    for _ in range(20):
        ticker.start()
    assert _threads() == 1
    ticker.stop()
    wait_until(lambda: _threads() == 0, 10)


def test_a_ticker_that_is_started_right_after_its_stop_runs() -> None:
    ticks: list[int] = []
    ticker = Ticker(lambda: ticks.append(1), 0.01)
    ticker.stop()
    ticker.start()
    ticker.stop()
    ticker.start()
    wait_until(lambda: len(ticks) > 2, 10)
    ticker.stop()


def test_a_forked_child_starts_its_own_thread() -> None:
    ticks: list[int] = []
    ticker = Ticker(lambda: ticks.append(os.getpid()), 0.01)
    ticker.start()

    def child() -> None:
        ticks.clear()
        ticker.start()
        wait_until(lambda: os.getpid() in ticks, 10)

    in_child(child)
    ticker.stop()


def test_a_seat_that_only_its_parents_user_may_take_is_not_a_childs(tmp_path: Path) -> None:
    """Where root does not run the tests, the file is made unreadable instead of the child another user."""
    folder = tmp_path / "group"
    folder.mkdir(mode=0o700)
    seat = Seat(folder, "port-8000")
    assert seat.take()
    seat.leave()

    def child() -> None:
        seat.forget()
        folder.chmod(0o000 if os.getuid() else 0o700)
        os.setuid(os.getuid() or 65534)
        assert not seat.take()
        with pytest.raises(PermissionError):
            Seat(folder, "port-8000").take()

    in_child(child)
    folder.chmod(0o700)
    assert seat.take()
    seat.leave()

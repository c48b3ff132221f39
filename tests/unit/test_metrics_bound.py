"""Bound series: what each measurement does with good and bad values."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from threading import Thread
from typing import Any

import pytest

from otel_distro.metrics.bound import BoundCounter, BoundGauge, BoundHistogram
from otel_distro.metrics.rejected import LARGEST
from tests.interruptions import points
from tests.meters import reading


class _Recorder:
    """Stands for an OpenTelemetry instrument and keeps what it is given."""

    def __init__(self) -> None:
        self.given: list[tuple[float, dict[str, str]]] = []

    def __call__(self, amount: float, /, attributes: dict[str, str]) -> None:
        self.given.append((amount, attributes))

    @property
    def amounts(self) -> list[float]:
        return [amount for amount, _ in self.given]


def test_each_measurement_carries_the_bound_attributes() -> None:
    recorder = _Recorder()
    attributes = {"plan": "pro"}
    BoundCounter("b_counter_total", recorder, attributes).inc(Decimal("1.5"))
    BoundGauge("b_gauge", recorder, attributes).set(-2)
    BoundHistogram("b_histogram", recorder, attributes).observe(0)
    assert recorder.given == [(1.5, attributes), (-2, attributes), (0, attributes)]


Call = Callable[[str, _Recorder], None]
REFUSED: list[tuple[str, Call]] = [
    ("negative counter", lambda name, recorder: BoundCounter(name, recorder, {}).inc(-1)),
    ("counter of text", lambda name, recorder: BoundCounter(name, recorder, {}).inc("1")),  # type: ignore[arg-type]
    ("counter of nothing", lambda name, recorder: BoundCounter(name, recorder, {}).inc(None)),  # type: ignore[arg-type]
    ("negative histogram", lambda name, recorder: BoundHistogram(name, recorder, {}).observe(-0.1)),
    ("infinite histogram", lambda name, recorder: BoundHistogram(name, recorder, {}).observe(math.inf)),
    ("gauge that is not a number", lambda name, recorder: BoundGauge(name, recorder, {}).set(math.nan)),
    ("gauge below its minimum", lambda name, recorder: BoundGauge(name, recorder, {}, 0).set(-1)),
    ("gauge lowered below its minimum", lambda name, recorder: BoundGauge(name, recorder, {}, 0).dec()),
    ("gauge raised by text", lambda name, recorder: BoundGauge(name, recorder, {}).inc("1")),  # type: ignore[arg-type]
    ("gauge lowered by nothing", lambda name, recorder: BoundGauge(name, recorder, {}).dec(None)),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("what", "call"), REFUSED, ids=[row[0] for row in REFUSED])
def test_a_value_that_cannot_be_taken_is_counted_and_not_recorded(
    what: str, call: Call, caplog: pytest.LogCaptureFixture
) -> None:
    recorder, name = _Recorder(), "b_" + what.replace(" ", "_")
    with reading() as got:
        call(name, recorder)
        call(name, recorder)
    assert recorder.given == []
    assert got.value("otel_distro_rejected", instrument=name) == 2
    assert len(caplog.records) == 1


def test_a_gauge_goes_up_and_down_from_the_value_it_was_set_to() -> None:
    recorder = _Recorder()
    gauge = BoundGauge("b_depth", recorder, {})
    gauge.inc()
    gauge.set(10)
    gauge.inc(2.5)
    gauge.dec(Decimal("0.5"))
    gauge.inc(-20)
    gauge.set(True)
    assert recorder.amounts == [1, 10, 12.5, 12.0, -8.0, 1]


def test_a_gauge_that_would_overflow_keeps_its_value() -> None:
    recorder = _Recorder()
    gauge = BoundGauge("b_overflow", recorder, {})
    gauge.set(LARGEST)
    gauge.inc(LARGEST)
    gauge.inc(-LARGEST)
    assert recorder.amounts == [LARGEST, 0]


@pytest.fixture
def hasty_threads() -> Iterator[None]:
    """Let threads take turns as often as the interpreter can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def test_a_gauge_loses_no_step_among_threads(hasty_threads: None) -> None:
    recorder = _Recorder()
    gauge = BoundGauge("b_threads", recorder, {})

    def run() -> None:
        for _ in range(2000):
            gauge.inc(3)
            gauge.dec(2)

    threads = [Thread(target=run) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert recorder.amounts[-1] == 12_000


def test_a_gauge_may_be_measured_in_the_midst_of_its_own_measurement() -> None:
    seen: list[float] = []

    def set_(amount: float, /, attributes: dict[str, str]) -> None:
        seen.append(amount)
        if len(seen) == 1:
            gauge.inc()

    gauge = BoundGauge("b_reentrant", set_, {})
    gauge.set(5)
    assert seen == [5, 6, 6]


def test_a_gauge_loses_no_step_that_comes_in_the_midst_of_another() -> None:
    recorders: list[_Recorder] = []

    def prepare() -> tuple[Callable[[], object], Callable[[], object]]:
        recorders.append(_Recorder())
        gauge = BoundGauge("b_midst", recorders[-1], {})
        gauge.set(10)
        return lambda: gauge.inc(2), lambda: gauge.inc(3)

    for at in points(prepare):
        assert recorders[-1].amounts[-1] == 15, at


def test_a_forked_process_counts_a_gauge_from_zero_though_a_thread_held_its_lock() -> None:
    recorder = _Recorder()
    read_end, write_end = os.pipe()

    def raise_by_two() -> None:
        gauge.inc(2)
        os.write(write_end, str(recorder.amounts[-1]).encode())

    def set_(amount: float, /, attributes: dict[str, str]) -> None:
        recorder(amount, attributes=attributes)
        if amount == 5:  # here this thread holds the gauge's lock, and in the child a thread is to take it
            fork_and(raise_by_two)

    gauge = BoundGauge("b_fork", set_, {})
    gauge.set(5)
    os.close(write_end)
    with os.fdopen(read_end, "rb") as pipe:
        assert pipe.read() == b"2"
    gauge.inc()
    assert recorder.amounts[-1] == 6


def fork_and(work: Callable[[], None]) -> None:
    """Do the work in a thread of a forked process, and wait at most 20 seconds for it."""
    pid = os.fork()
    if pid == 0:
        thread = Thread(target=work, daemon=True)
        thread.start()
        thread.join(20)
        os._exit(0)
    os.waitpid(pid, 0)


def test_a_histogram_times_a_block_also_when_it_raises() -> None:
    recorder = _Recorder()
    histogram = BoundHistogram("b_time_seconds", recorder, {"kind": "x"})
    with pytest.raises(KeyError), histogram.time():
        raise KeyError
    ((seconds, attributes),) = recorder.given
    assert seconds >= 0
    assert attributes == {"kind": "x"}


def test_any_object_in_any_measurement_never_raises() -> None:
    recorder = _Recorder()
    values: list[Any] = [None, "x", object(), [], 10**400, Decimal("sNaN"), 1j, b""]
    for value in values:
        BoundCounter("b_never_total", recorder, {}).inc(value)
        BoundGauge("b_never", recorder, {}).set(value)
        BoundHistogram("b_never_seconds", recorder, {}).observe(value)
    assert recorder.given == []

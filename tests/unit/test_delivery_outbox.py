"""A bounded queue and who empties it: whatever happens, what was put is sent, dropped and counted, or still there."""

from __future__ import annotations

import os
import threading
from time import monotonic
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_ON

from otel_distro.delivery.outbox import REQUEST_LIMIT, WAITING_LIMIT, Batching, LogOutbox, Outbox, SpanOutbox
from otel_distro.delivery.sender import Sender
from tests.support import wait_until


class Result:
    def __init__(self, name: str) -> None:
        self.name = name


class Exporter:
    """Keeps what it is given; `gate` holds it, `failing` lets it fail."""

    def __init__(self) -> None:
        self.batches: list[list[Any]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.failing = False
        self.ended = self.entered = False

    def export(self, batch: list[Any]) -> Result:
        self.entered = True
        self.gate.wait(20)
        if self.failing:
            return Result("FAILURE")
        self.batches.append(list(batch))
        return Result("SUCCESS")

    def shutdown(self) -> None:
        self.ended = True

    @property
    def items(self) -> list[Any]:
        return [item for batch in self.batches for item in batch]


def outbox_of(
    exporter: Exporter,
    delay: float = 600,
    batch: int = 3,
    capacity: int = 5,
    size: int = 0,
    limit: float = 60,
    small: type | None = None,
) -> Outbox:
    batching = Batching(delay, batch, capacity)
    return Outbox("test", Sender("logs", exporter), batching, lambda _: size, limit, small=small)


def test_what_waits_is_sent_in_batches_in_its_order() -> None:
    exporter = Exporter()
    outbox = outbox_of(exporter, capacity=100)
    exporter.gate.clear()
    for number in range(10):
        outbox.put(number)
    exporter.gate.set()
    assert outbox.flush(10)
    assert exporter.items == list(range(10))
    assert max(map(len, exporter.batches)) == 3
    outbox.end()


def test_a_timer_sends_what_is_less_than_a_batch() -> None:
    exporter = Exporter()
    outbox = outbox_of(exporter, delay=0.01)
    outbox.put(1)
    while not exporter.items:
        threading.Event().wait(0.01)
    outbox.end()


def test_a_batch_that_is_full_waits_for_no_timer() -> None:
    exporter = Exporter()
    outbox = outbox_of(exporter)
    for number in range(3):
        outbox.put(number)
    wait_until(lambda: exporter.items == [0, 1, 2], 60, what="a full batch")
    outbox.end()


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 6), st.integers(1, 8), st.integers(1, 3), st.integers(1, 300), st.booleans())
def test_each_item_is_sent_or_counted(batch: int, capacity: int, threads: int, number: int, failing: bool) -> None:
    exporter = Exporter()
    exporter.failing = failing
    outbox = outbox_of(exporter, batch=batch, capacity=capacity)
    before = outbox.ledger.dropped

    def put() -> None:
        for item in range(number):
            outbox.put(item)

    workers = [threading.Thread(target=put) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    outbox.end()
    outbox.put("too late")
    assert len(exporter.items) + outbox.ledger.dropped - before == threads * number + 1
    assert not (failing and exporter.items)


def test_a_full_queue_drops_its_oldest_and_never_waits() -> None:
    exporter = Exporter()
    exporter.gate.clear()
    outbox = outbox_of(exporter, batch=2, capacity=4)
    for number in range(100):
        outbox.put(number)
    exporter.gate.set()
    outbox.flush(10)
    assert exporter.items[-1] == 99
    assert len(exporter.items) == 100 - outbox.ledger.dropped <= 8
    outbox.end()


def test_long_items_have_so_much_room_together_and_the_oldest_goes() -> None:
    exporter = Exporter()
    exporter.gate.clear()
    outbox = outbox_of(exporter, batch=50, capacity=100, size=WAITING_LIMIT // 2, small=int)
    outbox.put("0")
    wait_until(lambda: exporter.entered, what="its way to the exporter")
    for number in range(1, 10):
        outbox.put(str(number))
        assert len(outbox._queue) <= 2
    exporter.gate.set()
    assert outbox.flush(60)
    assert exporter.items == ["0", "8", "9"]
    assert (outbox.ledger.dropped, outbox._bytes) == (7, 0)
    outbox.end()


def test_small_items_are_as_many_as_the_user_lets_wait() -> None:
    exporter = Exporter()
    exporter.gate.clear()
    outbox = outbox_of(exporter, batch=50, capacity=100, size=WAITING_LIMIT, small=int)
    for number in range(100):
        outbox.put(number)
    assert outbox.ledger.dropped == 0
    exporter.gate.set()
    assert outbox.flush(60)
    assert exporter.items == list(range(100))
    outbox.end()


def test_long_items_do_not_wait_for_a_batch() -> None:
    exporter = Exporter()
    outbox = outbox_of(exporter, batch=50, capacity=100, size=REQUEST_LIMIT + 1, small=int)
    outbox.put("long")
    wait_until(lambda: exporter.items == ["long"], what="the long one")
    outbox.end()


def test_an_exporter_that_hangs_does_not_hold_the_end_and_its_batch_is_counted_once() -> None:
    exporter = Exporter()
    exporter.gate.clear()
    outbox = outbox_of(exporter, limit=0.2)
    for number in range(5):
        outbox.put(number)
    outbox.end()
    assert exporter.ended
    assert outbox.ledger.dropped == 5
    exporter.gate.set()
    outbox._worker.join(10)
    assert outbox.ledger.dropped == 5


def test_an_end_that_the_application_asks_for_says_what_did_not_arrive(caplog: pytest.LogCaptureFixture) -> None:
    exporter = Exporter()
    exporter.failing = True
    outbox = outbox_of(exporter)
    for number in range(2):
        outbox.put(number)
    outbox.end()
    outbox.end()
    told = "logs are shut down: 2 log records not delivered to the exporter (the exporter gave it up)"
    assert caplog.messages == [told]


def test_a_flush_is_over_when_what_was_there_is_sent_though_as_much_has_come_meanwhile() -> None:
    class Busy(Exporter):
        def export(self, batch: list[Any]) -> Result:
            result = super().export(batch)
            for _ in range(0 if stop.is_set() else 3):
                outbox.put("more")
            return result

    stop, exporter = threading.Event(), Busy()
    outbox = outbox_of(exporter, batch=3, capacity=100)
    exporter.gate.clear()
    for number in range(7):
        outbox.put(number)
    exporter.gate.set()
    try:
        assert outbox.flush(60)
        sent = len(exporter.items)
        wait_until(lambda: len(exporter.items) > sent + 10, 60, what="what came meanwhile")
    finally:
        stop.set()
        outbox.end()
    assert outbox.ledger.dropped == 0


def test_after_an_end_that_is_none_it_goes_on() -> None:
    exporter = Exporter()
    outbox = outbox_of(exporter)
    outbox.put(1)
    deadline = monotonic() + 60
    outbox.hurry(deadline)
    outbox.wait(deadline)
    outbox.put(2)
    outbox.end()
    assert exporter.items == [1, 2]


def test_what_is_given_up_takes_no_room_any_more() -> None:
    exporter = Exporter()
    exporter.gate.clear()
    outbox = outbox_of(exporter, batch=50, capacity=100, size=WAITING_LIMIT // 3, small=int)
    outbox.put("0")
    wait_until(lambda: exporter.entered, what="its way to the exporter")
    outbox.put("1")
    outbox.put("2")
    outbox.hurry(monotonic())
    outbox.wait(monotonic())
    assert (outbox.ledger.dropped, outbox._bytes) == (3, 0)
    exporter.gate.set()
    outbox.end()


def test_a_request_does_not_become_larger_than_receivers_take() -> None:
    exporter = Exporter()
    outbox = outbox_of(exporter, batch=100, capacity=100, size=REQUEST_LIMIT // 4)
    for number in range(10):
        outbox.put(number)
    outbox.end()
    assert [len(batch) for batch in exporter.batches] == [4, 4, 2]


def test_an_item_is_made_when_its_turn_comes_and_is_measured_then() -> None:
    exporter = Exporter()
    sizes = {"a": 1, "A": REQUEST_LIMIT - 1}
    outbox = Outbox(
        "test", Sender("logs", exporter), Batching(600, 10, 10), sizes.__getitem__, 60, made_of=lambda x: x.upper()
    )
    for _ in range(3):
        outbox.put("a")
    assert outbox.flush(10)
    assert exporter.batches == [["A"], ["A"], ["A"]]
    outbox.end()


def test_one_item_that_is_too_large_is_sent_alone() -> None:
    exporter = Exporter()
    outbox = outbox_of(exporter, size=REQUEST_LIMIT + 1)
    outbox.put(1)
    outbox.put(2)
    outbox.end()
    assert exporter.batches == [[1], [2]]


def test_a_forked_child_leaves_to_its_parent_what_is_its_parents() -> None:
    exporter = Exporter()
    outbox = outbox_of(exporter)
    outbox.put("parent")
    child = os.fork()
    if child == 0:
        outbox.put("child")
        outbox.end()
        os._exit(0 if exporter.items == ["child"] else 1)
    assert os.waitpid(child, 0)[1] == 0
    outbox.end()
    assert exporter.items == ["parent"]


@pytest.mark.parametrize("sampled", [True, False])
def test_only_sampled_spans_are_sent(sampled: bool) -> None:
    exporter = Exporter()
    provider = TracerProvider(sampler=ALWAYS_ON, shutdown_on_exit=False)
    provider.add_span_processor(SpanOutbox(outbox_of(exporter)))
    span: Any = provider.get_tracer("test").start_span("work")
    if not sampled:
        span._context = type(span.context)(span.context.trace_id, span.context.span_id, False)
    span.end()
    provider.force_flush()
    provider.shutdown()
    assert len(exporter.items) == sampled


@pytest.mark.parametrize("kind", [SpanOutbox, lambda outbox: LogOutbox(outbox, object)], ids=["spans", "logs"])
def test_a_provider_flushes_in_milliseconds_and_ends_what_it_has_sent_by(kind: Any) -> None:
    exporter = Exporter()
    exporter.gate.clear()
    outbox = outbox_of(exporter)
    outbox.put(1)
    processor = kind(outbox)
    assert not processor.force_flush(10)
    exporter.gate.set()
    assert processor.force_flush(60_000)
    processor.shutdown()
    assert (exporter.items, exporter.ended) == ([1], True)

"""What waits to be exported: a bounded queue that no call waits for, and a thread that sends it in batches.

In the place of the SDK's batch processors, which cannot end within a given time, nor say what they have dropped.
"""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor

from otel_distro.delivery.closing import Closing
from otel_distro.delivery.ledger import EXIT, FULL
from otel_distro.delivery.sender import Sender

# A gRPC receiver takes 4 MiB by default; what has so many bytes of JSON has at most about twice as many of OTLP.
REQUEST_LIMIT: Final = 2 * 1000 * 1000
# Of what waits: thousands of long records would take more memory than the application has while no receiver is there.
WAITING_LIMIT: Final = 64 * 1000 * 1000
_SMALL: Final = 4096  # bytes that each item may have, however many the user lets wait


@dataclass(frozen=True)
class Batching:
    """How a queue is sent: every `delay` seconds, in batches of at most so many items, of which `capacity` wait."""

    delay: float
    batch: int
    capacity: int


class Outbox(Closing):
    """Queue of one exporter; thread and fork safe: a forked child begins with an empty one.

    When it is full the oldest goes. `made_of` makes of an item, when its turn comes, what it was put for; called again
    it changes nothing. `size_of` gives the bytes of that, so that a request does not become too large, and `form_of`
    makes of it what the exporter takes. Items of other types than `small`, where one is given, have 64 MB together, or
    4 kB for each that may wait, where that is more.
    """

    def __init__(  # noqa: PLR0913, PLR0917 -- what a queue is and what is in it
        self,
        name: str,
        sender: Sender,
        batching: Batching,
        size_of: Callable[[Any], int],
        limit: float = 3.0,
        form_of: Callable[[Any], Any] | None = None,
        made_of: Callable[[Any], Any] | None = None,
        small: type | None = None,
    ) -> None:
        self._batch = min(batching.batch, batching.capacity)
        self._capacity = batching.capacity
        self._size_of = size_of
        self._form_of = form_of
        self._made_of = made_of
        self._small = small
        self._most_bytes = max(WAITING_LIMIT, _SMALL * batching.capacity)
        self._open(name, sender, batching.delay, limit)

    def _forget(self) -> None:
        self._queue: deque[Any] = deque()
        self._bytes = 0  # of what is in it and not small
        # The batch that is being sent; who takes it out enters what became of it.
        self._flying: deque[list[Any]] = deque()

    def put(self, item: Any) -> None:
        """Have an item sent; never waits."""
        if self._closed:
            self.ledger.drop(EXIT)
            return
        queue = self._queue
        queue.append(item)
        if self._small is not None and type(item) is not self._small:
            self._weigh(item)
            while self._bytes > self._most_bytes and len(queue) > 1:
                self._drop_oldest()
        if len(queue) >= self._batch or self._bytes > REQUEST_LIMIT:
            if len(queue) > self._capacity:
                self._drop_oldest()
            self._worker.ring()

    def _weigh(self, item: Any, times: int = 1) -> None:
        """Count the bytes of what is put into the queue or, `times` -1, taken out of it."""
        if self._small is not None and type(item) is not self._small:
            size = self._size_of(item) * times
            # No other thread of CPython runs between the reading and the writing: see `metrics.streams`.
            self._bytes += size

    def _drop_oldest(self) -> None:
        item = _taken(self._queue)
        if item is not None:
            self._weigh(item, -1)
            self.ledger.drop(FULL)

    def _give_up(self) -> None:
        number = 0
        while (batch := _taken(self._flying)) is not None:
            number += len(batch)
        while (item := _taken(self._queue)) is not None:
            self._weigh(item, -1)
            number += 1
        if number:
            self.sender.explain()
            self.ledger.drop(EXIT, number)

    def _work(self, rung: bool, everything: bool) -> None:
        left = len(self._queue)
        least = self._batch if rung else 1
        while len(self._queue) >= least or (self._queue and self._bytes > REQUEST_LIMIT):
            left -= self._send_next()
            if not everything:
                least = self._batch  # a timer's batch is followed by full ones only
            elif left <= 0:
                return  # a question is about what was there when it came; for what has come since the bell has rung

    def _send_next(self) -> int:
        batch: list[Any] = []
        self._flying.append(batch)
        size, made_of = 0, self._made_of
        while len(batch) < self._batch and (item := _taken(self._queue)) is not None:
            self._weigh(item, -1)
            try:
                if made_of is not None:
                    item = made_of(item)
                size += self._size_of(item)
            except Exception as error:  # noqa: BLE001 -- what an item holds is the application's
                self.sender.spoilt(1, f"{type(error).__name__}: {error}")
                continue
            if batch and size > REQUEST_LIMIT:
                self._queue.appendleft(item)
                self._weigh(item)
                break
            batch.append(item)
        if batch:
            form_of = self._form_of
            attempt = self.sender.send(batch if form_of is None else [form_of(item) for item in batch])
        if _taken(self._flying) is batch and batch:
            self.sender.note(len(batch), attempt)
        return len(batch)


def _taken(queue: deque[Any]) -> Any:
    """Return what is first in a queue, or None: another thread may have been quicker."""
    try:
        return queue.popleft()
    except IndexError:
        return None


class SpanOutbox(SpanProcessor):
    """Hands sampled spans that have ended to an outbox."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        # Has a span sent that is sampled and has ended.
        self.put: Final = outbox.put

    def on_end(self, span: ReadableSpan) -> None:
        """Have the span sent."""
        if span.context is not None and span.context.trace_flags & 1:
            self._outbox.put(span)

    def shutdown(self) -> None:
        """Send what waits, within the limit of the end of a process."""
        self._outbox.end()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Send what waits."""
        return self._outbox.flush(timeout_millis / 1000)


def puts_of(processors: tuple[SpanProcessor, ...]) -> tuple[Callable[[ReadableSpan], None], ...] | None:
    """Return what takes ended, sampled spans where all processors do no more; None where one of them is the user's."""
    boxes = [processor for processor in processors if type(processor) is SpanOutbox]
    return tuple(box.put for box in boxes) if len(boxes) == len(processors) else None


class LogOutbox:
    """A log record processor, as the SDK's provider calls it, that hands records to an outbox.

    `readable` makes the SDK's unchangeable form of a record.
    """

    def __init__(self, outbox: Outbox, readable: Callable[..., Any]) -> None:
        self._outbox = outbox
        self._readable = readable
        # Has a record sent that has not become one of the SDK's.
        self.put_entry: Final = outbox.put

    def on_emit(self, log_record: Any) -> None:
        """Have the record sent."""
        record = copy.copy(log_record.log_record)
        record.context = Context()  # which may hold whatever the application keeps there
        made = self._readable(record, log_record.resource, log_record.instrumentation_scope, log_record.limits)
        self._outbox.put(made)

    def enabled(self, **_: Any) -> bool:
        """Say that every record is wanted."""
        return True

    def shutdown(self) -> None:
        """Send what waits, within the limit of the end of a process."""
        self._outbox.end()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Send what waits."""
        return self._outbox.flush(timeout_millis / 1000)

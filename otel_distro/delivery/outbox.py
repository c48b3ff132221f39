"""What waits to be exported: a bounded queue that no call waits for, and a thread that sends it in batches.

In the place of the SDK's batch processors, which cannot end within a given time, nor say what they have dropped.
"""

from __future__ import annotations

import copy
import os
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor

from otel_distro.delivery.ledger import EXIT, FULL
from otel_distro.delivery.sender import Sender
from otel_distro.delivery.worker import Worker

# A gRPC receiver takes 4 MiB by default; what has so many bytes of JSON has at most about twice as many of OTLP.
REQUEST_LIMIT: Final = 2 * 1000 * 1000
# Seconds; a thread in the middle of a gRPC call must leave it before the interpreter goes.
_LEAVING: Final = 0.05


@dataclass(frozen=True)
class Batching:
    """How a queue is sent: every `delay` seconds, in batches of at most so many items, of which `capacity` wait."""

    delay: float
    batch: int
    capacity: int


class Outbox:
    """Queue of one exporter; thread and fork safe: a forked child begins with an empty one.

    When it is full the oldest goes. `made_of` makes of an item, when its turn comes, what it was put for; called again
    it changes nothing. `size_of` gives the bytes of that, so that a request does not become too large, and `form_of`
    makes of it what the exporter takes.
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
    ) -> None:
        self.sender = sender
        self.ledger = sender.ledger
        self._batch = min(batching.batch, batching.capacity)
        self._capacity = batching.capacity
        self._size_of = size_of
        self._form_of = form_of
        self._made_of = made_of
        self._limit = limit
        self._closed = False
        self._waiter: Any = None
        self._after_fork()
        # Before the worker's own, which begins to work at once.
        os.register_at_fork(after_in_child=self._after_fork)
        self._worker = Worker(name, batching.delay, self._work)

    def _after_fork(self) -> None:
        """Begin with nothing: what the parent has queued, it sends itself."""
        self._queue: deque[Any] = deque()
        # The batch that is being sent; who takes it out enters what became of it.
        self._flying: deque[list[Any]] = deque()
        self.sender.relax()

    def put(self, item: Any) -> None:
        """Have an item sent; never waits."""
        if self._closed:
            self.ledger.drop(EXIT)
            return
        queue = self._queue
        queue.append(item)
        if len(queue) >= self._batch:
            if len(queue) > self._capacity and _taken(queue) is not None:
                self.ledger.drop(FULL)
            self._worker.ring()

    def flush(self, seconds: float) -> bool:
        """Wait until all has been sent or given up, at most so long; say whether that is so."""
        return bool(self._worker.ask().acquire(timeout=max(0.0, seconds)))

    def hurry(self, deadline: float) -> None:
        """Begin to send all, to be done by the deadline (`time.monotonic`)."""
        self.sender.hurry(deadline)
        self._waiter = self._worker.ask()

    def wait(self, deadline: float) -> None:
        """Wait for it, and give up what is not sent by then."""
        if not self._waiter.acquire(timeout=max(0.0, deadline - monotonic())):
            self._give_up()
        self.sender.relax()

    def close(self) -> None:
        """End for good: what comes from now on is dropped."""
        if not self._closed:
            self._closed = True
            self._worker.stop()
            self._give_up()
            self.sender.close()
            self._worker.join(_LEAVING)

    def end(self) -> None:
        """Send what waits, within the limit, and end."""
        if not self._closed:
            deadline = monotonic() + self._limit
            self.hurry(deadline)
            self.wait(deadline)
            self.close()

    def _give_up(self) -> None:
        number = 0
        while (batch := _taken(self._flying)) is not None:
            number += len(batch)
        while _taken(self._queue) is not None:
            number += 1
        if number:
            self.sender.explain()
            self.ledger.drop(EXIT, number)

    def _work(self, rung: bool, everything: bool) -> None:
        left = len(self._queue)
        least = self._batch if rung else 1
        while len(self._queue) >= least:
            left -= self._send_next()
            # A timer's batch is followed by full ones only; a question is about what was there when it came.
            if not everything or left <= 0:
                least = self._batch

    def _send_next(self) -> int:
        batch: list[Any] = []
        self._flying.append(batch)
        size, made_of = 0, self._made_of
        while len(batch) < self._batch and (item := _taken(self._queue)) is not None:
            if made_of is not None:
                item = made_of(item)
            size += self._size_of(item)
            if batch and size > REQUEST_LIMIT:
                self._queue.appendleft(item)
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

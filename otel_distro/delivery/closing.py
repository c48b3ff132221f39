"""The end of what is sent by a thread: begun with a deadline, waited for, and what did not go by then is counted."""

from __future__ import annotations

import logging
import os
from abc import ABC, abstractmethod
from time import monotonic
from typing import Any, Final

from otel_distro.delivery.outages import NOUNS
from otel_distro.delivery.sender import Sender
from otel_distro.delivery.worker import Worker

# Seconds; a thread in the middle of a gRPC call must leave it before the interpreter goes.
_LEAVING: Final = 0.05
_PART: Final = 0.25  # seconds
_logger: Final = logging.getLogger("otel_distro")


class Closing(ABC):
    """A sender with its thread, which can end within a given time; subclasses have the work.

    Thread and fork safe: a forked child has a thread of its own and begins with nothing.
    """

    def _open(self, name: str, sender: Sender, seconds: float, limit: float) -> None:
        """Start the thread, which works every so many seconds; its end may take `limit` seconds."""
        self.sender = sender
        self.ledger = sender.ledger
        self._limit = limit
        self._closed = False
        self._waiter: Any = None
        self._after_fork()
        # Before the worker's own, which begins to work at once.
        os.register_at_fork(after_in_child=self._after_fork)
        self._worker = Worker(name, seconds, self._work)

    def _after_fork(self) -> None:
        """Begin with nothing: what the parent has, it sends itself."""
        self._forget()
        self.sender.relax()

    def hurry(self, deadline: float) -> None:
        """Begin to send all, to be done by the deadline (`time.monotonic`)."""
        if not self._closed:
            self.sender.hurry(deadline)
            self._waiter = self._worker.ask()

    def wait(self, deadline: float) -> None:
        """Wait for it, and give up what is not sent by then."""
        if self._closed:  # by the application's own call: nothing waits, and nobody would answer
            return
        # In parts: a Ctrl-C that another thread is given, or that comes just before, does not end the wait for a lock.
        while not self._waiter.acquire(timeout=max(0.0, min(_PART, deadline - monotonic()))):
            if monotonic() >= deadline:
                self._give_up()
                break
        self.sender.relax()

    def close(self) -> None:
        """End for good: what comes from now on is dropped."""
        if not self._closed:
            self._closed = True
            self._worker.stop()
            self._give_up()
            self.sender.close()
            self._worker.join(_LEAVING)

    def end(self, seconds: float | None = None) -> None:
        """Send what there is and end, within the limit and at most so long, and say what did not arrive by then."""
        if not self._closed:
            ledger, before = self.ledger, self.ledger.dropped
            deadline = monotonic() + (self._limit if seconds is None else min(self._limit, seconds))
            self.hurry(deadline)
            self.wait(deadline)
            self.close()
            if lost := ledger.dropped - before:  # the line at the end of the process knows nothing of it
                where, why = ledger.endpoint or "the exporter", ledger.why or "no answer in time"
                told = (ledger.signal, lost, NOUNS[ledger.signal], where, why)
                _logger.warning("%s are shut down: %d %s not delivered to %s (%s)", *told)

    def flush(self, seconds: float) -> bool:
        """Wait until all has been sent or given up, at most so long; say whether that is so."""
        return self._closed or bool(self._worker.ask().acquire(timeout=max(0.0, seconds)))

    @abstractmethod
    def _work(self, rung: bool, everything: bool) -> None:
        """Send, as a `Worker` asks for it."""

    @abstractmethod
    def _forget(self) -> None:
        """Have nothing to send: at the beginning, and in a forked child."""

    @abstractmethod
    def _give_up(self) -> None:
        """Count what is not sent as dropped, and forget it."""

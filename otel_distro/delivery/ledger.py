"""What did not arrive, counted by reason; the count is `otel_distro_export_dropped_total`."""

from __future__ import annotations

import os
import threading
from functools import cache
from typing import Any, Final

from otel_distro.delivery.outages import Outages
from otel_distro.metrics.instruments import distro_meter

FULL: Final = "queue_full"
FAILED: Final = "failed"
REJECTED: Final = "rejected"
EXIT: Final = "exit"
REASONS: Final = (FULL, FAILED, REJECTED, EXIT)


class Ledger:
    """Counts what one exporter did not deliver, and has its outages told.

    Thread safe, `drop` also within a signal's handler. A forked child begins at zero.
    """

    def __init__(self, signal: str, endpoint: str, outages: Outages | None = None) -> None:
        self.signal = signal
        self.endpoint = endpoint
        self.why = ""
        self._outages = outages or _outages()
        self._dropped = dict.fromkeys(REASONS, 0)
        self._published = dict.fromkeys(REASONS, 0)
        self._publishing = threading.Lock()
        self._full_before = 0
        self._counter: Any = distro_meter().create_counter(
            "otel_distro_export_dropped", "{item}", "Spans, log records and metric points that no receiver has got."
        )
        os.register_at_fork(after_in_child=self._after_fork)

    def show(self) -> None:
        """Have every reason on the page with zero: a series that is there shows its first increase."""
        for reason in REASONS:
            self._counter.add(0, self._labels(reason))

    @property
    def dropped(self) -> int:
        """How many items did not arrive so far."""
        return sum(self._dropped.values())

    def drop(self, reason: str, number: int = 1) -> None:
        """Count what is dropped."""
        # No other thread of CPython runs between the reading and the writing: see `metrics.streams`.
        self._dropped[reason] += number
        self._publish()

    def failed(self, number: int, why: str, *, reachable: bool, told: bool = True) -> None:
        """Count a batch that was given up."""
        before = self.dropped
        self.why = why
        self.drop(FAILED, number)
        if told:
            self._outages.began(self, before, why, reachable=reachable)

    def arrived(self, rejected: int = 0, why: str = "") -> None:
        """Note that a batch was taken, but for some of its items."""
        full, before = self._dropped[FULL] - self._full_before, self.dropped
        self._full_before += full
        if rejected:
            self.why = f"partial success: {why or 'no reason given'}"
            self.drop(REJECTED, rejected)
            self._outages.began(self, before, self.why[:200], reachable=True)
        elif not full:
            self._outages.ended(self)
        elif not self._outages.lasts(self):  # else the queue was full because of what has been told
            self._outages.began(self, before - full, "slower than they are made", reachable=False)
        self._publish()

    def _publish(self) -> None:
        # Not waited for: the thread that holds it may be the very one that a signal's handler interrupts.
        if not self._publishing.acquire(blocking=False):
            return
        try:
            for reason, now in self._dropped.items():
                if now != self._published[reason]:
                    self._counter.add(now - self._published[reason], self._labels(reason))
                    self._published[reason] = now
        finally:
            self._publishing.release()

    def _labels(self, reason: str) -> dict[str, str]:
        return {"signal": self.signal, "reason": reason}

    def _after_fork(self) -> None:
        self._publishing = threading.Lock()
        self._published = dict(self._dropped)


@cache
def _outages() -> Outages:
    return Outages()

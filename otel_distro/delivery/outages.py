"""Which endpoints do not take what they are sent: one warning when that begins, one line when it is over."""

from __future__ import annotations

import logging
import os
import threading
from time import monotonic
from typing import Final, Protocol

_logger: Final = logging.getLogger("otel_distro")
NOUNS: Final = {"traces": "spans", "logs": "log records", "metrics": "metric points"}


class Sending(Protocol):
    """What sends one signal to one endpoint."""

    signal: str
    endpoint: str

    @property
    def dropped(self) -> int:
        """How many items did not arrive so far."""


class Outages:
    """The outages of this process; for the threads that export. A forked child begins without any."""

    def __init__(self) -> None:
        self._after_fork()
        os.register_at_fork(after_in_child=self._after_fork)

    def _after_fork(self) -> None:
        self._known: dict[str, _Outage] = {}
        self._lock = threading.Lock()  # never held while anything is logged

    def began(self, sending: Sending, dropped: int, why: str, *, reachable: bool) -> None:
        """Note a failure, `dropped` being what was lost before it.

        An endpoint that nobody reaches is down for all signals, which is said once; one that answers may refuse one
        signal and take the others, which is said of each.
        """
        cause = sending.signal if reachable else ""
        with self._lock:
            outage = self._known.setdefault(sending.endpoint, _Outage())
            told = cause in outage.causes
            outage.causes.add(cause)
            outage.waiting.add(sending)
            outage.dropped.setdefault(sending, dropped)
        if not told:
            _logger.warning(
                "%s does not take %s (%s): what does not fit into the queue or is given up is dropped, and counted in "
                "otel_distro_export_dropped_total. The application goes on",
                sending.endpoint or "the exporter",
                NOUNS[sending.signal],
                why,
            )

    def lasts(self, sending: Sending) -> bool:
        """Say whether an endpoint has not taken a signal since its outage began."""
        outage = self._known.get(sending.endpoint)
        return outage is not None and sending in outage.waiting

    def ended(self, sending: Sending) -> None:
        """Note that an endpoint took a signal; the outage is over when it has taken all that it did not take before."""
        if sending.endpoint not in self._known:
            return
        with self._lock:
            outage = self._known.get(sending.endpoint)
            if outage is None:
                return
            outage.waiting.discard(sending)
            if outage.waiting:
                return
            del self._known[sending.endpoint]
        lost = [(each.dropped - before, NOUNS[each.signal]) for each, before in outage.dropped.items()]
        _logger.warning(
            "%s takes %s again after %.0f s; dropped meanwhile: %s",
            sending.endpoint or "the exporter",
            " and ".join(noun for _, noun in lost),
            monotonic() - outage.since,
            ", ".join(f"{number} {noun}" for number, noun in lost if number) or "nothing",
        )


class _Outage:
    def __init__(self) -> None:
        self.since = monotonic()
        self.causes: set[str] = set()
        self.waiting: set[Sending] = set()
        self.dropped: dict[Sending, int] = {}

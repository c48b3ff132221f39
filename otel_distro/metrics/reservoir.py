"""Exemplars for the SDK's readers at the cost of keeping one tuple; they are made when a reader collects.

Both keep what the SDK's reservoirs of the same purpose keep, without their locks and without an object a measurement.
Thread-safe: a slot is one assignment, and collecting takes the whole mapping away. What is kept of a span are its ids:
the span itself would stay in memory up to the next collection.
"""

from __future__ import annotations

from abc import abstractmethod
from bisect import bisect_left
from collections.abc import Sequence
from random import random
from time import time_ns
from typing import Any, TypeAlias

from opentelemetry import trace
from opentelemetry.sdk.metrics import Exemplar, ExemplarReservoir
from opentelemetry.trace import SpanContext

from otel_distro.metrics.series import Offer

# value, time in nanoseconds, attributes, the span's ids
_Kept: TypeAlias = tuple[Any, int, Any, "SpanContext | None"]


class LeanReservoir(ExemplarReservoir):
    """What both kinds share; `keep` is the short way for one who knows the span's ids already."""

    def __init__(self, **_: Any) -> None:
        self._slots: dict[int, _Kept] = {}

    @abstractmethod
    def keep(self, value: Any, time_unix_nano: int, attributes: Any, span_context: SpanContext | None) -> None:
        """Keep a measurement, or not."""

    def offer(self, value: float, time_unix_nano: int, attributes: Any, context: Any) -> None:
        """Keep a measurement with the span of its context, as the SDK offers it."""
        span = trace.get_current_span(context)
        found = None if span == trace.INVALID_SPAN else span.get_span_context()
        self.keep(value, time_unix_nano, attributes, found)

    def collect(self, point_attributes: Any) -> list[Exemplar]:
        """Return the exemplars of all slots, in order, and begin anew."""
        slots, self._slots = self._slots, {}
        return [_exemplar(slots[number], point_attributes) for number in sorted(slots)]


class LastOfEachBucket(LeanReservoir):
    """Keeps the last measurement of each bucket of a histogram."""

    def __init__(self, boundaries: Sequence[float], **_: Any) -> None:
        super().__init__()
        self._boundaries = tuple(boundaries)

    def keep(self, value: Any, time_unix_nano: int, attributes: Any, span_context: SpanContext | None) -> None:
        """Keep a measurement in the place of the last one of its bucket."""
        self._slots[bisect_left(self._boundaries, value)] = (value, time_unix_nano, attributes, span_context)

    def keeping(self, attributes: Any) -> Offer:
        """Return what keeps a measurement of these attributes as one of now, in one call."""
        boundaries = self._boundaries

        def keep_now(amount: Any, _attributes: Any, _context: Any, span_context: SpanContext | None) -> None:
            self._slots[bisect_left(boundaries, amount)] = (amount, time_ns(), attributes, span_context)

        return keep_now


class DrawnByLot(LeanReservoir):
    """Keeps `size` measurements of a period, each with the same chance."""

    def __init__(self, size: int = 1, **_: Any) -> None:
        super().__init__()
        self._size = size
        self._seen = 0

    def keep(self, value: Any, time_unix_nano: int, attributes: Any, span_context: SpanContext | None) -> None:
        """Keep a measurement if the lot falls on it."""
        seen = self._seen
        self._seen = seen + 1
        slot = seen if seen < self._size else int(random() * (seen + 1))  # noqa: S311 -- a sample, no secret
        if slot < self._size:
            self._slots[slot] = (value, time_unix_nano, attributes, span_context)

    def collect(self, point_attributes: Any) -> list[Exemplar]:
        """Return the exemplars of the period, and begin the next."""
        self._seen = 0
        return super().collect(point_attributes)


def _exemplar(kept: _Kept, point_attributes: Any) -> Exemplar:
    value, time, attributes, span_context = kept
    left_out = {key: one for key, one in attributes.items() if key not in point_attributes} if attributes else None
    if span_context is None:
        return Exemplar(left_out, value, time, None, None)
    return Exemplar(left_out, value, time, span_context.span_id, span_context.trace_id)

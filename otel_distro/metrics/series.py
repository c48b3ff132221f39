"""One series of the page: its cells, written by whoever measures."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic, time
from typing import Any, Final, TypeAlias

from opentelemetry import trace

from otel_distro.metrics import streams
from otel_distro.metrics.families import Labels
from otel_distro.metrics.shared import Cells
from otel_distro.metrics.store import CellStore
from otel_distro.metrics.streams import Stream, Write

# amount, attributes, context, span context
Offer: TypeAlias = Callable[[Any, Any, Any, Any], None]

GREATEST: Final = 1.7976931348623157e308


class SharedSeries:
    """One series in cells; stands where the SDK has an aggregation. Thread-safe."""

    __slots__ = ("_exemplars", "_labels", "_observed", "_store", "_words", "cells", "due", "stream", "write")

    def __init__(self, stream: Stream, labels: Labels, store: CellStore) -> None:
        self.stream = stream
        self.cells: Cells = store.cells(stream, labels)
        self.write: Write = streams.writer(stream, self.cells)
        # From when on another exemplar of each bucket is taken, by the monotonic clock.
        self.due = [0.0] * stream.buckets
        self._labels = labels
        self._store = store
        self._observed: int | float | None = None
        self._exemplars: Cells | None = None
        self._words: Any = None

    def aggregate(self, measurement: Any, should_sample_exemplar: bool = True) -> None:
        """Write one measurement of any numeric type; what no double can hold is left out.

        An observation waits for the end of its round, as several callbacks may have parts of one sum.
        """
        amount = measurement.value
        try:
            amount = amount if type(amount) in (int, float) else float(amount)
            if not -GREATEST <= amount <= GREATEST:
                return
        except (OverflowError, TypeError, ValueError):
            return
        kind = self.stream.kind
        if kind in streams.OBSERVED:
            before = self._observed
            self._observed = amount if before is None or kind == streams.OBSERVED_GAUGE else before + amount
            return
        self.write(amount)
        if should_sample_exemplar:
            span_context = trace.get_current_span(measurement.context).get_span_context()
            if span_context.is_valid:
                self.offer(amount, None, None, span_context)

    def end_round(self) -> None:
        """Show what the callbacks of this round observed; a series that none observed is shown no more."""
        observed, self._observed = self._observed, None
        if observed is None:
            self.cells[1] = 0
        elif -GREATEST <= observed <= GREATEST:
            self.write(observed)

    def offer(self, amount: Any, _attributes: Any, _context: Any, span_context: Any) -> None:
        """Keep the measurement as the exemplar of its bucket, at most one a second; the cells for it are made late."""
        bucket = streams.bucket_of(self.stream, amount)
        if self.due[bucket] > monotonic():
            return
        slots = self._exemplars
        if slots is None:
            slots = self._store.exemplar_cells(self.stream, self._labels)
            self._words = slots.cast("B").cast("Q")
            self._exemplars = slots
        slot, words = streams.EXEMPLAR_CELLS * bucket, self._words
        trace_id, span_id = span_context.trace_id, span_context.span_id
        self.due[bucket], now = monotonic() + 1, time()
        # No call from here on, so no other thread in between. No time, no exemplar: who reads meanwhile sees none.
        slots[slot + 1] = 0
        slots[slot] = amount
        words[slot + 2] = trace_id >> 64
        words[slot + 3] = trace_id & 0xFFFF_FFFF_FFFF_FFFF
        words[slot + 4] = span_id
        slots[slot + 1] = now

    def collect(self, *_: Any) -> None:
        """Give the SDK nothing: the page reads the cells."""

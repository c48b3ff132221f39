"""One series of the page: its cells, written by whoever measures."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from time import monotonic, time
from typing import Any, Final, TypeAlias

from opentelemetry import trace

from otel_distro.metrics import streams
from otel_distro.metrics.families import Labels
from otel_distro.metrics.shared import Cells
from otel_distro.metrics.store import CellStore
from otel_distro.metrics.streams import Stream, Write
from otel_distro.metrics.tallies import Tally, is_plain, tally_of

# amount, attributes, context, span context
Offer: TypeAlias = Callable[[Any, Any, Any, Any], None]

GREATEST: Final = 1.7976931348623157e308


def _as_double(amount: Any) -> int | float | None:
    """Return an amount of any numeric type as cells take it; None where no double can hold it."""
    try:
        number: int | float = amount if type(amount) in (int, float) else float(amount)
    except (OverflowError, TypeError, ValueError):
        return None
    return number if -GREATEST <= number <= GREATEST else None


class SharedSeries:
    """One series in cells; stands where the SDK has an aggregation. Thread-safe.

    Further readers of this process follow it by its `tally`.
    """

    __slots__ = (
        *("_exemplars", "_labels", "_observed", "_store", "_words", "_write_cells"),
        *("cells", "due", "stream", "tally", "write"),
    )

    def __init__(self, stream: Stream, labels: Labels, store: CellStore) -> None:
        self.stream = stream
        self.cells: Cells = store.cells(stream, labels)
        self._write_cells: Write = streams.writer(stream, self.cells)
        self.write = self._write_cells
        self.tally: Tally | None = None
        # From when on another exemplar of each bucket is taken, by the monotonic clock.
        self.due = [0.0] * stream.buckets
        self._labels = labels
        self._store = store
        self._observed: int | float | None = None
        self._exemplars: Cells | None = None
        self._words: Any = None

    def aggregate(self, measurement: Any, should_sample_exemplar: bool = True) -> None:
        """Write one measurement of any type, for those who follow as well; what no double can hold stays out of cells.

        An observation waits for the end of its round, as several callbacks may have parts of one sum.
        """
        amount, tally = measurement.value, self.tally
        shown = _as_double(amount)
        if self.stream.kind in streams.OBSERVED:
            self._observe(shown)
            return
        if tally is None or is_plain(amount):
            if shown is not None:
                self.write(shown)
        else:
            tally.take_odd(amount, partial(self._write_cells, shown) if shown is not None else None)
        for follower in tally.followers if tally is not None else ():
            follower._sample_exemplar(measurement, should_sample_exemplar)  # noqa: SLF001 -- what its `aggregate` does
        if should_sample_exemplar and shown is not None:
            span_context = trace.get_current_span(measurement.context).get_span_context()
            if span_context.is_valid:
                self.offer(shown, None, None, span_context)

    def follow(self, aggregation: Any) -> bool:
        """Have an aggregation of the SDK get what is measured from now on; False where this kind cannot be followed.

        For one thread at a time, as `unfollow`.
        """
        if self.tally is None:
            tally = tally_of(self.stream, self.cells)
            if tally is None:
                return False
            write = tally.writer(self._write_cells)
            if self.tally is None:  # else a finalizer or signal handler has had it followed in the midst of this
                self.tally = tally
                self.write = write
        self.tally.follow(aggregation)
        return True

    def unfollow(self, aggregation: Any) -> None:
        """Let an aggregation go, with all that was measured so far."""
        tally = self.tally
        if tally is not None and tally.followers == (aggregation,):
            # Before the end: who meets the ended tally is to find none here.
            self.tally, self.write = None, self._write_cells
            tally.end()
        elif tally is not None:
            tally.unfollow(aggregation)

    def _observe(self, amount: float | None) -> None:
        before = self._observed
        if amount is not None:
            replaced = before is None or self.stream.kind == streams.OBSERVED_GAUGE
            self._observed = amount if replaced or before is None else before + amount

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

"""Where series live: the SDK's storages with our limits, and for the page's reader with cells of our own.

The classes extend private ones of the SDK, which `internals` finds; they are made once it has found them.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Callable
from functools import lru_cache
from time import time, time_ns
from types import SimpleNamespace
from typing import Any, Final, TypeAlias

from opentelemetry.metrics import Asynchronous, Counter, ObservableCounter

from otel_distro.internals import MetricsSdk
from otel_distro.metrics import streams
from otel_distro.metrics.families import Labels, labels_of
from otel_distro.metrics.limits import OVERFLOW, Limits
from otel_distro.metrics.shared import Cells
from otel_distro.metrics.store import CellStore
from otel_distro.metrics.streams import Stream, Write

# amount, attributes, context, span context
Offer: TypeAlias = Callable[[Any, Any, Any, Any], None]

_GREATEST: Final = 1.7976931348623157e308


class SharedSeries:
    """One series in cells; stands where the SDK has an aggregation. Thread-safe."""

    __slots__ = ("_exemplars", "_labels", "_store", "_words", "cells", "seen", "stream", "write")

    def __init__(self, stream: Stream, labels: Labels, store: CellStore) -> None:
        self.stream = stream
        self.cells: Cells = store.cells(stream, labels)
        self.write: Write = streams.writer(stream, self.cells)
        self.seen = False
        self._labels = labels
        self._store = store
        self._exemplars: Cells | None = None
        self._words: Any = None

    def aggregate(self, measurement: Any, should_sample_exemplar: bool = True) -> None:  # noqa: ARG002 -- the SDK's signature
        """Write one measurement of any numeric type; what no double can hold is left out."""
        amount = measurement.value
        try:
            amount = amount if type(amount) in (int, float) else float(amount)
            if -_GREATEST <= amount <= _GREATEST:
                self.write(amount)
                self.seen = True
        except (OverflowError, TypeError, ValueError):
            return

    def offer(self, amount: Any, _attributes: Any, _context: Any, span_context: Any) -> None:
        """Keep the measurement as the exemplar of its bucket, at most one a second; the cells for it are made late."""
        slots = self._exemplars
        if slots is None:
            slots = self._exemplars = self._store.exemplar_cells(self.stream, self._labels)
            self._words = slots.cast("B").cast("Q")
        slot = streams.EXEMPLAR_CELLS * streams.bucket_of(self.stream, amount)
        now = time()
        if now - slots[slot + 1] < 1:
            return
        words = self._words
        # No time, no exemplar: who reads in between sees none.
        slots[slot + 1] = 0
        slots[slot] = amount
        words[slot + 2] = span_context.trace_id >> 64
        words[slot + 3] = span_context.trace_id & 0xFFFF_FFFF_FFFF_FFFF
        words[slot + 4] = span_context.span_id
        slots[slot + 1] = now

    def collect(self, *_: Any) -> None:
        """Give the SDK nothing: the page reads the cells."""


@lru_cache(maxsize=1)
def classes(sdk: MetricsSdk) -> SimpleNamespace:  # noqa: C901 -- a scope for classes whose bases are found at run time
    """Return the storage classes for this SDK."""
    match_base: Any = sdk.match
    storage_base: Any = sdk.storage

    class LimitedMatch(match_base):  # type: ignore[misc]
        """A stream of the SDK with a limited number of series."""

        limits: Limits
        _attributes_aggregation: dict[Any, Any]

        def consume_measurement(self, measurement: Any, should_sample_exemplar: bool = True) -> None:
            attributes = self.fitted(measurement.attributes)
            key = sdk.hash_attributes(attributes)
            series = self._attributes_aggregation.get(key)
            if series is None:
                series = self.make(key, attributes)
            series.aggregate(measurement, should_sample_exemplar)

        def fitted(self, attributes: Any) -> dict[str, Any]:
            fitted = self.limits.fitted(self._name, attributes or {})
            keys = self._view._attribute_keys
            return fitted if keys is None else {key: value for key, value in fitted.items() if key in keys}

        def existing(self, attributes: Any) -> Any:
            return self._attributes_aggregation.get(sdk.hash_attributes(self.fitted(attributes)))

        def make(self, key: Any, attributes: dict[str, Any]) -> Any:
            with self._lock:
                found = self._attributes_aggregation
                if key not in found and len(found) >= self.limits.of(self._name):
                    self.limits.overflowed[self._name] += 1
                    attributes = dict(OVERFLOW)
                    key = sdk.hash_attributes(attributes)
                if key not in found:
                    found[key] = self.new_series(attributes)
                return found[key]

        def new_series(self, attributes: dict[str, Any]) -> Any:
            view = self._view
            aggregation = view._aggregation
            if type(aggregation).__name__ == "DefaultAggregation":
                aggregation = self._instrument_class_aggregation[self._instrument.__class__]
            return aggregation._create_aggregation(
                self._instrument, attributes, view._exemplar_reservoir_factory, time_ns()
            )

        def after_fork(self) -> None:
            self._lock = threading.Lock()
            # Kept, not freed: freeing tens of thousands of series would hold the child up and copy the parent's pages.
            self.__dict__.setdefault("_inherited", []).append(self._attributes_aggregation)
            self._attributes_aggregation = {}

    class SharedMatch(LimitedMatch):
        """A stream whose series are in cells."""

        store: CellStore

        def new_series(self, attributes: dict[str, Any]) -> Any:
            stream = self.stream()
            if stream is None:
                return super().new_series(attributes)
            return SharedSeries(stream, labels_of(attributes), self.store)

        def stream(self) -> Stream | None:
            if "_stream" not in self.__dict__:
                self._stream = _stream_of(sdk, self)
            stream: Stream | None = self._stream
            return stream

    class LimitedStorage(storage_base):  # type: ignore[misc]
        """The SDK's storage for one reader, with our streams."""

        match_class = LimitedMatch

        def __init__(self, stock: Any, limits: Limits, store: CellStore) -> None:
            super().__init__(
                stock._sdk_config, stock._instrument_class_temporality, stock._instrument_class_aggregation
            )
            self.limits = limits
            self.store = store
            self._ready: dict[Any, list[Any]] = {}

        def _get_or_init_view_instrument_match(self, instrument: Any) -> list[Any]:
            ready = self._ready.get(instrument)
            if ready is None:
                with self._lock:
                    ready = super()._get_or_init_view_instrument_match(instrument)
                    for match in ready:
                        # The SDK's own decision by views, with our way of keeping its series.
                        match.__class__ = self.match_class
                        match.limits = self.limits
                        match.store = self.store
                    self._ready[instrument] = ready
            return ready

        def after_fork(self) -> None:
            self._lock = threading.RLock()
            self._ready = dict(self._ready)
            for matches in list(self._instrument_view_instrument_matches.values()):
                for match in matches:
                    if isinstance(match, LimitedMatch):
                        match.after_fork()

    class SharedStorage(LimitedStorage):
        """The page's storage: its series are in cells, so it has nothing to hand out."""

        match_class = SharedMatch

        def collect(self) -> None:
            with self._lock:
                for instrument, matches in list(self._ready.items()):
                    if isinstance(instrument, Asynchronous):
                        for match in matches:
                            _forget_unseen(match)

    return SimpleNamespace(limited=LimitedStorage, shared=SharedStorage)


def _forget_unseen(match: Any) -> None:
    """Mark the observed series that the last round did not have, and begin the next round."""
    for series in list(match._attributes_aggregation.values()):
        if isinstance(series, SharedSeries):
            if not series.seen:
                series.cells[1] = 0
            series.seen = False


def _stream_of(sdk: MetricsSdk, match: Any) -> Stream | None:
    """Return the stream that a match of view and instrument makes; None where its measurements are dropped."""
    instrument, prototype = match._instrument, match._aggregation
    bounds: tuple[float, ...] = ()
    if isinstance(prototype, sdk.sum):
        if isinstance(instrument, Asynchronous):
            kind = streams.OBSERVED_COUNTER if isinstance(instrument, ObservableCounter) else streams.OBSERVED_UP_DOWN
        else:
            # Any other instrument that a view sums up may go down, as the SDK has it.
            kind = streams.COUNTER if isinstance(instrument, Counter) else streams.UP_DOWN
    elif isinstance(prototype, sdk.last_value):
        kind = streams.OBSERVED_GAUGE if isinstance(instrument, Asynchronous) else streams.GAUGE
    elif isinstance(prototype, sdk.explicit):
        kind, bounds = streams.HISTOGRAM, tuple(map(float, prototype._boundaries))
    elif isinstance(prototype, sdk.exponential):
        kind = streams.EXPONENTIAL
    else:
        return None
    scope = instrument.instrumentation_scope
    attributes = tuple(sorted((str(key), str(value)) for key, value in (scope.attributes or {}).items()))
    return Stream(
        match._name,
        kind,
        instrument.unit or "",
        match._description or "",
        bounds,
        (scope.name or "", scope.version or "", scope.schema_url or "", attributes),
    )


def adopt(sdk: MetricsSdk, consumer: Any, page_reader: Any, limits: Limits, store: CellStore) -> None:
    """Put our storages in the place of a consumer's: cells for the page's reader, the SDK's series for others.

    Storages that are ours already stay. The consumer's mapping is replaced, as the SDK itself does it, never changed.
    """
    ours = classes(sdk)
    consumer._reader_storages = {
        reader: storage
        if isinstance(storage, ours.limited)
        else (ours.shared if reader is page_reader else ours.limited)(storage, limits, store)
        for reader, storage in consumer._reader_storages.items()
    }


def after_fork(consumer: Any) -> None:
    """Let a forked child begin at zero, with locks that no thread of the parent holds."""
    consumer._lock = threading.Lock()
    for storage in consumer._reader_storages.values():
        if hasattr(storage, "after_fork"):
            storage.after_fork()
    # Another mapping than before: every remembered series is looked up anew.
    consumer._reader_storages = dict(consumer._reader_storages)


def targets_of(sdk: MetricsSdk, instrument: Any, storages: Any, attributes: Any) -> tuple[Write, Offer | None] | None:
    """Return what writes one measurement of these attributes everywhere, and what offers it as an exemplar.

    None where a series is not there to be found again: it was refused, overflowed, or is of a kind that only the SDK
    can write.
    """
    exemplars = instrument._measurement_consumer._sdk_config.exemplar_filter
    if type(exemplars) not in (sdk.always_off, sdk.trace_based):
        return None
    cleaned = sdk.measurement(0, 0, instrument, None, attributes).attributes
    writes: list[Write] = []
    offers: list[Offer] = []
    for storage in storages.values():
        for match in storage._get_or_init_view_instrument_match(instrument):
            series = _series_of(sdk, match, cleaned)
            if type(series) is sdk.drop:
                continue
            write = series.write if type(series) is SharedSeries else _sdk_write(sdk, series)
            if write is None:
                return None
            writes.append(write)
            offers.append(series.offer if type(series) is SharedSeries else _sdk_offer(series))
    if not writes:
        return None
    offer = None if type(exemplars) is sdk.always_off else _each(offers)
    return (writes[0] if len(writes) == 1 else _each(writes)), offer


def _series_of(sdk: MetricsSdk, match: Any, attributes: Any) -> Any:
    if hasattr(match, "existing"):
        return match.existing(attributes)
    keys = match._view._attribute_keys
    kept = {key: value for key, value in (attributes or {}).items() if keys is None or key in keys}
    return match._attributes_aggregation.get(sdk.hash_attributes(kept))


def _each(functions: list[Any]) -> Any:
    if len(functions) == 1:
        return functions[0]

    def call(*arguments: Any) -> None:
        for function in functions:
            function(*arguments)

    return call


def _sdk_write(sdk: MetricsSdk, series: Any) -> Write | None:
    """Return what does to an aggregation of the SDK what its `aggregate` does, without a measurement object."""
    lock: Any = getattr(series, "_lock", None)
    if type(series) is sdk.sum:

        def add(amount: Any) -> None:
            with lock:
                value = series._value
                series._value = amount if value is None else value + amount

        return add
    if type(series) is sdk.last_value:

        def put(amount: Any) -> None:
            with lock:
                series._value = amount

        return put
    if type(series) is sdk.explicit:
        bounds, minmax = series._boundaries, series._record_min_max

        def record(amount: Any) -> None:
            with lock:
                counts = series._value
                if counts is None:
                    counts = series._value = [0] * (len(bounds) + 1)
                series._sum += amount
                if minmax:
                    series._min = min(series._min, amount)
                    series._max = max(series._max, amount)
                counts[bisect_left(bounds, amount)] += 1

        return record
    return None


def _sdk_offer(series: Any) -> Offer:
    reservoir = series._reservoir

    def offer(amount: Any, attributes: Any, context: Any, _span_context: Any) -> None:
        reservoir.offer(amount, time_ns(), attributes, context)

    return offer

"""Where series live: the SDK's storages with our limits, and for the page's reader with cells of our own.

The classes extend private ones of the SDK, which `internals` finds; they are made once it has found them.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from functools import lru_cache
from time import time_ns
from types import SimpleNamespace
from typing import Any, NamedTuple

from opentelemetry.metrics import Asynchronous, Counter, ObservableCounter
from opentelemetry.sdk.metrics.view import View

from otel_distro.internals import MetricsSdk
from otel_distro.metrics import streams
from otel_distro.metrics.families import labels_of
from otel_distro.metrics.limits import OVERFLOW, Limits, fitted
from otel_distro.metrics.reservoir import DrawnByLot, LastOfEachBucket, LeanReservoir
from otel_distro.metrics.series import Offer, SharedSeries
from otel_distro.metrics.shared import Cells
from otel_distro.metrics.store import CellStore
from otel_distro.metrics.streams import Stream, Write


@lru_cache(maxsize=1)
def classes(sdk: MetricsSdk) -> SimpleNamespace:  # noqa: C901 -- a scope for classes whose bases are found at run time
    """Return the storage classes for this SDK."""
    match_base: Any = sdk.match
    storage_base: Any = sdk.storage
    any_view: Any = View(instrument_name="*")
    stock_reservoirs = any_view._exemplar_reservoir_factory

    def _lean_reservoirs(aggregation: type) -> Any:
        return LastOfEachBucket if issubclass(aggregation, sdk.explicit) else DrawnByLot

    class LimitedMatch(match_base):  # type: ignore[misc]
        """A stream of the SDK with a limited number of series."""

        limits: Limits
        # Of all streams of an instrument those of the page count what is over the limits.
        counts = False
        _attributes_aggregation: dict[Any, Any]

        def consume_measurement(self, measurement: Any, should_sample_exemplar: bool = True) -> None:
            attributes, cut = fitted(self.viewed(measurement.attributes))
            if cut and self.counts:
                self.limits.cut_values[self._name] += cut
            key = sdk.hash_attributes(attributes)
            series = self._attributes_aggregation.get(key)
            if series is None:
                series = self.make(key, attributes)
            series.aggregate(measurement, should_sample_exemplar)

        def viewed(self, attributes: Any) -> dict[str, Any]:
            keys = self._view._attribute_keys
            if keys is None or not attributes:
                return attributes or {}
            return {key: value for key, value in attributes.items() if key in keys}

        def existing(self, attributes: Any) -> Any:
            """Return the series of these attributes; None where each of its measurements has to be counted as over."""
            fitting, cut = fitted(self.viewed(attributes))
            return None if cut else self._attributes_aggregation.get(sdk.hash_attributes(fitting))

        def make(self, key: Any, attributes: dict[str, Any]) -> Any:
            with self._lock:
                found = self._attributes_aggregation
                if key not in found and len(found) >= self.limits.of(self._name):
                    if self.counts:
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
            factory = view._exemplar_reservoir_factory
            if factory is stock_reservoirs:
                factory = _lean_reservoirs
            return aggregation._create_aggregation(self._instrument, attributes, factory, time_ns())

        def after_fork(self) -> None:
            self._lock = threading.Lock()
            # Kept, not freed: freeing tens of thousands of series would hold the child up and copy the parent's pages.
            self.__dict__.setdefault("_inherited", []).append(self._attributes_aggregation)
            self._attributes_aggregation = {}

    class SharedMatch(LimitedMatch):
        """A stream whose series are in cells."""

        counts = True
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
        limits: Limits
        store: CellStore
        _ready: dict[Any, list[Any]]

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
                            _end_round(match)

    return SimpleNamespace(limited=LimitedStorage, shared=SharedStorage)


def _end_round(match: Any) -> None:
    """Show what this round of callbacks has observed, and only that."""
    for series in list(match._attributes_aggregation.values()):
        if isinstance(series, SharedSeries):
            series.end_round()


def _stream_of(sdk: MetricsSdk, match: Any) -> Stream | None:
    """Return the stream that a match of view and instrument makes; None where its measurements are dropped.

    The SDK shows no histogram of what is observed: it would count the same state again at each collection.
    """
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
    elif isinstance(instrument, Asynchronous):
        return None
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
    """Give a consumer's readers our storages: the page's has its series in cells, the others have the SDK's, limited.

    The consumer's mapping is replaced, as the SDK itself does it, never changed. Readers that come later are limited
    as well.
    """
    ours = classes(sdk)
    with consumer._lock:
        storages = dict(consumer._reader_storages)
        stock = storages[page_reader]
        if not isinstance(stock, ours.shared):
            storages[page_reader] = _ours(
                ours.shared(
                    stock._sdk_config, stock._instrument_class_temporality, stock._instrument_class_aggregation
                ),
                limits,
                store,
            )
        consumer._reader_storages = storages
        _limit_all(sdk, consumer, limits, store)
    if "add_metric_reader" not in vars(consumer):
        stock_add = consumer.add_metric_reader

        def add_metric_reader(metric_reader: Any) -> None:
            stock_add(metric_reader)
            _limit_all(sdk, consumer, limits, store)

        consumer.add_metric_reader = add_metric_reader


def _limit_all(sdk: MetricsSdk, consumer: Any, limits: Limits, store: CellStore) -> None:
    """Turn the SDK's storages into limited ones where they are, so that nothing recorded meanwhile is lost."""
    for storage in list(consumer._reader_storages.values()):
        if type(storage) is sdk.storage:
            _ours(storage, limits, store).__class__ = classes(sdk).limited


def _ours(storage: Any, limits: Limits, store: CellStore) -> Any:
    storage.limits = limits
    storage.store = store
    storage._ready = {}
    return storage


def after_fork(consumer: Any) -> None:
    """Let a forked child begin at zero, with locks that no thread of the parent holds."""
    consumer._lock = threading.Lock()
    for storage in consumer._reader_storages.values():
        if hasattr(storage, "after_fork"):
            storage.after_fork()
            storage.limits.after_fork()
    # Another mapping than before: every remembered series is looked up anew.
    consumer._reader_storages = dict(consumer._reader_storages)


class Targets(NamedTuple):
    """Where the measurements of one set of attributes go.

    `cells` are those of the first series that is in cells and adds up, with its `bounds` where it is a histogram: the
    caller writes into them itself, which saves a call. `write` does the rest, `offer` takes exemplars; where `due` is
    given, it takes one of a bucket only from that time on.
    """

    cells: Cells | None
    bounds: tuple[float, ...] | None
    write: Write | None
    offer: Offer | None
    due: list[float] | None


def targets_of(sdk: MetricsSdk, instrument: Any, storages: Any, attributes: Any) -> Targets | None:
    """Return where measurements of these attributes go, for one who measures them again and again.

    None where a series is not there to be found again: it was refused, overflowed, or is of a kind that only the SDK
    can write.
    """
    exemplars = instrument._measurement_consumer._sdk_config.exemplar_filter
    if type(exemplars) not in (sdk.always_off, sdk.trace_based):
        return None
    cleaned = sdk.measurement(0, 0, instrument, None, attributes).attributes
    cells: Cells | None = None
    bounds: tuple[float, ...] | None = None
    due: list[float] | None = None
    writes: list[Write] = []
    offers: list[Offer] = []
    for storage in storages.values():
        for match in storage._get_or_init_view_instrument_match(instrument):
            series = _series_of(sdk, match, cleaned)
            if type(series) is sdk.drop:
                continue
            if type(series) is SharedSeries:
                if cells is None and streams.GIL and series.stream.kind in streams.ADDED:
                    cells = series.cells
                    bounds = series.stream.bounds if series.stream.kind == streams.HISTOGRAM else None
                    due = series.due
                else:
                    writes.append(series.write)
                offers.append(series.offer)
                continue
            write = _sdk_write(sdk, series)
            if write is None:
                return None
            writes.append(write)
            offers.append(_sdk_offer(sdk, series, cleaned))
    offer = _each(offers) if offers and type(exemplars) is sdk.trace_based else None
    return Targets(cells, bounds, _each(writes) if writes else None, offer, due if len(offers) == 1 else None)


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
        return _sdk_histogram(series)
    if type(series) is sdk.exponential:
        # Its buckets grow and shrink by rules of their own: these stay the SDK's.
        return lambda amount: series.aggregate(SimpleNamespace(value=amount), False)
    return None


def _sdk_histogram(series: Any) -> Write:
    lock, bounds, minmax = series._lock, series._boundaries, series._record_min_max

    def record(amount: Any) -> None:
        with lock:
            counts = series._value
            if counts is None:
                counts = series._value = [0] * (len(bounds) + 1)
            series._sum += amount
            if minmax:
                if amount < series._min:  # noqa: PLR1730 -- a call costs more than a comparison
                    series._min = amount
                if amount > series._max:  # noqa: PLR1730 -- the same
                    series._max = amount
            counts[bisect_left(bounds, amount)] += 1

    return record


def _sdk_offer(sdk: MetricsSdk, series: Any, attributes: Any) -> Offer:
    """Return what offers a measurement to an aggregation's reservoir, with the attributes as the SDK cleaned them."""
    reservoir = series._reservoir
    # The SDK leaves out zeros there.
    without_zero = type(series) is sdk.exponential
    if isinstance(reservoir, LeanReservoir) and not without_zero:
        keep = reservoir.keep
        return lambda amount, _attributes, _context, span_context: keep(amount, time_ns(), attributes, span_context)

    def offer(amount: Any, _attributes: Any, context: Any, _span_context: Any) -> None:
        if amount or not without_zero:
            reservoir.offer(amount, time_ns(), attributes, context)

    return offer

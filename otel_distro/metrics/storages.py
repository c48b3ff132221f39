"""Where series live: the SDK's storages with our limits, and for the page's reader with cells of our own.

The classes extend private ones of the SDK, which `internals` finds; they are made once it has found them.
"""

from __future__ import annotations

import threading
from functools import lru_cache
from time import time_ns
from types import SimpleNamespace
from typing import Any

from opentelemetry.metrics import Asynchronous, CallbackOptions
from opentelemetry.sdk.metrics.view import View

from otel_distro.internals import MetricsSdk
from otel_distro.metrics.aggregations import bear_interruptions, take
from otel_distro.metrics.families import labels_of
from otel_distro.metrics.limits import OVERFLOW, Limits, fitted
from otel_distro.metrics.reservoir import DrawnByLot, LastOfEachBucket
from otel_distro.metrics.series import SharedSeries
from otel_distro.metrics.store import CellStore
from otel_distro.metrics.streams import Stream
from otel_distro.metrics.viewed import stream_of


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
        # The page's storage, and by the keys of our series the series of the page that ours follow.
        leading: Any = None
        followed: dict[Any, SharedSeries]
        _attributes_aggregation: dict[Any, Any]

        def consume_measurement(self, measurement: Any, should_sample_exemplar: bool = True) -> None:
            attributes, cut = fitted(self.viewed(measurement.attributes))
            if cut and self.counts:
                self.limits.cut_values[self._name] += cut
            key = sdk.hash_attributes(attributes)
            series = self._attributes_aggregation.get(key)
            if series is None:
                key, series = self.make(key, attributes, measurement.attributes)
            # What follows gets it from the series that it follows.
            if key not in self.followed:
                take(sdk, series, measurement, should_sample_exemplar)

        def viewed(self, attributes: Any) -> dict[str, Any]:
            keys = self._view._attribute_keys
            if keys is None or not attributes:
                return attributes or {}
            return {key: value for key, value in attributes.items() if key in keys}

        def existing(self, attributes: Any) -> tuple[Any, bool]:
            """Return the series of these attributes, and whether it follows another.

            None where each of its measurements has to be counted as over.
            """
            fitting, cut = fitted(self.viewed(attributes))
            key = sdk.hash_attributes(fitting)
            return None if cut else self._attributes_aggregation.get(key), key in self.followed

        def make(self, key: Any, attributes: dict[str, Any], given: Any) -> tuple[Any, Any]:
            with self._lock:
                found = self._attributes_aggregation
                if key not in found and not self.has_room(attributes):
                    if self.counts:
                        self.limits.overflowed[self._name] += 1
                    attributes = dict(OVERFLOW)
                    key = sdk.hash_attributes(attributes)
                if key not in found:
                    # What warns of it, or is collected meanwhile, may have measured the same.
                    found.setdefault(key, self.new_series(key, attributes, given))
                return key, found[key]

        def has_room(self, _attributes: dict[str, Any]) -> bool:
            return len(self._attributes_aggregation) < self.limits.of(self._name)

        def new_series(self, key: Any, attributes: dict[str, Any], given: Any) -> Any:
            view = self._view
            aggregation = view._aggregation
            if type(aggregation).__name__ == "DefaultAggregation":
                aggregation = self._instrument_class_aggregation[self._instrument.__class__]
            factory = view._exemplar_reservoir_factory
            if factory is stock_reservoirs:
                factory = _lean_reservoirs
            series = aggregation._create_aggregation(self._instrument, attributes, factory, time_ns())
            bear_interruptions(sdk, series)
            # What one reader counts as over need not be over in another.
            if type(series) in (sdk.sum, sdk.last_value, sdk.explicit) and attributes != OVERFLOW:
                leader = self.leader()
                if leader is not None:
                    self.leading.prepare(self._instrument, given)
                    shared = leader.led(key, series)
                    if shared is not None:
                        self.followed[key] = shared
            return series

        def leader(self) -> Any:
            """Return the page's stream of the same measurements, added up in the same way; None where there is none."""
            if self.leading is None:
                return None
            for match in self.leading._get_or_init_view_instrument_match(self._instrument):
                if match._view is self._view:
                    stream = match.stream()
                    return match if stream is not None and stream == stream_of(sdk, self) else None
            return None

        def collect(self, *arguments: Any) -> Any:
            for shared in list(self.followed.values()):
                if shared.tally is not None:
                    shared.tally.pour()
            with self._lock:
                # A copy, as a finalizer may make a series in the midst of it.
                points = [series.collect(*arguments) for series in list(self._attributes_aggregation.values())]
            return [point for point in points if point is not None] or None

        def stop_following(self) -> None:
            with self._lock:
                for key in list(self.followed):
                    self.followed.pop(key).unfollow(self._attributes_aggregation[key])

        def after_fork(self) -> None:
            self._lock = threading.RLock()
            # Kept, not freed: freeing tens of thousands of series would hold the child up and copy the parent's pages.
            self.__dict__.setdefault("_inherited", []).append(self._attributes_aggregation)
            self._attributes_aggregation = {}
            self.followed = {}

    class SharedMatch(LimitedMatch):
        """A stream whose series are in cells."""

        counts = True
        store: CellStore

        def new_series(self, key: Any, attributes: dict[str, Any], given: Any) -> Any:
            stream = self.stream()
            if stream is None:
                return super().new_series(key, attributes, given)
            return SharedSeries(stream, labels_of(attributes), self.store)

        def has_room(self, attributes: dict[str, Any]) -> bool:
            stream, limit = self.stream(), self.limits.of(self._name)
            full = stream is not None and self.limits.full.refuses(stream, attributes, limit)
            return not full and len(self._attributes_aggregation) < limit

        def stream(self) -> Stream | None:
            if "_stream" not in self.__dict__:
                self._stream = stream_of(sdk, self)
            stream: Stream | None = self._stream
            return stream

        def prepare(self, given: Any) -> None:
            """Have the series of these attributes before the first measurement, where there is room for it."""
            attributes, _ = fitted(self.viewed(given))
            key = sdk.hash_attributes(attributes)
            with self._lock:
                found = self._attributes_aggregation
                if key not in found and self.has_room(attributes):
                    found.setdefault(key, self.new_series(key, attributes, given))

        def led(self, key: Any, follower: Any) -> SharedSeries | None:
            """Have an aggregation of another reader follow a series; None where there is no such series to follow."""
            with self._lock:
                series: SharedSeries | None = self._attributes_aggregation.get(key)
                return series if series is not None and series.follow(follower) else None

    class LimitedStorage(storage_base):  # type: ignore[misc]
        """The SDK's storage for one reader, with our streams."""

        match_class = LimitedMatch
        limits: Limits
        store: CellStore
        # The page's storage, whose series ours follow.
        leading: Any = None
        _ready: dict[Any, list[Any]]

        def _get_or_init_view_instrument_match(self, instrument: Any) -> list[Any]:
            ready = self._ready.get(instrument)
            if ready is None:
                with self._lock:
                    if instrument in self._ready:
                        return self._ready[instrument]
                    ready = super()._get_or_init_view_instrument_match(instrument)
                    for match in ready:
                        lock, followed = threading.RLock(), {}  # type: ignore[var-annotated]
                        # What came in the midst of this has done it, and measured. From each question on to what
                        # follows of it there is no call, nor, for Python 3.10, a jump.
                        if match.__class__ is not self.match_class:
                            match._lock = lock
                            match.limits = self.limits
                            match.store = self.store
                            match.leading = self.leading
                            match.followed = followed
                            # The SDK's own decision by views, with our way of keeping its series.
                            match.__class__ = self.match_class
                    if instrument not in self._ready:
                        self._ready[instrument] = ready
                    else:
                        ready = self._instrument_view_instrument_matches[instrument] = self._ready[instrument]
            return ready

        def matches(self) -> list[Any]:
            return [match for matches in list(self._ready.values()) for match in matches]

        def lead_by(self, leading: Any) -> None:
            """Follow the series of the page's storage from now on, or, with None, none any more."""
            with self._lock:
                self.leading = leading
                for match in self.matches():
                    match.stop_following()
                    match.leading = leading

        def after_fork(self) -> None:
            self._lock = threading.RLock()
            self._ready = dict(self._ready)
            for instrument in list(self._instrument_view_instrument_matches):
                # What the SDK has counted before it was adopted is the parent's as well.
                self._get_or_init_view_instrument_match(instrument)
            for match in self.matches():
                match.after_fork()

    class SharedStorage(LimitedStorage):
        """The page's storage: its series are in cells, so it has nothing to hand out."""

        match_class = SharedMatch

        def prepare(self, instrument: Any, given: Any) -> None:
            """Have the series of these attributes in all streams, in the order in which measurements make them."""
            for match in self._get_or_init_view_instrument_match(instrument):
                match.prepare(given)

        def observe(self, instrument: Any) -> None:
            """Run the callbacks of one observable instrument, as a round of its own."""
            with self._lock:
                for measurement in instrument.callback(CallbackOptions()):
                    self.consume_measurement(measurement)
                for match in self._ready.get(instrument, ()):
                    _end_round(match)

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

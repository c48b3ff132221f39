"""Writing to the SDK's aggregations without a measurement object: what their `aggregate` does, at less cost."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import deque
from time import time_ns
from types import SimpleNamespace
from typing import Any

from otel_distro.internals import MetricsSdk
from otel_distro.metrics.series import Offer
from otel_distro.metrics.streams import Write


def sdk_write(sdk: MetricsSdk, series: Any) -> Write | None:
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
        return _histogram_write(series)
    if type(series) is sdk.exponential:
        # Its buckets grow and shrink by rules of their own: these stay the SDK's.
        return lambda amount: series.aggregate(SimpleNamespace(value=amount), False)
    return None


def _histogram_write(series: Any) -> Write:
    lock, bounds, minmax = series._lock, series._boundaries, series._record_min_max

    def record(amount: Any) -> None:
        with lock:
            if series._value is None:
                counts = [0] * (len(bounds) + 1)
                if series._value is None:  # else a finalizer or signal handler has recorded in the midst of this
                    series._value = counts
            bucket = bisect_left(bounds, amount)
            series._sum += amount
            if minmax:
                if amount < series._min:  # noqa: PLR1730 -- a call would let another measurement in between
                    series._min = amount
                if amount > series._max:  # noqa: PLR1730 -- as above
                    series._max = amount
            series._value[bucket] += 1

    return record


def take(sdk: MetricsSdk, series: Any, measurement: Any, should_sample_exemplar: bool) -> None:
    """Do what an aggregation's `aggregate` does, whatever measures in the midst of it."""
    if type(series) is sdk.explicit:
        _histogram_write(series)(measurement.value)
        series._sample_exemplar(measurement, should_sample_exemplar)
    else:
        series.aggregate(measurement, should_sample_exemplar)


def bear_interruptions(sdk: MetricsSdk, series: Any) -> None:
    """Have a new aggregation of the SDK bear that a finalizer or signal handler measures in the midst of anything.

    By the SDK's own lock such a thread would wait for itself.
    """
    if type(series) not in (sdk.sum, sdk.last_value, sdk.explicit, sdk.exponential):
        return  # of another make, or one that drops
    lock = series._lock = threading.RLock()
    if type(series) is not sdk.exponential:
        return
    aggregate, waiting, is_busy = series.aggregate, deque[Any](), False

    def aggregate_in_turn(*measurement: Any) -> None:
        # Its buckets are half changed in the midst of a measurement: the next one waits for its end.
        nonlocal is_busy
        waiting.append(measurement)
        with lock:
            if is_busy:
                return
            is_busy = True
            try:
                while waiting:
                    aggregate(*waiting.popleft())
            finally:
                is_busy = False

    series.aggregate = aggregate_in_turn


def sdk_offer(sdk: MetricsSdk, series: Any, attributes: Any) -> Offer:
    """Return what offers a measurement to an aggregation's reservoir, with the attributes as the SDK cleaned them."""
    # Brings the SDK, which is here where there is a series.
    from otel_distro.metrics.reservoir import LastOfEachBucket, LeanReservoir

    reservoir = series._reservoir
    # The SDK leaves out zeros there.
    without_zero = type(series) is sdk.exponential
    if type(reservoir) is LastOfEachBucket and not without_zero:
        return reservoir.keeping(attributes)
    if isinstance(reservoir, LeanReservoir) and not without_zero:
        keep = reservoir.keep
        return lambda amount, _attributes, _context, span_context: keep(amount, time_ns(), attributes, span_context)

    def offer(amount: Any, _attributes: Any, context: Any, _span_context: Any) -> None:
        if amount or not without_zero:
            reservoir.offer(amount, time_ns(), attributes, context)

    return offer

"""Writing to the SDK's aggregations without a measurement object: what their `aggregate` does, at less cost."""

from __future__ import annotations

from bisect import bisect_left
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


def sdk_offer(sdk: MetricsSdk, series: Any, attributes: Any) -> Offer:
    """Return what offers a measurement to an aggregation's reservoir, with the attributes as the SDK cleaned them."""
    from otel_distro.metrics.reservoir import LeanReservoir  # brings the SDK, which is here where there is a series

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

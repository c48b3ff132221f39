"""Exponential histograms as classic ones: no observation lost, every bound true."""

from __future__ import annotations

import math
from bisect import bisect_left

from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.sdk.metrics import Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation

from otel_distro.metrics.exponential import to_distribution

AMOUNTS = st.lists(st.floats(min_value=0, max_value=1e12, allow_nan=False) | st.just(0.0), min_size=1, max_size=60)


def collected(amounts: list[float], max_size: int) -> object:
    aggregation = ExponentialBucketHistogramAggregation(max_size=max_size)
    reader = InMemoryMetricReader(preferred_aggregation={Histogram: aggregation})
    provider = MeterProvider(metric_readers=[reader], shutdown_on_exit=False)
    histogram = provider.get_meter("test").create_histogram("sizes")
    for amount in amounts:
        histogram.record(amount)
    data = reader.get_metrics_data()
    assert data is not None
    provider.shutdown()
    return data.resource_metrics[0].scope_metrics[0].metrics[0].data.data_points[0]


@settings(max_examples=60, deadline=None)
@given(AMOUNTS, st.sampled_from([4, 20, 160]))
def test_the_counts_below_each_bound_are_those_of_the_observations(amounts: list[float], max_size: int) -> None:
    count, total, bounds, counts = to_distribution(collected(amounts, max_size))
    assert count == len(amounts) == sum(counts)
    assert math.isclose(total, math.fsum(amounts), rel_tol=1e-9, abs_tol=1e-9)
    assert list(bounds) == sorted(set(bounds))
    expected = [0] * (len(bounds) + 1)
    for amount in amounts:
        expected[bisect_left(bounds, amount)] += 1
    assert list(counts) == expected


def test_bounds_stay_powers_of_two_while_the_scale_changes() -> None:
    _, _, narrow, _ = to_distribution(collected([1.5, 1.6], 160))
    _, _, wide, _ = to_distribution(collected([1.5, 1.6, 1000.0], 160))
    assert narrow == (2.0,)
    assert wide == tuple(2.0**exponent for exponent in range(1, 11))


def test_zero_stands_in_a_bucket_of_its_own() -> None:
    assert to_distribution(collected([0.0, 0.0, 3.0], 160)) == (3, 3.0, (0.0, 4.0), (2, 1, 0))

"""Streams: what the cells of each kind hold, and which bucket takes a measurement."""

from __future__ import annotations

import concurrent.futures.thread  # noqa: F401 -- before a provider is made, else forks of later tests hang
import math
from bisect import bisect_left
from collections.abc import Sequence
from time import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource

from otel_distro.metrics import streams
from otel_distro.metrics.exponential import to_distribution
from otel_distro.metrics.families import labels_of
from otel_distro.metrics.shared import Cells
from otel_distro.metrics.streams import POWERS, Stream, bucket_of, decoded, series_text, writer


def _stream(kind: str, bounds: tuple[float, ...] = ()) -> Stream:
    return Stream("name", kind, "s", "Help", bounds, ("scope", "1", "https://schema", (("k", "v"),)))


def _written(stream: Stream, amounts: Sequence[float]) -> Cells:
    cells = memoryview(bytearray(8 * stream.cells)).cast("d")
    write = writer(stream, cells)
    for amount in amounts:
        write(amount)
    return cells


@pytest.mark.parametrize("kind", [streams.COUNTER, streams.UP_DOWN])
def test_a_sum_has_one_cell(kind: str) -> None:
    assert list(_written(_stream(kind), [1, 2.5, 0])) == [3.5]


@pytest.mark.parametrize("kind", [streams.COUNTER, streams.HISTOGRAM, streams.EXPONENTIAL, streams.GAUGE])
def test_a_build_without_a_global_lock_writes_the_same(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made = list(_written(_stream(kind), [1, 2.5, 0]))
    monkeypatch.setattr(streams, "GIL", False)
    monkeypatch.setattr(streams, "time", lambda: made[-1])
    assert list(_written(_stream(kind), [1, 2.5, 0])) == made


def test_an_up_down_counter_goes_below_zero() -> None:
    assert list(_written(_stream(streams.UP_DOWN), [1, -3])) == [-2]


@pytest.mark.parametrize("kind", [streams.GAUGE, *streams.OBSERVED])
def test_a_value_that_is_set_has_its_time_beside_it(kind: str) -> None:
    before = time()
    value, at = _written(_stream(kind), [7, 5])
    assert value == 5
    assert before <= at <= time()


def test_a_histogram_has_its_sum_and_a_count_for_each_bucket_and_what_is_above() -> None:
    assert list(_written(_stream(streams.HISTOGRAM, (1.0, 2.0)), [0.5, 1, 1.5, 2, 9])) == [14, 2, 2, 1]


def test_a_histogram_without_bounds_counts_all() -> None:
    assert list(_written(_stream(streams.HISTOGRAM), [1, 2])) == [3, 2]


def test_an_exponential_histogram_counts_by_powers_of_two() -> None:
    stream = _stream(streams.EXPONENTIAL)
    cells = _written(stream, [0, -1, 1.5, 2, 2.0**65, 1e-300])
    assert cells[0] == pytest.approx(2.0**65)
    counts = {index: count for index, count in enumerate(cells[1:]) if count}
    assert counts == {0: 2, 1: 1, 1 + POWERS.index(2.0): 2, len(POWERS) + 1: 1}


BOUNDS = st.lists(st.floats(-1e6, 1e6), max_size=12, unique=True).map(sorted).map(tuple)


@given(BOUNDS, st.floats(allow_nan=False, allow_infinity=False))
def test_a_measurement_falls_into_the_bucket_that_the_sdk_puts_it_into(
    bounds: tuple[float, ...], amount: float
) -> None:
    stream = _stream(streams.HISTOGRAM, bounds)
    bucket = bucket_of(stream, amount)
    assert bucket == bisect_left(bounds, amount)
    cells = _written(stream, [amount])
    assert [index for index, count in enumerate(cells[1:]) if count] == [bucket]
    assert bucket < stream.buckets


@pytest.mark.parametrize("exponent", range(streams.LEAST_EXPONENT, streams.GREATEST_EXPONENT + 1))
def test_a_power_of_two_belongs_to_the_bucket_that_ends_there(exponent: int) -> None:
    stream = _stream(streams.EXPONENTIAL)
    bucket = bucket_of(stream, 2.0**exponent)
    assert POWERS[bucket - 1] == 2.0**exponent
    assert bucket_of(stream, math.nextafter(2.0**exponent, math.inf)) == bucket + 1
    below = bucket_of(stream, math.nextafter(2.0**exponent, 0))
    assert below == bucket


@given(st.floats(min_value=0, exclude_min=True, allow_infinity=False))
def test_every_positive_number_has_a_bucket_of_an_exponential_histogram(amount: float) -> None:
    stream = _stream(streams.EXPONENTIAL)
    bucket = bucket_of(stream, amount)
    assert 1 <= bucket < stream.buckets
    if bucket <= len(POWERS):
        assert amount <= POWERS[bucket - 1]
    if bucket > 1:
        assert amount > POWERS[bucket - 2]


# Right beside a power of two the logarithm that the SDK takes is a hair off.
CLEAR = st.builds(math.ldexp, st.floats(0.5001, 0.9999), st.integers(-29, 60))


@given(st.lists(CLEAR, min_size=1, max_size=20))
def test_an_exponential_histogram_has_the_buckets_that_the_sdk_has_at_powers_of_two(amounts: list[float]) -> None:
    reader = InMemoryMetricReader()
    view = View(instrument_name="*", aggregation=ExponentialBucketHistogramAggregation())
    provider = MeterProvider([reader], resource=Resource({}), shutdown_on_exit=False, views=[view])
    histogram = provider.get_meter("m").create_histogram("h")
    for amount in amounts:
        histogram.record(amount)
    data = reader.get_metrics_data()
    assert data is not None
    (point,) = data.resource_metrics[0].scope_metrics[0].metrics[0].data.data_points
    count, _, bounds, counts = to_distribution(point)
    cells = _written(_stream(streams.EXPONENTIAL), amounts)
    found = {POWERS[index - 1]: number for index, number in enumerate(cells[1:]) if number}
    assert found == {bound: number for bound, number in zip(bounds, counts, strict=False) if number}
    assert sum(cells[1:]) == count


@given(
    st.builds(
        Stream,
        st.text(min_size=1),
        st.sampled_from([streams.COUNTER, streams.HISTOGRAM]),
        st.text(),
        st.text(),
        st.lists(st.floats(allow_nan=False)).map(tuple),
        st.tuples(st.text(), st.text(), st.text(), st.lists(st.tuples(st.text(), st.text())).map(tuple)),
    ),
    st.dictionaries(st.text(), st.text()).map(labels_of),
)
def test_what_describes_streams_and_series_to_other_processes_comes_back_whole(
    stream: Stream, labels: tuple[tuple[str, str], ...]
) -> None:
    assert decoded(stream.encoded(3)) == ("stream", 3, stream)
    assert decoded(series_text(4, labels)) == ("series", 4, labels)
    assert decoded(series_text(4, labels, "exemplars")) == ("exemplars", 4, labels)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "7",
        '["stream",1]',
        '["stream",1,"n","no kind","","",[],["","","",[]]]',
        '["series",1]',
        '["series",1,[7]]',
    ],
)
def test_a_text_that_is_no_entry_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match="damaged"):
        decoded(text)


def test_only_buckets_have_slots_for_exemplars_of_their_own() -> None:
    assert _stream(streams.COUNTER).buckets == 1
    assert _stream(streams.HISTOGRAM, (1.0, 2.0)).buckets == 3
    assert _stream(streams.HISTOGRAM).buckets == 1
    assert _stream(streams.EXPONENTIAL).buckets == len(POWERS) + 2

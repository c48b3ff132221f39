"""Writing to the SDK's aggregations: the same state as by their own methods."""

from __future__ import annotations

from time import time_ns
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource

from otel_distro.internals import MetricsSdk, metrics_sdk
from otel_distro.metrics.aggregations import sdk_offer, sdk_write
from otel_distro.metrics.reservoir import DrawnByLot, LastOfEachBucket, LeanReservoir

KINDS = ("counter", "histogram", "gauge", "exponential")


def _sdk() -> MetricsSdk:
    sdk = metrics_sdk()
    assert sdk is not None
    return sdk


def _aggregation(kind: str) -> Any:
    """Return an aggregation of the SDK, with one measurement of 1 in it."""
    views = [View(instrument_name="exponential", aggregation=ExponentialBucketHistogramAggregation())]
    provider = MeterProvider([InMemoryMetricReader()], resource=Resource({}), shutdown_on_exit=False, views=views)
    meter: Any = provider.get_meter("tests")
    instrument = getattr(meter, f"create_{'histogram' if kind == 'exponential' else kind}")(kind)
    getattr(instrument, {"counter": "add", "gauge": "set"}.get(kind, "record"))(1)
    consumer: Any = provider._measurement_consumer
    (storage,) = consumer._reader_storages.values()
    (match,) = storage._get_or_init_view_instrument_match(instrument)
    (aggregation,) = match._attributes_aggregation.values()
    return aggregation


def _state(aggregation: Any) -> dict[str, str]:
    names = ("_value", "_sum", "_min", "_max", "_count", "_zero_count", "_scale")
    return {name: repr(getattr(aggregation, name)) for name in names if hasattr(aggregation, name)}


@pytest.mark.parametrize("kind", KINDS)
@given(amounts=st.lists(st.one_of(st.integers(0, 2**60), st.floats(0, 1e9)), max_size=12))
def test_amounts_written_leave_what_the_sdk_would_have(kind: str, amounts: list[Any]) -> None:
    written, aggregated = _aggregation(kind), _aggregation(kind)
    write = sdk_write(_sdk(), written)
    assert write is not None
    for amount in amounts:
        write(amount)
        aggregated.aggregate(SimpleNamespace(value=amount), False)
    assert _state(written) == _state(aggregated)


def test_an_aggregation_of_another_kind_is_not_written() -> None:
    assert sdk_write(_sdk(), object()) is None
    assert sdk_write(_sdk(), None) is None


@pytest.mark.parametrize(("kind", "amount", "kept"), [("counter", 0, 1), ("histogram", 2, 1), ("exponential", 0, 0)])
def test_exemplars_are_offered_as_the_sdk_offers_them(kind: str, amount: int, kept: int) -> None:
    aggregation = _aggregation(kind)
    aggregation._collect_exemplars()
    span_context = trace.SpanContext(5, 7, False, trace.TraceFlags(1))
    context = trace.set_span_in_context(trace.NonRecordingSpan(span_context), Context())
    sdk_offer(_sdk(), aggregation, {"a": "x"})(amount, None, context, span_context)
    exemplars = aggregation._collect_exemplars()
    assert [(one.value, one.trace_id, one.span_id, one.filtered_attributes) for one in exemplars] == (
        [(amount, 5, 7, {"a": "x"})] * kept
    )


@pytest.mark.parametrize(
    ("reservoir", "kept"),
    [(LastOfEachBucket([1.0, 2.0]), [0.5, 1.7]), (DrawnByLot(size=3), [0.5, 1.5, 1.7])],
    ids=lambda one: type(one).__name__,
)
def test_a_reservoir_of_ours_keeps_what_it_is_offered_with_the_moment_and_the_ids(
    reservoir: LeanReservoir, kept: list[float]
) -> None:
    aggregation = _aggregation("histogram")
    aggregation._reservoir = reservoir
    span_context = trace.SpanContext(5, 7, False, trace.TraceFlags(1))
    offer, before = sdk_offer(_sdk(), aggregation, {"a": "x"}), time_ns()
    for amount in (0.5, 1.5, 1.7):
        offer(amount, {"other": "y"}, Context(), span_context)
    found = aggregation._collect_exemplars()
    assert [(one.value, one.trace_id, one.span_id, one.filtered_attributes) for one in found] == [
        (amount, 5, 7, {"a": "x"}) for amount in kept
    ]
    assert all(before <= one.time_unix_nano <= time_ns() for one in found)

"""Reservoirs: which measurements stay as exemplars, and what stays of them."""

from __future__ import annotations

import gc
import weakref
from collections import Counter

import pytest
from opentelemetry import trace
from opentelemetry.context import Context

from otel_distro.metrics.reservoir import DrawnByLot, LastOfEachBucket, LeanReservoir

IDS = trace.SpanContext(2**100, 2**60, False, trace.TraceFlags(1))


def test_the_last_measurement_of_each_bucket_stays_in_the_order_of_the_buckets() -> None:
    reservoir = LastOfEachBucket([1.0, 2.0])
    for time, value in enumerate((9, 0.5, 1, 1.5, 2, 7)):
        reservoir.keep(value, time, {"a": "x", "b": "y"}, IDS)
    found = reservoir.collect({"a": "x"})
    assert [(one.value, one.time_unix_nano) for one in found] == [(1, 2), (2, 4), (7, 5)]
    assert {(one.trace_id, one.span_id) for one in found} == {(2**100, 2**60)}
    assert [one.filtered_attributes for one in found] == [{"b": "y"}] * 3


@pytest.mark.parametrize("reservoir", [LastOfEachBucket([1.0]), DrawnByLot()])
def test_a_period_begins_anew_after_each_collection(reservoir: LeanReservoir) -> None:
    for value in (3, 4):
        reservoir.keep(value, 1, None, None)
        (found,) = reservoir.collect({})
        assert (found.value, found.trace_id, found.span_id, found.filtered_attributes) == (value, None, None, None)
        assert reservoir.collect({}) == []


def test_every_measurement_of_a_period_has_the_same_chance() -> None:
    reservoir, drawn = DrawnByLot(size=2), Counter[float]()
    for _ in range(4000):
        for value in range(8):
            reservoir.keep(value, 1, None, None)
        drawn.update(exemplar.value for exemplar in reservoir.collect({}))
    assert sum(drawn.values()) == 8000
    # Each is drawn 1,000 times in the mean, with a deviation of 27.
    assert all(800 < drawn[value] < 1200 for value in range(8))


def test_the_span_itself_is_not_kept_alive() -> None:
    reservoir = DrawnByLot()
    span = trace.NonRecordingSpan(IDS)
    gone = weakref.ref(span)
    reservoir.offer(1, 1, None, trace.set_span_in_context(span, Context()))
    del span
    gc.collect()
    assert gone() is None
    assert reservoir.collect({})[0].trace_id == 2**100


def test_without_a_span_there_are_no_ids() -> None:
    reservoir = DrawnByLot()
    reservoir.offer(1, 1, {"a": "x"}, Context())
    (found,) = reservoir.collect({})
    assert (found.trace_id, found.span_id, found.filtered_attributes) == (None, None, {"a": "x"})

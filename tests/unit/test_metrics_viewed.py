"""Streams as views make them of instruments: which kind of cells each gets."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.metrics.view import (
    DropAggregation,
    ExplicitBucketHistogramAggregation,
    ExponentialBucketHistogramAggregation,
    LastValueAggregation,
    SumAggregation,
    View,
)
from opentelemetry.sdk.resources import Resource

from otel_distro.internals import metrics_sdk
from otel_distro.metrics import streams
from otel_distro.metrics.streams import Stream
from otel_distro.metrics.viewed import stream_of


def _stream(kind: str, **view: Any) -> Stream | None:
    sdk = metrics_sdk()
    assert sdk is not None
    views = [View(instrument_name="i", **view)] if view else []
    provider = MeterProvider([InMemoryMetricReader()], resource=Resource({}), shutdown_on_exit=False, views=views)
    meter: Any = provider.get_meter("scope", "1", "https://schema", {"k": 1})
    instrument = getattr(meter, f"create_{kind}")("i", unit="s", description="What it is.")
    consumer: Any = provider._measurement_consumer
    (storage,) = consumer._reader_storages.values()
    (match,) = storage._get_or_init_view_instrument_match(instrument)
    return stream_of(sdk, match)


@pytest.mark.parametrize(
    ("kind", "cells"),
    [
        ("counter", streams.COUNTER),
        ("up_down_counter", streams.UP_DOWN),
        ("gauge", streams.GAUGE),
        ("histogram", streams.HISTOGRAM),
        ("observable_counter", streams.OBSERVED_COUNTER),
        ("observable_up_down_counter", streams.OBSERVED_UP_DOWN),
        ("observable_gauge", streams.OBSERVED_GAUGE),
    ],
)
def test_each_instrument_has_its_kind_of_cells(kind: str, cells: str) -> None:
    stream = _stream(kind)
    assert stream is not None
    assert stream.kind == cells
    assert (stream.name, stream.unit, stream.help) == ("i", "s", "What it is.")
    assert stream.scope == ("scope", "1", "https://schema", (("k", "1"),))


@pytest.mark.parametrize(
    ("kind", "aggregation", "cells"),
    [
        ("histogram", SumAggregation(), streams.UP_DOWN),
        ("counter", LastValueAggregation(), streams.GAUGE),
        ("counter", ExplicitBucketHistogramAggregation((1, 2)), streams.HISTOGRAM),
        ("gauge", ExponentialBucketHistogramAggregation(), streams.EXPONENTIAL),
    ],
)
def test_a_view_that_aggregates_in_another_way_decides(kind: str, aggregation: Any, cells: str) -> None:
    stream = _stream(kind, aggregation=aggregation)
    assert stream is not None
    assert stream.kind == cells
    assert stream.bounds == ((1.0, 2.0) if cells == streams.HISTOGRAM else ())


@pytest.mark.parametrize("kind", ["counter", "observable_gauge"])
def test_what_is_dropped_makes_no_stream(kind: str) -> None:
    assert _stream(kind, aggregation=DropAggregation()) is None


def test_a_view_names_and_describes_the_stream() -> None:
    stream = _stream("counter", name="renamed", description="Something else.")
    assert stream is not None
    assert (stream.name, stream.help) == ("renamed", "Something else.")

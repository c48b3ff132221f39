"""Targets: what one measurement of a set of attributes writes to, however many readers there are."""

from __future__ import annotations

import sys
from collections import Counter as Counted
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import pytest
from opentelemetry.sdk.metrics import AlwaysOnExemplarFilter, Counter, Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader
from opentelemetry.sdk.metrics.view import DropAggregation, LastValueAggregation, View
from opentelemetry.sdk.resources import Resource

from otel_distro.internals import MetricsSdk, metrics_sdk
from otel_distro.metrics import recording, streams
from otel_distro.metrics.limits import Limits
from otel_distro.metrics.reader import PrometheusReader
from otel_distro.metrics.targets import Targets, targets_of

ATTRIBUTES = {"method": "GET", "endpoint": "/", "status": "200"}
CUMULATIVE, DELTA = AggregationTemporality.CUMULATIVE, AggregationTemporality.DELTA


def _sdk() -> MetricsSdk:
    sdk = metrics_sdk()
    assert sdk is not None
    return sdk


@pytest.fixture(autouse=True)
def _fast() -> Iterator[None]:
    """Record as in the field; leave it as it was."""
    before = bool(recording._originals)
    recording.install(_sdk())
    yield
    if not before:
        recording.uninstall()


def _reader(temporality: AggregationTemporality = DELTA, **more: Any) -> InMemoryMetricReader:
    kinds: Any = dict.fromkeys((Counter, Histogram), temporality)
    return InMemoryMetricReader(preferred_temporality=kinds, **more)


def _meter(*readers: Any, **more: Any) -> Any:
    return MeterProvider(readers, resource=Resource({}), shutdown_on_exit=False, **more).get_meter("tests")


def _values(reader: InMemoryMetricReader) -> dict[str, list[Any]]:
    """Return what a reader collects, by the names of the metrics."""
    data = reader.get_metrics_data()
    metrics = data.resource_metrics[0].scope_metrics[0].metrics if data else []
    return {metric.name: [getattr(point, "value", None) for point in metric.data.data_points] for metric in metrics}


def _targets(instrument: Any, attributes: Any = None) -> Targets | None:
    storages = instrument._measurement_consumer._reader_storages
    return targets_of(_sdk(), instrument, storages, attributes)


def _calls(measure: Callable[[], None]) -> Counted[str]:
    """Return how often one measurement enters or calls a function, of Python or C, by kind of call."""
    measure()
    seen: Counted[str] = Counted()

    def profile(_frame: FrameType, event: str, _argument: Any) -> None:
        seen[event] += 1

    sys.setprofile(profile)
    try:
        measure()
    finally:
        sys.setprofile(None)
    return seen


def _measures(meter: Any) -> dict[str, Callable[[], None]]:
    counter, histogram = meter.create_counter("c"), meter.create_histogram("h")
    up_down, gauge = meter.create_up_down_counter("u"), meter.create_gauge("g")
    bound_counter, bound_histogram = recording.bind(counter.add, {}), recording.bind(histogram.record, {})
    return {
        "counter": lambda: counter.add(1, ATTRIBUTES),
        "counter without attributes": lambda: counter.add(1.5),
        "counter, bound": lambda: bound_counter(1),
        "up-down counter": lambda: up_down.add(-1, ATTRIBUTES),
        "histogram": lambda: histogram.record(0.3, ATTRIBUTES),
        "histogram, bound": lambda: bound_histogram(0.3),
        "gauge": lambda: gauge.set(3, ATTRIBUTES),
    }


@pytest.mark.parametrize("name", list(_measures(_meter())))
def test_one_measurement_makes_as_many_calls_for_several_readers_as_for_the_page_alone(name: str) -> None:
    alone = _calls(_measures(_meter(PrometheusReader()))[name])
    for others in ([_reader()], [_reader(CUMULATIVE)], [_reader(), _reader(CUMULATIVE)]):
        assert _calls(_measures(_meter(PrometheusReader(), *others))[name]) == alone


def test_the_page_alone_has_cells_and_no_box() -> None:
    counter = _meter(PrometheusReader()).create_counter("c")
    counter.add(1)
    targets = _targets(counter)
    assert targets is not None
    assert targets.cells is not None
    assert (targets.box, targets.write) == (None, None)


def test_readers_beside_the_page_share_one_box() -> None:
    histogram = _meter(PrometheusReader(), _reader(), _reader(CUMULATIVE)).create_histogram("h")
    histogram.record(2)
    targets = _targets(histogram)
    assert targets is not None
    assert targets.box == [2, 2, 2]
    assert targets.write is None


@pytest.mark.parametrize(
    "more",
    [
        {"preferred_aggregation": {Counter: LastValueAggregation()}},
        {"preferred_aggregation": {Counter: DropAggregation()}},
    ],
)
def test_a_reader_that_adds_up_in_another_way_has_an_aggregation_of_its_own(more: Any) -> None:
    own = _reader(**more)
    counter = _meter(PrometheusReader(), own).create_counter("c")
    counter.add(1)
    counter.add(5)
    targets = _targets(counter)
    assert targets is not None
    assert targets.box is None
    assert _values(own) in ({"c": [5]}, {})


def test_the_second_stream_of_an_instrument_is_written_by_a_function_for_all_readers() -> None:
    memory = _reader()
    views = [View(instrument_name="c"), View(instrument_name="c", name="second", attribute_keys=set())]
    counter = _meter(PrometheusReader(), memory, views=views).create_counter("c")
    for amount in (1, 2, 4):
        counter.add(amount, {"a": str(amount % 2)})
        counter.add(amount, {"a": str(amount % 2)})
    assert _values(memory) == {"c": [2, 12], "second": [14]}


def test_after_an_odd_amount_every_follower_is_written_by_itself_and_fast() -> None:
    memory = _reader()
    counter = _meter(PrometheusReader(), memory).create_counter("c")
    for amount in (1, True, 2, 4, 8):
        counter.add(amount, {"a": "x"})
    targets = _targets(counter, {"a": "x"})
    assert targets is not None
    assert targets.cells is not None
    assert targets.cells[0] == 16
    assert targets.box is None
    assert targets.write is not None
    assert counter._otel_distro_entries["a", "x"][4] is None, "what is remembered does not try the ended box again"
    assert _values(memory) == {"c": [16]}


def test_a_bound_writer_goes_on_after_an_odd_amount() -> None:
    memory = _reader()
    counter = _meter(PrometheusReader(), memory).create_counter("c")
    write = recording.bind(counter.add, {})
    for amount in (1, 2, 4):
        write(amount)
    counter.add(True)
    for amount in (8, 16):
        write(amount)
    assert _values(memory) == {"c": [32]}


def test_a_build_without_a_global_lock_writes_to_each_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "GIL", False)
    memory = _reader()
    counter = _meter(PrometheusReader(), memory).create_counter("c")
    counter.add(1)
    targets = _targets(counter)
    assert targets is not None
    assert (targets.cells, targets.box) == (None, None)
    assert targets.write is not None
    counter.add(2)
    assert _values(memory) == {"c": [3]}


def test_what_overflowed_or_takes_every_exemplar_is_not_found_again() -> None:
    counter = _meter(PrometheusReader(limits=Limits(1)), _reader()).create_counter("c")
    counter.add(1, {"a": "x"})
    counter.add(1, {"a": "y"})
    assert _targets(counter, {"a": "x"}) is not None
    assert _targets(counter, {"a": "y"}) is None
    always = _meter(PrometheusReader(), exemplar_filter=AlwaysOnExemplarFilter()).create_counter("c")
    always.add(1)
    assert _targets(always) is None

"""Adoption: readers that come and go, pages that come late and go, and forks, beside a page that others follow."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    ExponentialHistogramDataPoint,
    InMemoryMetricReader,
)
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource

from otel_distro.internals import MetricsSdk, metrics_sdk
from otel_distro.metrics import recording, storages
from otel_distro.metrics.families import Families
from otel_distro.metrics.limits import Limits
from otel_distro.metrics.reader import PrometheusReader

DELTA, CUMULATIVE = AggregationTemporality.DELTA, AggregationTemporality.CUMULATIVE


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


def _reader(temporality: AggregationTemporality = CUMULATIVE) -> InMemoryMetricReader:
    return InMemoryMetricReader(preferred_temporality={Counter: temporality})


def _provider(*readers: Any) -> MeterProvider:
    return MeterProvider(readers, resource=Resource({}), shutdown_on_exit=False)


def _storage(provider: MeterProvider, reader: Any) -> Any:
    consumer: Any = provider._measurement_consumer
    return consumer._reader_storages[reader]


def _followed(provider: MeterProvider, reader: Any) -> int:
    """Return how many series of a reader get their measurements from the page's."""
    return sum(len(match.followed) for match in _storage(provider, reader).matches())


def _read(reader: InMemoryMetricReader) -> dict[Any, Any]:
    """Return the values that a reader collects, by the values of the attributes."""
    data = reader.get_metrics_data()
    metrics = data.resource_metrics[0].scope_metrics[0].metrics if data else []
    return {
        tuple((point.attributes or {}).values()): getattr(point, "value", getattr(point, "sum", None))
        for metric in metrics
        for point in metric.data.data_points
    }


def _page(page: PrometheusReader) -> dict[Any, Any]:
    page.observe()
    families = Families()
    page._merger.add_to(families, scope_labels=False)
    return {labels: value for family in families for labels, value in family.series.items()}


def test_a_reader_that_comes_later_follows_and_has_what_comes_from_then_on() -> None:
    page, early, late = PrometheusReader(), _reader(DELTA), _reader()
    provider = _provider(page, early)
    counter = provider.get_meter("tests").create_counter("c")
    for _ in range(3):
        counter.add(1, {"a": "x"})
    provider.add_metric_reader(late)
    assert _read(late) == {}
    for _ in range(3):
        counter.add(2, {"a": "x"})
    counter.add(3, {"a": "y"})
    assert _followed(provider, late) == 2
    assert _read(late) == {("x",): 6, ("y",): 3}
    assert _read(early) == {("x",): 9, ("y",): 3}


def test_a_reader_that_goes_takes_nothing_from_those_that_stay() -> None:
    page, going, staying = PrometheusReader(), _reader(DELTA), _reader(DELTA)
    provider = _provider(page, going, staying)
    counter: Any = provider.get_meter("tests").create_counter("c")
    counter.add(1)
    counter.add(2)
    provider.remove_metric_reader(going)
    counter.add(4)
    assert _read(staying) == {(): 7}
    provider.remove_metric_reader(staying)
    counter.add(8)
    assert counter._otel_distro_bare[4] is None, "the page is alone, so nothing is kept beside its cells"
    assert _page(page) == {(): 15}


def test_a_reader_that_is_shut_down_takes_nothing_from_the_other() -> None:
    page, ending, staying = PrometheusReader(), _reader(DELTA), _reader()
    counter = _provider(page, ending, staying).get_meter("tests").create_counter("c")
    counter.add(1)
    ending.shutdown()
    counter.add(2)
    assert _read(staying) == {(): 3}
    assert _page(page) == {(): 3}


@pytest.mark.parametrize("temporality", [DELTA, CUMULATIVE])
def test_readers_go_on_by_themselves_when_the_page_goes(temporality: AggregationTemporality) -> None:
    page, memory = PrometheusReader(), _reader(temporality)
    provider = _provider(page, memory)
    meter = provider.get_meter("tests")
    counter, gauge = meter.create_counter("c"), meter.create_gauge("g")
    write = recording.bind(counter.add, {"a": "x"})
    for amount in (1, 2):
        counter.add(amount, {"a": "x"})
        gauge.set(amount, {"a": "gauge"})
        write(10)
    provider.remove_metric_reader(page)
    assert _followed(provider, memory) == 0
    assert _read(memory) == {("x",): 23, ("gauge",): 2}
    counter.add(4, {"a": "x"})
    counter.add(5, {"a": "new"})
    write(100)
    rest = 0 if temporality == DELTA else 23
    assert {key: value for key, value in _read(memory).items() if key != ("gauge",)} == {
        ("x",): rest + 104,
        ("new",): 5,
    }


def test_nothing_is_lost_or_doubled_when_the_page_goes_while_threads_measure() -> None:
    page, memory = PrometheusReader(), _reader()
    provider = _provider(page, memory)
    meter = provider.get_meter("tests")
    counter, histogram = meter.create_counter("c"), meter.create_histogram("h")
    write = recording.bind(counter.add, {"a": "bound"})
    rounds, went = 20_000, threading.Event()

    def measure() -> None:
        for number in range(rounds):
            counter.add(1, {"a": "x"})
            histogram.record(1, {"a": "h"})
            write(1)
            if number == rounds // 4:
                went.set()

    for _ in range(2):
        counter.add(0, {"a": "x"})
        histogram.record(0, {"a": "h"})
        write(0)
    threads = [threading.Thread(target=measure) for _ in range(2)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        assert went.wait(60)
        provider.remove_metric_reader(page)
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert _read(memory) == {("x",): 2 * rounds, ("bound",): 2 * rounds, ("h",): 2 * rounds}


@pytest.mark.parametrize("view", [{}, {"name": "second"}])
def test_who_was_about_to_measure_when_the_page_went_has_measured(view: dict[str, Any]) -> None:
    page, memory = PrometheusReader(), _reader()
    views = [View(instrument_name="*"), *([View(instrument_name="c", **view)] if view else [])]
    provider = MeterProvider([page, memory], resource=Resource({}), shutdown_on_exit=False, views=views)
    meter = provider.get_meter("tests")
    counter, gauge = meter.create_counter("c"), meter.create_gauge("g")
    counter.add(1)
    gauge.set(1, {"a": "gauge"})
    storage = _storage(provider, page)
    matches = [match for match in storage.matches() if match._instrument in (counter, gauge)]
    writes = [series.write for match in matches for series in match._attributes_aggregation.values()]
    provider.remove_metric_reader(page)
    for write in writes:
        write(2)
    assert _read(memory) == {(): 3, ("gauge",): 2}


def test_what_is_measured_in_the_midst_of_the_pages_going_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    consumer_class: Any = type(_provider()._measurement_consumer)
    stock_remove = consumer_class.remove_metric_reader

    def remove(consumer: Any, reader: Any) -> None:
        stock_remove(consumer, reader)
        counter.add(4)
        counter.add(8)

    monkeypatch.setattr(consumer_class, "remove_metric_reader", remove)
    page, memory = PrometheusReader(), _reader()
    provider = _provider(page, memory)
    counter = provider.get_meter("tests").create_counter("c")
    counter.add(1)
    counter.add(2)
    provider.remove_metric_reader(page)
    assert _read(memory) == {(): 15}


def test_what_a_reader_has_counted_before_a_page_comes_stays_and_goes_on() -> None:
    memory, page = _reader(), PrometheusReader()
    provider = _provider(memory)
    counter = provider.get_meter("tests").create_counter("c")
    for _ in range(3):
        counter.add(1, {"a": "old"})
    provider.add_metric_reader(page)
    for _ in range(3):
        counter.add(2, {"a": "old"})
        counter.add(3, {"a": "new"})
    assert _followed(provider, memory) == 1, "the series that was there keeps its own aggregation"
    assert _read(memory) == {("old",): 9, ("new",): 9}
    assert _page(page) == {(("a", "old"),): 6, (("a", "new"),): 9}


def test_the_first_of_two_pages_is_followed_and_then_the_other() -> None:
    first, second, memory = PrometheusReader(), PrometheusReader(), _reader()
    provider = _provider(first, second, memory)
    counter = provider.get_meter("tests").create_counter("c")
    assert _storage(provider, memory).leading is _storage(provider, first)
    counter.add(1)
    counter.add(1)
    provider.remove_metric_reader(first)
    assert _storage(provider, memory).leading is _storage(provider, second)
    counter.add(1)
    counter.add(1, {"a": "x"})
    assert _followed(provider, memory) == 1
    assert _read(memory) == {(): 3, ("x",): 1}
    assert _page(second) == {(): 3, (("a", "x"),): 1}


def test_the_pages_storage_is_the_last_one_whenever_readers_come() -> None:
    page = PrometheusReader()
    provider = _provider(page, _reader())
    provider.add_metric_reader(_reader())
    consumer: Any = provider._measurement_consumer
    ours = storages.classes(_sdk())
    kinds = [type(storage) for storage in consumer._reader_storages.values()]
    assert kinds == [ours.limited, ours.limited, ours.shared]


def test_a_series_that_is_over_the_limit_in_one_reader_alone_is_counted_in_both() -> None:
    page, late = PrometheusReader(limits=Limits(2)), _reader()
    provider = _provider(page)
    counter = provider.get_meter("tests").create_counter("c")
    for user in ("a", "b", "c"):
        counter.add(1, {"user": user})
    provider.add_metric_reader(late)
    for user in ("c", "a", "b", "c", "a", "b"):
        counter.add(10, {"user": user})
    assert _read(late) == {("c",): 20, ("a",): 20, (True,): 20}
    overflow = (("otel_metric_overflow", "true"),)
    assert _page(page) == {(("user", "a"),): 21, (("user", "b"),): 21, overflow: 21}


def test_observed_values_are_each_readers_own() -> None:
    page, memory = PrometheusReader(), _reader()
    provider = _provider(page, memory)
    asked: list[CallbackOptions] = []

    def callback(options: CallbackOptions) -> list[Observation]:
        asked.append(options)
        return [Observation(len(asked))]

    provider.get_meter("tests").create_observable_counter("o", [callback])
    assert _read(memory) == {(): 1}
    assert _page(page) == {(): 2}
    assert _followed(provider, memory) == 0


def test_each_reader_has_the_aggregation_that_it_prefers() -> None:
    page = PrometheusReader()
    memory = InMemoryMetricReader(preferred_aggregation={Histogram: ExponentialBucketHistogramAggregation()})
    histogram = _provider(page, memory).get_meter("tests").create_histogram("h")
    for _ in range(2):
        histogram.record(3)
    data: Any = memory.get_metrics_data()
    (metric,) = data.resource_metrics[0].scope_metrics[0].metrics
    (point,) = metric.data.data_points
    assert (type(point), point.count) == (ExponentialHistogramDataPoint, 2)
    assert b'h_bucket{le="5.0"} 2' in page.page()


@pytest.mark.parametrize("temporality", [DELTA, CUMULATIVE])
def test_a_forked_child_begins_at_zero_in_every_reader(temporality: AggregationTemporality) -> None:
    page, memory = PrometheusReader(), _reader(temporality)
    provider = _provider(page, memory)
    counter = provider.get_meter("tests").create_counter("c")
    write = recording.bind(counter.add, {"a": "x"})
    for _ in range(3):
        counter.add(1, {"a": "x"})
        write(1)
    page.after_fork()
    assert _followed(provider, memory) == 0, "of the parent's series, whose locks a thread may have held"
    assert _read(memory) == {}
    counter.add(2, {"a": "x"})
    write(2)
    write(2)
    assert _followed(provider, memory) == 1
    assert _read(memory) == {("x",): 6}
    assert _page(page) == {(("a", "x"),): 6}


def test_a_forked_child_does_not_report_what_the_sdk_counted_before_the_page_came() -> None:
    memory, page = _reader(), PrometheusReader()
    provider = _provider(memory)
    counter = provider.get_meter("tests").create_counter("c")
    counter.add(1)
    provider.add_metric_reader(page)
    page.after_fork()
    assert _read(memory) == {}
    counter.add(2)
    assert _read(memory) == {(): 2}

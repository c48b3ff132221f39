"""Fast recording: when it finds a series again, when it must not, and what it never does to the application."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections import OrderedDict, defaultdict
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

import pytest
from opentelemetry import context as context_api
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.metrics import get_meter, get_meter_provider
from opentelemetry.sdk.metrics import AlwaysOffExemplarFilter, MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.metrics.view import DropAggregation, ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource

from otel_distro.distro import install_fast_paths
from otel_distro.internals import MetricsSdk, metrics_sdk
from otel_distro.metrics import entries, recording
from otel_distro.metrics.reader import PrometheusReader


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
    recording.uninstall()
    if before:
        recording.install(_sdk())


class Slow:
    """Counts how often the SDK's own way was taken."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.taken = 0
        first = recording._first

        def counted(*arguments: Any) -> None:
            self.taken += 1
            first(*arguments)

        monkeypatch.setattr(recording, "_first", counted)


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Slow:
    return Slow(monkeypatch)


@pytest.fixture
def page() -> PrometheusReader:
    return PrometheusReader()


@pytest.fixture
def provider(page: PrometheusReader) -> MeterProvider:
    return MeterProvider([page], resource=Resource({}), shutdown_on_exit=False)


@pytest.fixture
def counter(provider: MeterProvider) -> Any:
    return provider.get_meter("tests").create_counter("c")


def _lines(page: PrometheusReader) -> set[str]:
    return {line for line in page.page().decode().splitlines() if not line.startswith("#")}


def test_the_second_measurement_of_a_series_finds_it(counter: Any, page: PrometheusReader, slow: Slow) -> None:
    for _ in range(5):
        counter.add(2, {"a": "x", "b": "y"})
        counter.add(2, {"a": "x", "b": "z"})
        counter.add(1)
    assert slow.taken == 3
    assert _lines(page) == {'c_total{a="x",b="y"} 10', 'c_total{a="x",b="z"} 10', "c_total 5"}


@pytest.mark.parametrize(("kind", "method"), [("up_down_counter", "add"), ("histogram", "record"), ("gauge", "set")])
def test_every_kind_of_instrument_is_found_again(provider: MeterProvider, slow: Slow, kind: str, method: str) -> None:
    measure = getattr(getattr(provider.get_meter("tests"), f"create_{kind}")("i"), method)
    for _ in range(5):
        measure(1.5, {"a": "x"})
    assert slow.taken == 1


def test_names_of_attributes_in_another_order_or_number_are_told_apart(counter: Any, page: PrometheusReader) -> None:
    for _ in range(3):
        counter.add(1, {"a": "x", "b": "y"})
        counter.add(1, {"b": "y", "a": "x"})
        counter.add(1, {"a": "y", "b": "x"})
        counter.add(1, {"a": "x", "c": "y"})
        counter.add(1, {"a": "x"})
        counter.add(1, {"a": "x", "b": "y", "c": ""})
    assert _lines(page) == {
        'c_total{a="x",b="y"} 9',
        'c_total{a="y",b="x"} 3',
        'c_total{a="x",c="y"} 3',
        'c_total{a="x"} 3',
    }


def test_calls_with_as_many_attributes_of_other_names_stay_fast(counter: Any, slow: Slow) -> None:
    for _ in range(10):
        counter.add(1, {"a": "x", "b": "y"})
        counter.add(1, {"a": "x", "c": "y"})
    assert slow.taken == 2, "one for each series; the second tells that there are several shapes"


def test_values_that_python_takes_for_equal_are_series_of_their_own(provider: MeterProvider, counter: Any) -> None:
    memory = InMemoryMetricReader()
    provider.add_metric_reader(memory)
    for _ in range(3):
        for value in (True, 1, 1.0, "1"):
            counter.add(1, {"a": value})
            counter.add(1, {"a": value, "b": "x"})
            counter.add(1, {"a": (value,), "b": "x"})
    data = memory.get_metrics_data()
    assert data is not None
    (metric,) = data.resource_metrics[0].scope_metrics[0].metrics
    counts = [getattr(point, "value", 0) for point in metric.data.data_points]
    assert counts == [3] * 12


def test_a_text_of_another_type_is_recorded_in_the_series_of_the_plain_text(
    counter: Any, page: PrometheusReader
) -> None:
    class Word(str):
        __slots__ = ()

    counter.add(1, {"a": "x"})
    counter.add(1, {"a": Word("x")})
    assert _lines(page) == {'c_total{a="x"} 2'}


def test_keyword_arguments_are_taken_as_the_sdk_takes_them(counter: Any, page: PrometheusReader, slow: Slow) -> None:
    for _ in range(2):
        counter.add(amount=1, attributes={"a": "x"}, context=None)
        counter.add(1, attributes={"a": "x"})
    assert slow.taken == 1
    assert _lines(page) == {'c_total{a="x"} 4'}
    with pytest.raises(TypeError):
        counter.add()
    with pytest.raises(TypeError):
        counter.add(1, labels={})


@pytest.mark.parametrize("kind", [dict, OrderedDict, MappingProxyType, lambda given: defaultdict(str, given)])
def test_mappings_of_other_types_are_read_and_never_changed(counter: Any, page: PrometheusReader, kind: Any) -> None:
    counter.add(1, {"a": "x", "b": "y"})
    for _ in range(2):
        attributes: Mapping[str, str] = kind({"a": "x", "z": "y"})
        counter.add(1, attributes)
        assert dict(attributes) == {"a": "x", "z": "y"}
    assert 'c_total{a="x",z="y"} 2' in _lines(page)


class _Raising:
    """Attributes that raise whatever is asked of them."""

    def __bool__(self) -> bool:
        raise ValueError("ambiguous")

    def __len__(self) -> int:
        raise OSError("gone")


@pytest.mark.parametrize(
    "attributes", [5, "ab", ["a"], object(), _Raising(), {1: "x"}, {"a": object()}, {"a": []}, {"": 1}]
)
def test_odd_attributes_never_raise(counter: Any, page: PrometheusReader, attributes: Any) -> None:
    for _ in range(3):
        counter.add(1, attributes)
    assert [line.rpartition(" ")[2] for line in _lines(page)] == ["3"]


def test_attributes_changed_after_the_call_do_not_change_what_was_recorded(
    counter: Any, page: PrometheusReader
) -> None:
    attributes = {"a": "x"}
    for value in ("y", "z", "x"):
        counter.add(1, attributes)
        attributes["a"] = value
    assert _lines(page) == {'c_total{a="x"} 1', 'c_total{a="y"} 1', 'c_total{a="z"} 1'}


@pytest.mark.parametrize("amount", [-1, -0.5, float("nan"), float("inf"), float("-inf")])
def test_an_amount_that_a_counter_cannot_take_is_refused_by_the_sdk(
    counter: Any, page: PrometheusReader, caplog: pytest.LogCaptureFixture, amount: float
) -> None:
    counter.add(1, {"a": "x"})
    counter.add(amount, {"a": "x"})
    assert _lines(page) == {'c_total{a="x"} 1'}
    assert "Add amount" in caplog.text


@pytest.mark.parametrize("amount", ["1", None, 10**400, [1]])
def test_an_amount_that_the_sdk_raises_for_raises_its_own_error(
    counter: Any, page: PrometheusReader, amount: Any
) -> None:
    counter.add(1)
    with pytest.raises((TypeError, OverflowError)) as caught:
        counter.add(amount)
    assert caught.value.__context__ is None, "no trace of the way that was tried first"
    assert _lines(page) == {"c_total 1"}


def test_a_bool_is_an_amount_of_one(counter: Any, page: PrometheusReader) -> None:
    for amount in (True, 1, True, False):
        counter.add(amount)
    assert _lines(page) == {"c_total 3"}


def test_ten_thousand_sets_of_attributes_are_remembered_at_most(counter: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entries, "_MOST_ENTRIES", 50)
    for number in range(120):
        counter.add(1, {"a": str(number), "b": "x"})
        assert len(counter._otel_distro_entries) <= 50
        assert len(counter._otel_distro_shape[2]) <= 50


def test_attributes_that_are_too_many_are_recorded_and_not_remembered(
    counter: Any, page: PrometheusReader, slow: Slow
) -> None:
    for _ in range(2):
        counter.add(1, {f"k{number}": "v" for number in range(200)})
    assert slow.taken == 2
    assert [line.rpartition(" ")[2] for line in _lines(page)] == ["2"]


def test_a_reader_that_comes_or_goes_is_noticed_at_the_next_measurement(provider: MeterProvider, counter: Any) -> None:
    memory = InMemoryMetricReader()
    counter.add(1)
    counter.add(1)
    provider.add_metric_reader(memory)
    counter.add(1)
    counter.add(1)
    data = memory.get_metrics_data()
    assert data is not None
    (point,) = data.resource_metrics[0].scope_metrics[0].metrics[0].data.data_points
    assert getattr(point, "value", 0) == 2
    provider.remove_metric_reader(memory)
    counter.add(1)


def test_a_meter_that_is_switched_off_and_on_is_noticed(
    provider: MeterProvider, counter: Any, page: PrometheusReader
) -> None:
    config: Any = type(counter._meter_config._config)
    for enabled in (True, False, True):
        provider._set_meter_configurator(meter_configurator=lambda _: config(is_enabled=enabled))  # noqa: B023 -- called at once
        counter.add(1)
        counter.add(1)
    assert _lines(page) == {"c_total 4"}


def test_a_series_of_the_parent_is_not_written_to_after_a_fork(counter: Any, page: PrometheusReader) -> None:
    counter.add(1)
    counter.add(1)
    page.after_fork()
    counter.add(1)
    assert _lines(page) == {"c_total 1"}


def test_what_views_drop_is_dropped_fast(page: PrometheusReader, slow: Slow) -> None:
    view = View(instrument_name="c", aggregation=DropAggregation())
    provider = MeterProvider([page], resource=Resource({}), shutdown_on_exit=False, views=[view])
    counter = provider.get_meter("tests").create_counter("c")
    for _ in range(5):
        counter.add(1)
    assert slow.taken == 1
    assert _lines(page) == set()


def test_exponential_histograms_of_the_sdk_are_found_again(page: PrometheusReader, slow: Slow) -> None:
    memory = InMemoryMetricReader()
    view = View(instrument_name="*", aggregation=ExponentialBucketHistogramAggregation())
    provider = MeterProvider([page, memory], resource=Resource({}), shutdown_on_exit=False, views=[view])
    histogram = provider.get_meter("tests").create_histogram("h")
    for _ in range(5):
        histogram.record(2)
    assert slow.taken == 1
    data = memory.get_metrics_data()
    assert data is not None
    (point,) = data.resource_metrics[0].scope_metrics[0].metrics[0].data.data_points
    assert (getattr(point, "count", 0), getattr(point, "sum", 0)) == (5, 10)
    assert "h_count 5" in _lines(page)


def test_a_filter_that_takes_no_exemplars_never_looks_for_a_span(page: PrometheusReader) -> None:
    class Watched(trace.NonRecordingSpan):
        def get_span_context(self) -> trace.SpanContext:
            asked.append(True)
            return super().get_span_context()

    asked: list[bool] = []
    span = Watched(trace.SpanContext(1, 1, False, trace.TraceFlags(1)))
    context = trace.set_span_in_context(span, Context())
    off = AlwaysOffExemplarFilter()
    provider = MeterProvider([page], resource=Resource({}), shutdown_on_exit=False, exemplar_filter=off)
    counter = provider.get_meter("tests").create_counter("c")
    counter.add(1, context=context)
    asked.clear()
    counter.add(1, context=context)
    assert asked == []
    assert _lines(page) == {"c_total 2"}


@pytest.mark.parametrize("span", ["no span", None, 5])
def test_what_is_no_span_in_the_place_of_the_span_does_no_harm(counter: Any, page: PrometheusReader, span: Any) -> None:
    key = next(iter(trace.set_span_in_context(trace.INVALID_SPAN, Context())))
    token = context_api.attach(context_api.set_value(key, span, Context()))
    try:
        for _ in range(3):
            counter.add(1)
    finally:
        context_api.detach(token)
    assert _lines(page) == {"c_total 3"}


def test_a_second_install_changes_nothing_and_uninstall_gives_the_methods_back(counter: Any) -> None:
    ours = type(counter).add
    recording.install(_sdk())
    assert type(counter).add is ours
    assert ours.__name__ == "add"
    recording.uninstall()
    assert type(counter).add is not ours
    counter.add(1)
    recording.uninstall()


def test_a_provider_that_nobody_adopted_is_recorded_fast_and_right(slow: Slow) -> None:
    memory = InMemoryMetricReader()
    provider = MeterProvider([memory], resource=Resource({}), shutdown_on_exit=False)
    counter = provider.get_meter("tests").create_counter("c")
    for _ in range(4):
        counter.add(1, {"a": "x"})
    assert slow.taken == 1
    data = memory.get_metrics_data()
    assert data is not None
    (point,) = data.resource_metrics[0].scope_metrics[0].metrics[0].data.data_points
    assert getattr(point, "value", 0) == 4


def test_instruments_of_the_api_without_an_sdk_are_left_alone() -> None:
    get_meter("nobody").create_counter("nothing").add(1, {"a": "x"})


def test_a_bound_writer_follows_readers_switches_and_forks(
    provider: MeterProvider, counter: Any, page: PrometheusReader, slow: Slow
) -> None:
    write = recording.bind(counter.add, {"a": "x"})
    for _ in range(5):
        write(1)
    assert slow.taken == 1
    memory = InMemoryMetricReader()
    provider.add_metric_reader(memory)
    write(1)
    write(1)
    data = memory.get_metrics_data()
    assert data is not None
    (point,) = data.resource_metrics[0].scope_metrics[0].metrics[0].data.data_points
    assert getattr(point, "value", 0) == 2
    assert _lines(page) == {'c_total{a="x"} 7'}
    config: Any = type(counter._meter_config._config)
    provider._set_meter_configurator(meter_configurator=lambda _: config(is_enabled=False))
    write(1)
    provider._set_meter_configurator(meter_configurator=lambda _: config(is_enabled=True))
    write(1)
    assert _lines(page) == {'c_total{a="x"} 8'}
    page.after_fork()
    write(1)
    write(1)
    assert _lines(page) == {'c_total{a="x"} 2'}


def test_bound_writers_of_histograms_and_gauges_write_the_same_cells_as_their_instruments(
    provider: MeterProvider, page: PrometheusReader
) -> None:
    meter = provider.get_meter("tests")
    histogram = meter.create_histogram("h", explicit_bucket_boundaries_advisory=[1, 2])
    record, put = recording.bind(histogram.record, {}), recording.bind(meter.create_gauge("g").set, {})
    for amount in (1, 1.5, 5):
        record(amount)
        histogram.record(amount)
        put(amount)
    assert _lines(page) == {
        'h_bucket{le="1.0"} 2',
        'h_bucket{le="2.0"} 4',
        'h_bucket{le="+Inf"} 6',
        "h_count 6",
        "h_sum 15",
        "g 5",
    }


def test_a_bound_writer_of_what_is_no_instrument_calls_it_each_time() -> None:
    given: list[Any] = []
    write = recording.bind(lambda amount, attributes: given.append((amount, attributes)), {"a": "x"})
    write(1)
    write(2)
    assert given == [(1, {"a": "x"}), (2, {"a": "x"})]


def test_a_bound_writer_within_a_sampled_span_leaves_an_exemplar(counter: Any, page: PrometheusReader) -> None:
    write = recording.bind(counter.add, {"a": "x"})
    write(1)
    write(1)
    span = trace.NonRecordingSpan(trace.SpanContext(2**100, 2**60, False, trace.TraceFlags(1)))
    token = context_api.attach(trace.set_span_in_context(span))
    try:
        write(1)
    finally:
        context_api.detach(token)
    text = page.page("application/openmetrics-text; version=1.0.0; charset=utf-8").decode()
    assert f'trace_id="{2**100:032x}"' in text


def test_threads_that_make_the_same_series_at_once_share_it(counter: Any, page: PrometheusReader) -> None:
    barrier = threading.Barrier(8)

    def measure() -> None:
        barrier.wait()
        for number in range(200):
            counter.add(1, {"a": str(number), "b": "x"})

    threads = [threading.Thread(target=measure) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {line.rpartition(" ")[2] for line in _lines(page)} == {"8"}


def test_the_fast_paths_are_put_in_force_without_a_provider(slow: Slow) -> None:
    recording.uninstall()
    before = get_meter_provider()
    install_fast_paths()
    install_fast_paths()
    assert get_meter_provider() is before
    slow.taken = 0
    provider = MeterProvider([InMemoryMetricReader()], resource=Resource({}), shutdown_on_exit=False)
    counter = provider.get_meter("tests").create_counter("c")
    counter.add(1)
    counter.add(1)
    assert slow.taken == 1


def test_a_fork_after_a_thread_pool_was_used_does_not_hang_in_the_sdk() -> None:
    program = """
import os, signal, sys
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.resources import Resource
from otel_distro.metrics.reader import PrometheusReader
provider = MeterProvider([PrometheusReader()], resource=Resource({}), shutdown_on_exit=False)
import concurrent.futures.thread
child = os.fork()
if child == 0:
    os._exit(7)
signal.signal(signal.SIGALRM, lambda *_: os.kill(child, signal.SIGKILL))
signal.alarm(20)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=60).returncode == 7

"""Storages: limited series, cells for the page, rounds of observations, exemplars, forks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from time import time
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.metrics import Counter, MeterProvider, ObservableCounter, SimpleFixedSizeExemplarReservoir
from opentelemetry.sdk.metrics._internal.exponential_histogram.mapping.exponent_mapping import ExponentMapping
from opentelemetry.sdk.metrics._internal.exponential_histogram.mapping.logarithm_mapping import LogarithmMapping
from opentelemetry.sdk.metrics.export import AggregationTemporality, HistogramDataPoint, InMemoryMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource

from otel_distro.internals import MetricsSdk, metrics_sdk
from otel_distro.metrics import adoption, recording, storages
from otel_distro.metrics.families import COUNTER, Families, Labels
from otel_distro.metrics.limits import LONGEST_VALUE, Limits
from otel_distro.metrics.reader import PrometheusReader
from otel_distro.metrics.series import SharedSeries
from otel_distro.metrics.shared import CellFile, CellReader
from otel_distro.metrics.store import CellStore
from otel_distro.metrics.streams import EXEMPLAR_CELLS, HISTOGRAM, Stream
from tests.interruptions import points

OVERFLOW: Labels = (("otel_metric_overflow", "true"),)
DELTA = AggregationTemporality.DELTA


@pytest.fixture(autouse=True)
def _fast() -> Iterator[None]:
    """Record as in the field; leave it as it was."""
    before = bool(recording._originals)
    recording.install(_sdk())
    yield
    if not before:
        recording.uninstall()


def _sdk() -> MetricsSdk:
    sdk = metrics_sdk()
    assert sdk is not None
    return sdk


class Metrics:
    """A provider with the page's reader and one as for OTLP."""

    def __init__(self, limits: Limits | None = None, *, delta: bool = False) -> None:
        kinds: Any = dict.fromkeys((Counter, ObservableCounter), DELTA) if delta else None
        self.page = PrometheusReader(limits=limits)
        self.memory = InMemoryMetricReader(preferred_temporality=kinds)
        self.provider = MeterProvider([self.page, self.memory], resource=Resource({}), shutdown_on_exit=False)
        self.meter = self.provider.get_meter("tests")

    def series(self, name: str) -> dict[Labels, Any]:
        """Return the series that the page shows for a name."""
        self.page.observe()
        families = Families()
        self.page._merger.add_to(families, scope_labels=False)
        return {key: value for family in families if family.name == name for key, value in family.series.items()}

    def collected(self, reader: InMemoryMetricReader | None = None) -> dict[Any, Any]:
        """Return the values that the other reader collects, by attributes."""
        data = (reader or self.memory).get_metrics_data()
        metrics = data.resource_metrics[0].scope_metrics[0].metrics if data else []
        return {
            tuple(sorted((point.attributes or {}).items())): getattr(point, "value", getattr(point, "count", None))
            for metric in metrics
            for point in metric.data.data_points
        }


def test_what_is_over_the_limit_lands_in_one_overflow_series_and_no_amount_is_lost() -> None:
    limits = Limits(by_instrument={"c": 3})
    metrics = Metrics(limits)
    counter = metrics.meter.create_counter("c")
    for number in range(10):
        counter.add(number, {"user": str(number)})
        counter.add(1, {"user": str(number)})
    series = metrics.series("c")
    assert series == {(("user", "0"),): 1, (("user", "1"),): 2, (("user", "2"),): 3, OVERFLOW: 49}
    assert limits.overflowed == {"c": 14}


def test_readers_for_other_ways_out_have_the_same_limit() -> None:
    limits = Limits(2)
    metrics = Metrics(limits)
    counter = metrics.meter.create_counter("c")
    for number in range(5):
        counter.add(1, {"user": str(number)})
    expected = {(("user", "0"),): 1, (("user", "1"),): 1, (("otel.metric.overflow", True),): 3}
    assert metrics.collected() == expected
    assert limits.overflowed == {"c": 3}, "counted once, not for each reader"


def test_a_reader_that_comes_later_is_limited_as_well() -> None:
    metrics = Metrics(Limits(2))
    late = InMemoryMetricReader()
    counter = metrics.meter.create_counter("c")
    metrics.provider.add_metric_reader(late)
    metrics.meter.create_observable_gauge("o", [lambda _: [Observation(n, {"n": n}) for n in range(4)]])
    for number in range(5):
        counter.add(1, {"user": str(number)})
    assert len(metrics.collected(late)) == 5  # two series of c and two of o, and their overflow under the same labels


def test_a_page_that_comes_later_has_its_cells() -> None:
    metrics = Metrics()
    counter = metrics.meter.create_counter("c")
    counter.add(1)
    page = PrometheusReader()
    metrics.provider.add_metric_reader(page)
    counter.add(2)
    counter.add(2)
    assert b"\nc_total 4\n" in page.page()
    assert metrics.series("c") == {(): 5}


def test_delta_readers_keep_to_the_limit_from_one_collection_to_the_next() -> None:
    metrics = Metrics(Limits(1), delta=True)
    counter = metrics.meter.create_counter("c")
    for _ in range(2):
        for number in range(3):
            counter.add(1, {"user": str(number)})
        assert metrics.collected() == {(("user", "0"),): 1, (("otel.metric.overflow", True),): 2}
    assert metrics.collected() == {}
    assert metrics.series("c") == {(("user", "0"),): 2, OVERFLOW: 4}


def test_every_instrument_has_a_limit_of_its_own() -> None:
    metrics = Metrics(Limits(1, {"wide": 3}))
    for name in ("wide", "narrow"):
        counter = metrics.meter.create_counter(name)
        for number in range(3):
            counter.add(1, {"user": str(number)})
    assert OVERFLOW not in metrics.series("wide")
    assert metrics.series("narrow")[OVERFLOW] == 2


def test_an_instrument_that_may_have_no_series_has_its_overflow_series() -> None:
    metrics = Metrics(Limits(by_instrument={"c": 0}))
    counter = metrics.meter.create_counter("c")
    counter.add(1)
    counter.add(2, {"a": "x"})
    assert metrics.series("c") == {OVERFLOW: 3}


def test_only_the_overflow_series_carries_its_label() -> None:
    metrics = Metrics()
    counter = metrics.meter.create_counter("c")
    for key in ("otel.metric.overflow", "otel_metric_overflow"):
        counter.add(1, {key: True, "a": "x"})
        counter.add(1, {key: "true", "a": "x"})
    assert metrics.series("c") == {(("a", "x"),): 4}
    assert metrics.collected() == {(("a", "x"),): 4}


def test_a_reservoir_that_a_view_names_keeps_the_exemplars() -> None:
    class Own(SimpleFixedSizeExemplarReservoir):
        pass

    view = View(instrument_name="c", exemplar_reservoir_factory=cast(Any, lambda _: Own))
    provider: Any = MeterProvider([InMemoryMetricReader()], views=[view], shutdown_on_exit=False)
    adoption.limit(_sdk(), provider, Limits())
    provider.get_meter("app").create_counter("c").add(1)
    (storage,) = provider._measurement_consumer._reader_storages.values()
    (series,) = storage.matches()[0]._attributes_aggregation.values()
    assert type(series._reservoir) is Own
    provider.shutdown()


def test_a_long_label_is_cut_in_every_reader_and_each_time_counted_once() -> None:
    limits = Limits()
    metrics = Metrics(limits)
    counter = metrics.meter.create_counter("c")
    for _ in range(3):
        counter.add(1, {"a": "ä" * 2000})
    cut = "ä" * (LONGEST_VALUE // 2)
    assert metrics.series("c") == {(("a", cut),): 3}
    assert metrics.collected() == {(("a", cut),): 3}
    assert limits.cut_values == {"c": 3}


@given(st.integers(1, 6), st.lists(st.tuples(st.integers(0, 9), st.integers(0, 100)), max_size=40))
def test_whatever_the_limit_the_sum_over_all_series_is_what_was_added(limit: int, added: list[tuple[int, int]]) -> None:
    metrics = Metrics(Limits(limit), delta=True)
    counter = metrics.meter.create_counter("c")
    for user, amount in added:
        counter.add(amount, {"user": str(user)})
    total = sum(amount for _, amount in added)
    series = metrics.series("c")
    assert sum(series.values()) == total
    assert sum(metrics.collected().values()) == total
    assert len(series) <= limit + 1


class Reports:
    """A callback that reports what the test says; None raises, a text is no observation."""

    def __init__(self) -> None:
        self.now: Any = []

    def __call__(self, _: CallbackOptions) -> Any:
        if self.now is None:
            raise OSError("the sensor is gone")
        return [Observation(value, attributes) for value, attributes in self.now]


@pytest.mark.parametrize("kind", ["counter", "up_down_counter", "gauge"])
def test_a_series_that_is_observed_no_more_vanishes_and_comes_back(kind: str) -> None:
    metrics, reports = Metrics(), Reports()
    getattr(metrics.meter, f"create_observable_{kind}")("o", [reports])
    reports.now = [(1, {"a": "x"}), (2, {"a": "y"})]
    assert metrics.series("o") == {(("a", "x"),): 1, (("a", "y"),): 2}
    reports.now = [(3, {"a": "y"})]
    assert metrics.series("o") == {(("a", "y"),): 3}
    reports.now = []
    assert metrics.series("o") == {}
    reports.now = [(5, {"a": "x"})]
    assert metrics.series("o") == {(("a", "x"),): 5}


def test_a_callback_that_raises_takes_only_its_own_series_away(caplog: pytest.LogCaptureFixture) -> None:
    metrics, broken, sound = Metrics(), Reports(), Reports()
    broken.now, sound.now = [(1, None)], [(2, None)]
    metrics.meter.create_observable_gauge("broken", [broken])
    metrics.meter.create_observable_gauge("sound", [sound])
    assert metrics.series("broken") == {(): 1}
    broken.now = None
    assert metrics.series("broken") == {}
    assert metrics.series("sound") == {(): 2}
    assert "broken" in caplog.text


def test_a_callback_that_returns_nothing_shows_nothing() -> None:
    metrics = Metrics()
    metrics.meter.create_observable_counter("o", [lambda _: None])  # type: ignore[list-item, return-value]
    assert metrics.series("o") == {}
    assert b"o_total" not in metrics.page.page()


@pytest.mark.parametrize(("kind", "value"), [("counter", 7), ("up_down_counter", 7), ("gauge", 4)])
def test_the_callbacks_of_one_round_make_one_value(kind: str, value: int) -> None:
    metrics, first, second = Metrics(), Reports(), Reports()
    first.now, second.now = [(1, None), (2, None)], [(4, None)]
    getattr(metrics.meter, f"create_observable_{kind}")("o", [first, second])
    for _ in range(2):
        assert metrics.series("o") == {(): value}
        assert metrics.collected() == {(): value}


def test_a_round_is_not_seen_before_it_is_complete() -> None:
    metrics = Metrics()
    seen: list[Any] = []

    def callback(_: CallbackOptions) -> Iterator[Observation]:
        yield Observation(1)
        families = Families()
        metrics.page._merger.add_to(families, scope_labels=False)
        seen.extend(value for family in families for value in family.series.values())
        yield Observation(2)

    metrics.meter.create_observable_counter("o", [callback])
    metrics.page.observe()
    metrics.page.observe()
    assert seen == [3]


def _span(trace_id: int, span_id: int, *, sampled: bool = True) -> Context:
    span_context = trace.SpanContext(trace_id, span_id, False, trace.TraceFlags(int(sampled)))
    return trace.set_span_in_context(trace.NonRecordingSpan(span_context), Context())


def _exemplars(file: CellFile) -> dict[int, tuple[float, float, int, int]]:
    """Return value, time, trace id and span id of the exemplars in a file, by bucket."""
    reader = CellReader(file)
    words = reader.read()
    numbers = memoryview(words.obj).cast("Q")
    found = {}
    for entry in reader.entries:
        if entry.text.startswith('["exemplars"'):
            for bucket in range(entry.cells // EXEMPLAR_CELLS):
                at = entry.first + EXEMPLAR_CELLS * bucket
                if words[at + 1]:
                    trace_id = numbers[at + 2] << 64 | numbers[at + 3]
                    found[bucket] = (words[at], words[at + 1], trace_id, numbers[at + 4])
    return found


def test_a_measurement_within_a_sampled_span_is_the_exemplar_of_its_bucket() -> None:
    metrics = Metrics()
    histogram = metrics.meter.create_histogram("h", explicit_bucket_boundaries_advisory=[1, 2])
    before = time()
    for amount, context in ((0.5, _span(2**127 + 5, 2**63 + 7)), (9, _span(3, 4)), (1.5, _span(5, 6, sampled=False))):
        histogram.record(amount, {"a": "x"}, context)
    file = metrics.page.store.file
    assert file is not None
    found = _exemplars(file)
    assert {bucket: (value, *ids) for bucket, (value, _, *ids) in found.items()} == {
        0: (0.5, 2**127 + 5, 2**63 + 7),
        2: (9, 3, 4),
    }
    assert all(before <= at <= time() for _, at, *_ in found.values())


def test_the_exemplar_of_a_bucket_is_renewed_after_a_second() -> None:
    file = CellFile(None)
    stream = Stream("h", HISTOGRAM, "", "", (1.0,))
    series = SharedSeries(stream, (), CellStore(lambda: file))
    for number in (1, 2):
        series.offer(number / 2, None, None, trace.SpanContext(number, number, False))
    assert _exemplars(file)[0][0] == 0.5
    series.due[0] -= 2
    series.offer(0.75, None, None, trace.SpanContext(3, 3, False))
    assert [(value, *ids) for value, _, *ids in _exemplars(file).values()] == [(0.75, 3, 3)]


def test_a_counter_that_is_always_on_shows_ids_where_there_are_some(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_METRICS_EXEMPLAR_FILTER", "always_on")
    metrics = Metrics()
    counter = metrics.meter.create_counter("c")
    counter.add(1)
    file = metrics.page.store.file
    assert file is not None
    assert _exemplars(file) == {}
    counter.add(2, context=_span(8, 9))
    assert [(value, *ids) for value, _, *ids in _exemplars(file).values()] == [(2, 8, 9)]


class _Interrupted:
    """One instrument that measures in the midst of its own measurement, or of a collection."""

    def __init__(self, kind: str, *, with_page: bool) -> None:
        self.kind = kind
        self.metrics = Metrics(delta=True) if with_page else None
        self.reader = self.metrics.memory if self.metrics else InMemoryMetricReader({Counter: DELTA})
        provider = self.metrics.provider if self.metrics else MeterProvider([self.reader], shutdown_on_exit=False)
        if not with_page:
            adoption.limit(_sdk(), provider, Limits())
        meter = provider.get_meter("tests")
        self._measure = meter.create_counter("hits").add if kind == "counter" else meter.create_histogram("hits").record
        self.found: dict[str, Any] = {}

    def measure(self) -> None:
        self._measure(1, {"who": "action"})

    def handle(self) -> None:
        self._measure(2, {"who": "handler"})
        self._measure(3, {"who": "action"})

    def collect(self) -> None:
        data = self.reader.get_metrics_data()
        for point in data.resource_metrics[0].scope_metrics[0].metrics[0].data.data_points if data else ():
            who: Any = (point.attributes or {})["who"]
            if isinstance(point, HistogramDataPoint):
                self.found[who] = (point.count, point.sum, sum(point.bucket_counts), point.min, point.max)
            else:
                self.found[who] = self.found.get(who, 0) + getattr(point, "value", 0)


@pytest.mark.parametrize("kind", ["counter", "histogram"])
@pytest.mark.parametrize("with_page", [True, False])
@pytest.mark.parametrize("collecting", [True, False])
def test_what_is_measured_in_the_midst_of_anything_counts_in_every_reader(
    kind: str, with_page: bool, collecting: bool
) -> None:
    """As by a signal handler, a finalizer or a callback of the garbage collector, whose thread may hold any lock."""
    made: list[_Interrupted] = []

    def prepare() -> tuple[Callable[[], None], Callable[[], None]]:
        one = _Interrupted(kind, with_page=with_page)
        made.append(one)
        if collecting:
            one.measure()
        return one.collect if collecting else one.measure, one.handle

    for at in points(prepare, every=3):
        one = made.pop()
        one.collect()
        counted = {"handler": 2, "action": 4}
        spread = {"handler": (1, 2, 1, 2, 2), "action": (2, 4, 2, 1, 3)}
        assert one.found == (counted if kind == "counter" else spread), at
        if one.metrics is not None:
            shown = {labels[0][1]: getattr(value, "sum", value) for labels, value in one.metrics.series("hits").items()}
            assert shown == counted, at


def test_an_exponential_histogram_takes_what_comes_in_the_midst_of_a_measurement_after_it() -> None:
    view = View(instrument_name="*", aggregation=ExponentialBucketHistogramAggregation(max_size=4))
    made: list[InMemoryMetricReader] = []

    def prepare() -> tuple[Callable[[], object], Callable[[], object]]:
        for kind in (ExponentMapping, LogarithmMapping):  # as in a process that has had no such histogram
            kind._mappings.clear()
        recording.uninstall()
        recording.install(_sdk())
        made.append(InMemoryMetricReader())
        provider = MeterProvider([made[-1]], views=[view], shutdown_on_exit=False)
        adoption.limit(_sdk(), provider, Limits())
        histogram = provider.get_meter("tests").create_histogram("took")
        histogram.record(1)

        def handler() -> None:
            histogram.record(0.01)
            histogram.record(1, {"who": "handler"})
            histogram.record(1e9, {"who": "handler"})

        return lambda: histogram.record(100), handler

    for at in points(prepare):
        data: Any = made.pop().get_metrics_data()
        point, other = data.resource_metrics[0].scope_metrics[0].metrics[0].data.data_points
        found = (point.count, point.sum, sum(point.positive.bucket_counts), point.min, point.max)
        assert found == (3, pytest.approx(101.01), 3, 0.01, 100), at
        assert (other.count, other.sum) == (2, 1e9 + 1), at


def test_a_child_begins_at_zero_with_free_locks_and_goes_on() -> None:
    limits = Limits(1)
    metrics = Metrics(limits)
    counter = metrics.meter.create_counter("c")
    for user in ("a", "a", "b"):
        counter.add(1, {"user": user})
    consumer: Any = metrics.provider._measurement_consumer
    held = [consumer._lock]
    for storage in consumer._reader_storages.values():
        held.append(storage._lock)
        held += [match._lock for match in storage._get_or_init_view_instrument_match(counter)]
    for lock in held:
        lock.acquire()
    metrics.page.after_fork()
    assert limits.overflowed == {}
    assert metrics.collected() == {}
    counter.add(1, {"user": "b"})
    counter.add(1, {"user": "b"})
    assert metrics.series("c") == {(("user", "b"),): 2}
    assert metrics.collected() == {(("user", "b"),): 2}


def test_only_the_page_has_cells() -> None:
    metrics = Metrics()
    metrics.meter.create_counter("c").add(1)
    consumer: Any = metrics.provider._measurement_consumer
    ours = storages.classes(_sdk())
    kinds = [type(storage) for storage in consumer._reader_storages.values()]
    assert kinds == [ours.limited, ours.shared]
    families = Families()
    metrics.page._merger.add_to(families, scope_labels=False)
    assert [family.kind for family in families] == [COUNTER]

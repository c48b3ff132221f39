"""The page's text: what a scraper reads is what was measured."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.metrics import Observation
from opentelemetry.sdk.metrics import Histogram, MeterProvider
from opentelemetry.sdk.metrics.view import (
    ExplicitBucketHistogramAggregation,
    ExponentialBucketHistogramAggregation,
    View,
)
from opentelemetry.sdk.resources import Resource
from prometheus_client import CollectorRegistry, Counter, Gauge, GCCollector, ProcessCollector
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from otel_distro.metrics import prometheus
from otel_distro.metrics.families import GAUGE, Family
from otel_distro.metrics.label_texts import LabelTexts
from otel_distro.metrics.prometheus import OPENMETRICS, TEXT, chosen_format, page_text
from otel_distro.metrics.reader import PrometheusReader

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


class Page:
    """A provider with our reader, and what both formats of its page say."""

    def __init__(self, *, views: tuple[View, ...] = (), **options: object) -> None:
        self.reader = PrometheusReader(target_info=False, **options)  # type: ignore[arg-type]
        self.provider = MeterProvider(
            metric_readers=[self.reader],
            views=views,
            resource=Resource({"service.name": "shop"}),
            shutdown_on_exit=False,
        )
        self.meter = self.provider.get_meter("first")

    def samples(self) -> Samples:
        """Return the page's samples; both formats must say the same."""
        text = {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in parse_text(self.reader.page(TEXT).decode())
            for sample in family.samples
        }
        openmetrics = {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in parse_openmetrics(self.reader.page(OPENMETRICS).decode())  # type: ignore[no-untyped-call]
            for sample in family.samples
        }
        assert text.keys() == openmetrics.keys()
        assert all(a == openmetrics[key] or math.isnan(a) for key, a in text.items())
        return text

    def value(self, name: str, **labels: str) -> float:
        return self.samples()[name, tuple(sorted(labels.items()))]


@pytest.fixture
def page() -> Iterator[Page]:
    made = Page()
    yield made
    made.provider.shutdown()


def test_a_counter_has_its_unit_and_total(page: Page) -> None:
    page.meter.create_counter("http_requests", "{request}").add(3, {"method": "GET"})
    page.meter.create_counter("sent", "By").add(10)
    page.meter.create_counter("already_total").add(1)
    assert page.samples() == {
        ("http_requests_total", (("method", "GET"),)): 3,
        ("sent_bytes_total", ()): 10,
        ("already_total", ()): 1,
    }


def test_a_histogram_has_cumulative_buckets(page: Page) -> None:
    histogram = page.meter.create_histogram("wait", "s", explicit_bucket_boundaries_advisory=[0.5, 1, 5])
    for amount in (0.1, 0.5, 0.7, 9.0):
        histogram.record(amount, {"queue": "a"})
    assert page.value("wait_seconds_bucket", queue="a", le="0.5") == 2
    assert page.value("wait_seconds_bucket", queue="a", le="1.0") == 3
    assert page.value("wait_seconds_bucket", queue="a", le="5.0") == 3
    assert page.value("wait_seconds_bucket", queue="a", le="+Inf") == 4
    assert page.value("wait_seconds_count", queue="a") == 4
    assert page.value("wait_seconds_sum", queue="a") == pytest.approx(10.3)


def test_a_histogram_without_bounds_is_a_summary(page: Page) -> None:
    page.meter.create_histogram("size", "By", explicit_bucket_boundaries_advisory=[]).record(7, {"path": "/"})
    assert page.samples() == {("size_bytes_count", (("path", "/"),)): 1, ("size_bytes_sum", (("path", "/"),)): 7}
    assert "# TYPE size_bytes summary" in page.reader.page().decode()


def test_an_up_down_counter_and_a_set_gauge_are_gauges(page: Page) -> None:
    up_down = page.meter.create_up_down_counter("in_flight")
    up_down.add(5)
    up_down.add(-7)
    page.meter.create_gauge("level").set(2.5)
    page.meter.create_observable_gauge("seen", [lambda _: [Observation(4, {"a": "b"})]])
    assert page.samples() == {("in_flight", ()): -2, ("level", ()): 2.5, ("seen", (("a", "b"),)): 4}


def test_sums_beyond_the_largest_number_stand_on_the_page_in_the_words_of_the_format(page: Page) -> None:
    other = page.provider.get_meter("second")
    for name, amount in (("up", 1e308), ("down", -1e308), ("both", 1e308)):
        for meter, sign in ((page.meter, 1), (other, -1 if name == "both" else 1)):
            instrument = meter.create_up_down_counter(name)
            for _ in range(2):
                instrument.add(sign * amount)
    for accepted in (TEXT, OPENMETRICS):
        lines = page.reader.page(accepted).decode().splitlines()
        assert [line for line in lines if not line.startswith("#")] == ["up +Inf", "down -Inf", "both NaN"]


def test_two_scopes_with_one_name_and_different_labels_keep_their_own_labels(page: Page) -> None:
    page.meter.create_counter("jobs", description="x").add(1, {"queue": "a", "kind": "k"})
    page.provider.get_meter("second").create_counter("jobs", description="y").add(2, {"host": "h"})
    assert page.samples() == {
        ("jobs_total", (("kind", "k"), ("queue", "a"))): 1,
        ("jobs_total", (("host", "h"),)): 2,
    }
    assert page.reader.page().decode().count("# TYPE jobs_total") == 1


def test_two_scopes_with_one_series_are_added_up(page: Page) -> None:
    for scope, amount in (("first", 1), ("second", 2)):
        meter = page.provider.get_meter(scope)
        meter.create_counter("jobs").add(amount)
        meter.create_histogram("wait", explicit_bucket_boundaries_advisory=[1, 2]).record(amount)
    assert page.value("jobs_total") == 3
    assert page.value("wait_bucket", le="1.0") == 1
    assert page.value("wait_bucket", le="2.0") == 2
    assert page.value("wait_sum") == 3


def test_of_two_set_gauges_the_one_that_came_later_is_shown(page: Page) -> None:
    first = page.meter.create_gauge("level")
    second = page.provider.get_meter("second").create_gauge("level")
    second.set(2)
    first.set(1)
    assert page.samples() == {("level", ()): 1}


def test_a_name_with_two_types_shows_the_first_and_warns_once(page: Page, caplog: pytest.LogCaptureFixture) -> None:
    page.meter.create_counter("jobs").add(1)
    page.provider.get_meter("second").create_histogram("jobs", explicit_bucket_boundaries_advisory=[1]).record(1)
    assert page.samples() == {("jobs_total", ()): 1}
    assert [record.getMessage() for record in caplog.records] == [
        (
            "metric 'jobs' is a histogram here and a counter elsewhere; the first is shown; "
            "give the instruments different names"
        )
    ]


def test_a_gauge_that_would_take_a_histograms_sample_name_is_left_out(
    page: Page, caplog: pytest.LogCaptureFixture
) -> None:
    page.meter.create_histogram("wait", explicit_bucket_boundaries_advisory=[1]).record(1)
    page.meter.create_gauge("wait_count").set(100)
    assert page.value("wait_count") == 1
    assert "would show as wait_count" in caplog.text


def test_two_sets_of_bounds_for_one_series_show_the_first_and_warn(
    page: Page, caplog: pytest.LogCaptureFixture
) -> None:
    page.meter.create_histogram("wait", explicit_bucket_boundaries_advisory=[1]).record(1)
    page.provider.get_meter("second").create_histogram("wait", explicit_bucket_boundaries_advisory=[2]).record(1)
    assert page.value("wait_count") == 1
    assert "two sets of bounds" in caplog.text


def test_an_exponential_histogram_stands_on_the_page_with_every_observation() -> None:
    page = Page(views=(View(instrument_type=Histogram, aggregation=ExponentialBucketHistogramAggregation()),))
    histogram = page.meter.create_histogram("wait", "s")
    for amount in (0.0, 0.3, 3.0, 300.0):
        histogram.record(amount)
    assert page.value("wait_seconds_bucket", le="+Inf") == 4
    assert page.value("wait_seconds_bucket", le="0.0") == 1
    assert page.value("wait_seconds_bucket", le="0.5") == 2
    assert page.value("wait_seconds_bucket", le="4.0") == 3
    assert page.value("wait_seconds_sum") == pytest.approx(303.3)
    page.provider.shutdown()


def test_values_that_become_one_label_are_added_up(page: Page) -> None:
    counter = page.meter.create_counter("jobs")
    counter.add(1, {"shard": 1})
    counter.add(2, {"shard": "1"})
    counter.add(4, {"shard": True})
    assert page.samples() == {("jobs_total", (("shard", "1"),)): 3, ("jobs_total", (("shard", "true"),)): 4}


def test_an_empty_label_is_an_absent_one(page: Page) -> None:
    counter = page.meter.create_counter("jobs")
    counter.add(1, {"a": "", "b": "x"})
    counter.add(2, {"b": "x"})
    assert page.samples() == {("jobs_total", (("b", "x"),)): 3}


def test_keys_that_become_one_label_have_their_values_joined(page: Page) -> None:
    page.meter.create_counter("jobs").add(1, {"a.b": "1", "a_b": "2"})
    assert page.samples() == {("jobs_total", (("a_b", "1;2"),)): 1}


def test_scope_labels_are_off_unless_asked_for(page: Page) -> None:
    page.meter.create_counter("jobs").add(1)
    assert page.samples() == {("jobs_total", ()): 1}
    asked = Page(scope_labels=True)
    asked.meter.create_counter("jobs").add(1)
    assert asked.samples() == {("jobs_total", (("otel_scope_name", "first"),)): 1}
    asked.provider.shutdown()


def test_target_info_carries_the_resource() -> None:
    reader = PrometheusReader()
    provider = MeterProvider([reader], resource=Resource({"service.name": "shop"}), shutdown_on_exit=False)
    provider.get_meter("a").create_counter("jobs").add(1)
    assert '# TYPE target_info gauge\ntarget_info{service_name="shop"} 1\n' in reader.page().decode()
    assert '# TYPE target info\ntarget_info{service_name="shop"} 1\n' in reader.page(OPENMETRICS).decode()
    provider.shutdown()


def test_the_target_info_of_a_registry_does_not_stand_beside_that_of_the_resource() -> None:
    registry = CollectorRegistry(target_info={"service_name": "another"})
    reader = PrometheusReader(registries=(registry,))
    provider = MeterProvider([reader], resource=Resource({"service.name": "shop"}), shutdown_on_exit=False)
    for accepted in (TEXT, OPENMETRICS):
        lines = [line for line in reader.page(accepted).decode().splitlines() if line.startswith("target_info")]
        assert lines == ['target_info{service_name="shop"} 1']
    provider.shutdown()


@pytest.mark.parametrize("name", ["target_info", "target"])
@pytest.mark.parametrize("kind", ["create_counter", "create_gauge", "create_histogram"])
def test_no_instrument_takes_the_name_of_what_tells_the_resource(
    name: str, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    reader = PrometheusReader()
    meter = MeterProvider([reader], shutdown_on_exit=False).get_meter("app")
    instrument = getattr(meter, kind)(name)
    for measure in {"add", "set", "record"} & set(dir(instrument)):
        getattr(instrument, measure)(1)
    meter.create_counter("hits").add(1)
    for content_type, parse in ((TEXT, parse_text), (OPENMETRICS, parse_openmetrics)):
        page = reader.page(content_type).decode()
        heads = [line.split()[2] for line in page.splitlines() if line.startswith("# TYPE")]
        assert len(heads) == len(set(heads)), page
        assert [*parse(page)]
        assert "hits_total 1" in page
    assert len([message for message in caplog.messages if "is not shown" in message]) == 1


def test_a_histogram_that_is_named_as_a_counter_is_scraped_is_left_out(
    page: Page, caplog: pytest.LogCaptureFixture
) -> None:
    page.meter.create_counter("jobs").add(2)
    page.meter.create_histogram("jobs_total").record(1)
    assert page.samples() == {("jobs_total", ()): 2}
    assert "'jobs_total' would show as jobs_total, which is the name of jobs" in caplog.text


@pytest.mark.parametrize(
    ("bounds", "suffixes"), [([1.0], ("", "_bucket", "_count", "_sum")), ([], ("", "_count", "_sum"))]
)
def test_a_gauge_that_is_named_as_a_part_of_a_distribution_is_left_out(
    page: Page, bounds: list[float], suffixes: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    page.meter.create_histogram("wait", explicit_bucket_boundaries_advisory=bounds).record(1)
    before = page.samples()
    for suffix in suffixes:
        page.meter.create_gauge(f"wait{suffix}").set(9)
    assert page.samples() == before
    assert len(caplog.messages) == len(suffixes)


def test_a_sum_that_is_no_counter_is_no_part_of_openmetrics() -> None:
    views = tuple(View(instrument_name=name, aggregation=ExplicitBucketHistogramAggregation((2.0,))) for name in "ab")
    page = Page(views=views)
    page.meter.create_up_down_counter("a").add(-3)
    page.meter.create_up_down_counter("b").add(3)
    page.meter.create_histogram("c", explicit_bucket_boundaries_advisory=[-1.0, 2.0]).record(1)
    text, openmetrics = (page.reader.page(content_type).decode() for content_type in (TEXT, OPENMETRICS))
    assert [*parse_openmetrics(openmetrics)]  # type: ignore[no-untyped-call]
    sums = {"a_sum -3", "a_count 1", "b_sum 3", "b_count 1", "c_sum 1", "c_count 1"}
    assert sums < set(text.splitlines())
    assert sums & set(openmetrics.splitlines()) == {"b_sum 3", "b_count 1"}
    assert {'a_bucket{le="+Inf"} 1', 'c_bucket{le="+Inf"} 1'} < set(openmetrics.splitlines())


def test_of_prometheus_client_only_what_it_says_of_its_own_process_is_left_out() -> None:
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    GCCollector(registry=registry)
    Counter("process_orders", "the user's", registry=registry).inc(5)
    Gauge("python_gc_pauses", "the user's", registry=registry).set(3)
    page = Page(registries=(registry,))
    samples = {name: value for (name, _), value in page.samples().items() if not name.endswith("_created")}
    assert samples == {"process_orders_total": 5, "python_gc_pauses": 3}
    page.provider.shutdown()


def test_a_collector_of_prometheus_client_that_raises_takes_nothing_else_from_the_page(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Database:
        down = True

        def describe(self) -> list[GaugeMetricFamily]:
            return []

        def collect(self) -> Iterator[GaugeMetricFamily]:
            yield GaugeMetricFamily("rows", "", 1)
            if self.down:
                raise ConnectionError("the database is down")

    registry, database = CollectorRegistry(target_info={"a": "b"}), Database()
    Counter("before", "", registry=registry).inc(1)
    registry.register(database)
    Counter("files", "", ["name"], registry=registry).labels("caf\udce9").inc(2)  # which it cannot encode
    Counter("after", "", registry=registry).inc(3)
    page = Page(registries=(registry,))
    page.meter.create_counter("jobs").add(4)
    for _ in range(2):
        values = [page.samples().get((name, ())) for name in ("before_total", "after_total", "jobs_total", "rows")]
        assert values == [1, 3, 4, None]
    assert page.value("target_info", a="b") == 1
    assert caplog.text.count("left out while Database raises ConnectionError: the database is down") == 1
    assert caplog.text.count("left out while files raises UnicodeEncodeError") == 1
    Database.down = False
    assert page.value("rows") == 1
    page.provider.shutdown()


def test_metrics_of_prometheus_client_stand_on_the_page_unless_their_name_is_taken(
    caplog: pytest.LogCaptureFixture,
) -> None:
    registry = CollectorRegistry()
    Counter("own", "the user's", registry=registry).inc(5)
    Counter("jobs", "taken", registry=registry).inc(99)
    page = Page(registries=(registry,))
    page.meter.create_counter("jobs").add(1)
    samples = page.samples()
    assert samples["own_total", ()] == 5
    assert samples["jobs_total", ()] == 1
    assert caplog.text.count("has a name that an OpenTelemetry instrument has") == 1
    page.provider.shutdown()


def test_a_registry_of_the_applications_own_kind_stands_on_the_page() -> None:
    class Own:
        def collect(self) -> Iterator[GaugeMetricFamily]:
            yield GaugeMetricFamily("rows", "", 7)

    page = Page(registries=(Own(),))
    assert page.samples() == {("rows", ()): 7}
    page.provider.shutdown()


def test_openmetrics_says_the_unit_that_a_name_ends_in_and_the_text_format_has_no_word_for_it(page: Page) -> None:
    page.meter.create_histogram("wait", "s", explicit_bucket_boundaries_advisory=[1]).record(1)
    page.meter.create_counter("http_requests", "{request}").add(1)
    units = [line for line in page.reader.page(OPENMETRICS).decode().splitlines() if line.startswith("# UNIT")]
    assert units == ["# UNIT wait_seconds seconds"]
    assert "# UNIT" not in page.reader.page(TEXT).decode()


def test_a_description_of_several_lines_is_one_line_of_the_page(page: Page) -> None:
    page.meter.create_counter("jobs", description='of "a\\b"\nand more').add(1)
    assert '# HELP jobs_total of "a\\\\b"\\nand more\n' in page.reader.page(TEXT).decode()
    assert '# HELP jobs of \\"a\\\\b\\"\\nand more\n' in page.reader.page(OPENMETRICS).decode()


def test_texts_of_labels_are_held_for_as_many_series_as_the_last_page_showed(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = LabelTexts()
    monkeypatch.setattr(prometheus, "_texts", texts)
    families = [Family("level", GAUGE, "", "", series={(("number", str(number)),): 1.0 for number in range(25_000)})]
    page_text(families, None, openmetrics=False)
    assert len(texts) == 25_000
    page_text([], None, openmetrics=False)
    assert len(texts) == 0


def test_an_empty_page_is_valid_in_both_formats(page: Page) -> None:
    assert page.reader.page() == b""
    assert page.reader.page(OPENMETRICS) == b"# EOF\n"


@settings(max_examples=100, deadline=None)
@given(
    st.dictionaries(
        st.text(min_size=1, max_size=8),
        st.text(max_size=30)
        | st.integers()
        | st.booleans()
        | st.floats(allow_nan=False)
        | st.lists(st.text(max_size=5)),
        max_size=4,
    ),
    st.integers(0, 2**53) | st.floats(0, 1e300),
    st.text(max_size=40),
)
def test_whatever_the_labels_hold_the_page_parses_and_says_the_value(
    attributes: dict[str, object], amount: float, description: str
) -> None:
    page = Page()
    page.meter.create_counter("jobs", description=description).add(amount, attributes)  # type: ignore[arg-type]
    assert list(page.samples().values()) == [amount]
    page.provider.shutdown()


@pytest.mark.parametrize("fast", [True, False], ids=["cells", "as the SDK collects"])
def test_labels_that_a_page_cannot_tell_apart_are_one_series(fast: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not fast:
        monkeypatch.setattr("otel_distro.metrics.reader.metrics_sdk", lambda: None)
    page = Page()
    files = page.meter.create_counter("files")
    # As file names that are no UTF-8 come.
    for amount, name in ((1, "caf\udce9"), (2, "caf\udcea"), (4, "caf?")):
        files.add(amount, {"name": name})
    lines = page.reader.page().decode().splitlines()
    assert [line for line in lines if not line.startswith("#")] == ['files_total{name="caf?"} 7']
    page.provider.shutdown()


@pytest.mark.parametrize("fast", [True, False], ids=["cells", "as the SDK collects"])
def test_a_label_that_the_samples_of_a_distribution_have_themselves_is_shown_under_another_name(
    fast: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not fast:
        monkeypatch.setattr("otel_distro.metrics.reader.metrics_sdk", lambda: None)
    page = Page()
    wait = page.meter.create_histogram("wait", explicit_bucket_boundaries_advisory=[1])
    for amount, labels in ((0.5, {"le": "a"}), (2, {"le": "b", "exported_le": "c"}), (3, {"quantile": "d"})):
        wait.record(amount, labels)
    page.meter.create_histogram("size", explicit_bucket_boundaries_advisory=[]).record(7, {"quantile": "x", "le": "y"})
    assert page.value("wait_bucket", le="1.0", exported_le="a") == 1
    assert page.value("wait_sum", exported_le="c;b") == 2
    assert page.value("wait_count", quantile="d") == 1
    assert page.value("size_sum", exported_quantile="x", le="y") == 7
    page.provider.shutdown()


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("", TEXT),
        ("*/*", TEXT),
        ("text/html,*/*;q=0.8", TEXT),
        ("application/openmetrics-text; version=1.0.0", OPENMETRICS),
        ("application/openmetrics-text", OPENMETRICS),
        ("Application/OpenMetrics-Text;Q=0.9,TEXT/PLAIN;q=0.5", OPENMETRICS),
        # Prometheus 2.42
        (
            (
                "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
                "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
            ),
            OPENMETRICS,
        ),
        # Prometheus 3
        (
            (
                "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
                "application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,"
                "text/plain;version=0.0.4;q=0.2,*/*;q=0.1"
            ),
            OPENMETRICS,
        ),
        ("application/openmetrics-text;q=0.1,text/plain;q=0.9", TEXT),
        ("application/openmetrics-text;q=0,*/*", TEXT),
        ("application/openmetrics-text;q=nonsense", TEXT),
        (";;;,=,q=", TEXT),
    ],
)
def test_the_format_is_the_one_that_the_client_prefers(accept: str, content_type: str) -> None:
    assert chosen_format(accept) == content_type

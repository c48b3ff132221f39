"""The page's reader: exemplars, observation, and the way without fast recording."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from opentelemetry.metrics import Observation
from opentelemetry.sdk.metrics import AlwaysOffExemplarFilter, MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from otel_distro.internals import metrics_sdk
from otel_distro.metrics import reader as reader_module
from otel_distro.metrics import recording
from otel_distro.metrics.prometheus import OPENMETRICS, TEXT
from otel_distro.metrics.reader import PrometheusReader


@pytest.fixture(params=["fast", "slow"])
def _recording(request: pytest.FixtureRequest) -> Iterator[None]:
    sdk = metrics_sdk()
    assert sdk is not None
    if request.param == "fast":
        recording.install(sdk)
    yield
    recording.uninstall()


def made(**options: object) -> tuple[PrometheusReader, MeterProvider]:
    reader = PrometheusReader(target_info=False)
    return reader, MeterProvider([reader], resource=Resource({}), shutdown_on_exit=False, **options)  # type: ignore[arg-type]


def exemplars(reader: PrometheusReader) -> dict[str, dict[str, str]]:
    """Return the labels of each exemplar by sample name and bound."""
    return {
        sample.name + sample.labels.get("le", ""): dict(sample.exemplar.labels)
        for family in text_string_to_metric_families(reader.page(OPENMETRICS).decode())  # type: ignore[no-untyped-call]
        for sample in family.samples
        if sample.exemplar
    }


@pytest.mark.usefixtures("_recording")
def test_a_measurement_in_a_sampled_span_is_an_exemplar_of_its_bucket() -> None:
    reader, provider = made()
    meter = provider.get_meter("a")
    counter = meter.create_counter("jobs")
    histogram = meter.create_histogram("wait", explicit_bucket_boundaries_advisory=[1, 5])
    tracer = TracerProvider(sampler=ALWAYS_ON, shutdown_on_exit=False).get_tracer("a")
    ids = []
    for amount in (0.5, 3.0, 99.0):
        # Twice: the first measurement of a series goes another way than the next.
        histogram.record(amount)
        counter.add(1)
        with tracer.start_as_current_span("work") as span:
            histogram.record(amount)
            counter.add(1)
            context = span.get_span_context()
            ids.append({"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"})
    found = exemplars(reader)
    assert found["wait_bucket1.0"] == ids[0]
    assert found["wait_bucket5.0"] == ids[1]
    assert found["wait_bucket+Inf"] == ids[2]
    assert found["jobs_total"] in ids
    assert "#  {" not in reader.page(TEXT).decode()
    assert "trace_id" not in reader.page(TEXT).decode()
    provider.shutdown()


@pytest.mark.usefixtures("_recording")
def test_a_distribution_that_is_not_shown_gives_no_exemplar_to_the_one_that_is() -> None:
    reader, provider = made()
    shown = provider.get_meter("a").create_histogram("wait", explicit_bucket_boundaries_advisory=[1, 5])
    other = provider.get_meter("b").create_histogram("wait", explicit_bucket_boundaries_advisory=[50])
    shown.record(0.5)
    other.record(30)
    with TracerProvider(sampler=ALWAYS_ON, shutdown_on_exit=False).get_tracer("a").start_as_current_span("work"):
        other.record(30)
    assert exemplars(reader) == {}
    provider.shutdown()


@pytest.mark.usefixtures("_recording")
def test_outside_of_a_sampled_span_there_is_no_exemplar() -> None:
    reader, provider = made()
    counter = provider.get_meter("a").create_counter("jobs")
    with TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False).get_tracer("a").start_as_current_span("work"):
        counter.add(1)
        counter.add(1)
    counter.add(1)
    assert exemplars(reader) == {}
    provider.shutdown()


@pytest.mark.usefixtures("_recording")
def test_the_filter_that_is_always_off_gives_no_exemplar() -> None:
    reader, provider = made(exemplar_filter=AlwaysOffExemplarFilter())
    counter = provider.get_meter("a").create_counter("jobs")
    with TracerProvider(sampler=ALWAYS_ON, shutdown_on_exit=False).get_tracer("a").start_as_current_span("work"):
        counter.add(1)
        counter.add(1)
    assert exemplars(reader) == {}
    provider.shutdown()


def test_an_observed_series_that_is_not_observed_any_more_vanishes() -> None:
    reader, provider = made()
    rounds = iter([[Observation(1, {"a": "x"}), Observation(2, {"a": "y"})], [Observation(3, {"a": "y"})], []])
    provider.get_meter("a").create_observable_gauge("level", [lambda _: next(rounds)])
    assert reader.page().count(b"level{") == 2
    assert re.findall(rb'level\{a="(.)"\} (\d)', reader.page()) == [(b"y", b"3")]
    assert b"level{" not in reader.page()
    provider.shutdown()


def test_where_the_sdk_keeps_measurements_in_another_way_the_page_shows_what_it_collects(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reader_module, "metrics_sdk", lambda: None)
    reader = PrometheusReader()
    provider = MeterProvider([reader], resource=Resource({"service.name": "shop"}), shutdown_on_exit=False)
    provider.get_meter("a").create_counter("jobs").add(2, {"a": "b"})
    page = reader.page().decode()
    assert 'jobs_total{a="b"} 2' in page
    assert 'target_info{service_name="shop"} 1' in page
    provider.shutdown()


def test_other_readers_of_the_provider_get_their_own_data() -> None:
    reader, other = PrometheusReader(target_info=False), InMemoryMetricReader()
    provider = MeterProvider([reader, other], resource=Resource({}), shutdown_on_exit=False)
    provider.get_meter("a").create_counter("jobs").add(2)
    assert b"jobs_total 2" in reader.page()
    data = other.get_metrics_data()
    assert data is not None
    assert data.resource_metrics[0].scope_metrics[0].metrics[0].data.data_points[0].value == 2  # type: ignore[union-attr]
    provider.shutdown()

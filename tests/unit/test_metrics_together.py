"""The four figures of an answered request: recorded together they are what they are one by one."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.context import Context
from opentelemetry.metrics._internal import _ProxyMeterProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.metrics.view import View
from opentelemetry.sdk.resources import Resource
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context, use_span

from otel_distro.internals import metrics_sdk
from otel_distro.metrics import recording
from otel_distro.metrics.reader import PrometheusReader
from otel_distro.metrics.together import Answers

OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
SPAN = NonRecordingSpan(SpanContext(0xABC, 0xDEF, False, TraceFlags(1)))


@pytest.fixture(autouse=True, scope="module")
def _fast() -> Iterator[None]:
    """Record as in the field; leave it as it was."""
    before = bool(recording._originals)
    sdk = metrics_sdk()
    assert sdk is not None
    recording.install(sdk)
    yield
    if not before:
        recording.uninstall()


class Shop(NamedTuple):
    """The four instruments of a provider of its own, with its page."""

    page: PrometheusReader
    provider: MeterProvider
    active: Any
    duration: Any
    size: Any
    requests: Any
    answers: Answers

    def lines(self, kind: str = "text/plain") -> set[str]:
        return {line for line in self.page.page(kind).decode().splitlines() if not line.startswith("#")}


def shop(*views: View) -> Shop:
    page = PrometheusReader()
    provider = MeterProvider([page], resource=Resource({}), views=views, shutdown_on_exit=False)
    meter = provider.get_meter("tests")
    active = meter.create_up_down_counter("active")
    duration = meter.create_histogram("took", explicit_bucket_boundaries_advisory=[0.1, 1.0])
    size = meter.create_histogram("size", explicit_bucket_boundaries_advisory=[])
    requests = meter.create_counter("requests")
    answers = Answers(active.add, duration.record, size.record, requests.add)
    return Shop(page, provider, active, duration, size, requests, answers)


def points_of(memory: InMemoryMetricReader) -> dict[str, Any]:
    data: Any = memory.get_metrics_data()
    return {metric.name: metric.data.data_points[0] for metric in data.resource_metrics[0].scope_metrics[0].metrics}


answered = st.tuples(
    st.sampled_from(["GET", "POST"]),
    st.sampled_from(["/", "/items/<id>"]),
    st.sampled_from([200, 404, 500]),
    st.floats(0, 100),
    st.integers(0, 2**62),
)


@given(st.lists(answered, max_size=30))
def test_the_page_shows_what_it_shows_of_the_four_recorded_one_by_one(requests: list[Any]) -> None:
    together, apart = shop(), shop()
    for method, endpoint, status, seconds, size in requests:
        together.answers.started()
        apart.active.add(1)
        together.answers.record(method, endpoint, status, seconds, size)
        labels = {"method": method, "endpoint": endpoint}
        apart.active.add(-1)
        apart.duration.record(seconds, labels)
        apart.size.record(size, labels)
        apart.requests.add(1, {**labels, "status": str(status)})
    assert together.lines() == apart.lines()
    assert len(together.answers._found) == len({request[:3] for request in requests})


@pytest.mark.parametrize(
    "view",
    [
        View(instrument_name="took", attribute_keys={"method"}),
        View(instrument_name="size", name="renamed"),
        View(instrument_name="active", name="renamed"),
    ],
)
def test_what_views_have_changed_is_recorded_as_they_say(view: View) -> None:
    changed = shop(view)
    labels = {"method": "GET", "endpoint": "/"}
    for _ in range(5):
        changed.answers.started()
        changed.answers.record("GET", "/", 200, 0.5, 10)
    seen = changed.lines()
    other = shop(view)
    for _ in range(5):
        other.active.add(1)
        other.active.add(-1)
        other.duration.record(0.5, labels)
        other.size.record(10, labels)
        other.requests.add(1, {**labels, "status": "200"})
    assert seen == other.lines()


def test_a_reader_that_comes_later_gets_all_from_then_on_and_the_page_goes_on() -> None:
    found = shop()
    found.answers.record("GET", "/", 200, 0.5, 10)
    assert found.answers._found
    memory = InMemoryMetricReader()
    found.provider.add_metric_reader(memory)
    found.answers.started()
    for _ in range(5):
        found.answers.record("GET", "/", 200, 0.5, 10)
    points = points_of(memory)
    assert (points["active"].value, points["requests"].value) == (-4, 5)
    assert (points["took"].count, points["size"].sum) == (5, 50)
    assert 'requests_total{endpoint="/",method="GET",status="200"} 6' in found.lines()
    assert not found.answers._found, "two readers are more than cells"


def test_a_meter_that_is_turned_off_counts_no_request_until_it_is_on_again() -> None:
    found = shop()
    config: Any = type(found.active._meter_config._config)
    for enabled in (True, False, True):
        found.provider._set_meter_configurator(
            meter_configurator=lambda _: config(is_enabled=enabled)  # noqa: B023 -- called at once
        )
        for _ in range(2):
            found.answers.started()
            found.answers.started()
            found.answers.record("GET", "/", 200, 0.5, 10)
    assert {"active 4", 'requests_total{endpoint="/",method="GET",status="200"} 4'} < found.lines()


def test_the_span_of_the_request_or_else_the_current_one_is_named_by_exemplars() -> None:
    found = shop()
    found.answers.record("GET", "/", 200, 0.5, 10)
    found.answers.record("GET", "/", 200, 0.5, 10, set_span_in_context(SPAN, Context()))
    with use_span(SPAN):
        found.answers.record("GET", "/", 200, 5.0, 10)
    named = [line for line in found.lines(OPENMETRICS) if f'trace_id="{0xABC:032x}"' in line]
    assert {line.split(" ", 1)[0] for line in named} == {
        'took_bucket{endpoint="/",method="GET",le="1.0"}',
        'took_bucket{endpoint="/",method="GET",le="+Inf"}',
        'requests_total{endpoint="/",method="GET",status="200"}',
    }, found.lines(OPENMETRICS)


def test_more_series_than_are_kept_at_hand_are_recorded_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("otel_distro.metrics.together._MOST_SERIES", 3)
    found = shop()
    for _ in range(3):
        for number in range(5):
            found.answers.record("GET", f"/{number}", 200, 0.5, 10)
    counts = [line for line in found.lines() if line.startswith("requests_total")]
    assert [line.rpartition(" ")[2] for line in counts] == ["3"] * 5
    assert len(found.answers._found) <= 3


def test_without_fast_recording_the_sdk_gets_all_four() -> None:
    sdk = metrics_sdk()
    assert sdk is not None
    recording.uninstall()
    try:
        memory = InMemoryMetricReader()
        provider = MeterProvider([memory], resource=Resource({}), shutdown_on_exit=False)
        meter = provider.get_meter("tests")
        active, requests = meter.create_up_down_counter("active"), meter.create_counter("requests")
        duration, size = meter.create_histogram("took"), meter.create_histogram("size")
        answers = Answers(active.add, duration.record, size.record, requests.add)
        for _ in range(5):
            answers.record("GET", "/", 200, 0.5, 10)
        points = points_of(memory)
        assert (points["active"].value, points["requests"].value) == (-5, 5)
        assert (points["took"].count, points["size"].sum) == (5, 50)
    finally:
        recording.install(sdk)


def proxies() -> tuple[Any, Answers]:
    """Return a provider that waits for another one to be set, and what records by its instruments."""
    provider = _ProxyMeterProvider()
    meter = provider.get_meter("tests")
    requests, duration, size = (
        meter.create_counter("requests"),
        meter.create_histogram("took"),
        meter.create_histogram("s"),
    )
    active = meter.create_up_down_counter("active")
    return provider, Answers(active.add, duration.record, size.record, requests.add)


def test_a_request_that_nobody_measures_costs_five_calls() -> None:
    _, answers = proxies()
    calls: list[str] = []
    sys.setprofile(lambda frame, event, _: calls.append(frame.f_code.co_name) if event == "call" else None)
    try:
        answers.started()
        answers.record("GET", "/", 200, 0.5, 10)
    finally:
        sys.setprofile(None)
    assert calls == ["started", "_is_heard", "record", "_record_apart", "_is_heard"]


def test_a_provider_that_is_set_amid_requests_counts_those_that_end_from_then_on_and_none_stays_in_flight() -> None:
    waiting, answers = proxies()
    for _ in range(3):
        answers.started()
    answers.record("GET", "/", 200, 0.5, 10)
    memory = InMemoryMetricReader()
    waiting.on_set_meter_provider(MeterProvider([memory], resource=Resource({}), shutdown_on_exit=False))
    answers.record("GET", "/", 200, 0.5, 10)
    assert points_of(memory)["active"].value == 1
    answers.started()
    for _ in range(2):
        answers.record("GET", "/", 200, 0.5, 10)
    points = points_of(memory)
    assert (points["active"].value, points["requests"].value) == (0, 3)

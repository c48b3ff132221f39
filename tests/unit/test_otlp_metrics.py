"""Metric points that OTLP cannot hold are sent as what it can, and keep no other point from being sent."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics import AlwaysOnExemplarFilter, MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from otel_distro import exporters
from otel_distro.otlp_metrics import sendable
from otel_distro.settings import Settings
from tests.otlp import Receiver, attributes

_texts = st.text(max_size=5) | st.sampled_from(["\udc80", "a\ud800b"])
_values: Any = st.recursive(
    _texts | st.booleans() | st.integers() | st.integers(2**63 - 2, 2**64) | st.floats() | st.binary(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_texts, inner, max_size=2),
    max_leaves=3,
)


class _Errors(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


def _collected(measure: Any) -> Any:
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], exemplar_filter=AlwaysOnExemplarFilter(), shutdown_on_exit=False)
    measure(provider.get_meter("tests"))
    return reader.get_metrics_data()


@given(st.dictionaries(_texts.filter(bool), _values, max_size=3), st.integers(0, 2**1020), st.integers(), _texts)
def test_whatever_is_measured_can_be_sent(labels: Any, amount: int, level: int, text: str) -> None:
    def measure(meter: Any) -> None:
        meter.create_counter("hits", description=text).add(amount, labels)
        meter.create_histogram("took").record(amount, labels)
        meter.create_gauge("level").set(level, labels)

    errors = _Errors()
    logger = logging.getLogger("opentelemetry.exporter.otlp.proto.common")
    logger.addHandler(errors)
    try:
        request = encode_metrics(sendable(_collected(measure)))
    finally:
        logger.removeHandler(errors)
    assert not errors.texts
    hits, took, gauge = request.resource_metrics[0].scope_metrics[0].metrics
    (hit,) = hits.sum.data_points
    assert (hit.as_int if amount < 2**63 else hit.as_double) == (amount if amount < 2**63 else float(amount))
    assert took.histogram.data_points[0].sum == float(amount)
    assert len(gauge.gauge.data_points) == 1


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=5), st.integers(0, 9)))
def test_what_can_be_sent_is_sent_as_it_is(labels: Any) -> None:
    collected = _collected(lambda meter: meter.create_counter("hits").add(3, labels))
    before = encode_metrics(collected).SerializeToString()
    assert encode_metrics(sendable(collected)).SerializeToString() == before


def test_one_sum_that_is_too_large_keeps_no_other_from_the_receiver(caplog: pytest.LogCaptureFixture) -> None:
    with Receiver() as receiver:
        reader = exporters._reader_of(OTLPMetricExporter(f"{receiver.endpoint}/v1/metrics"), Settings.from_environ({}))
        provider = MeterProvider([reader], shutdown_on_exit=False)
        meter = provider.get_meter("tests")
        meter.create_counter("nanoseconds").add(2**63)
        meter.create_counter("hits").add(1, {"path": "/a\udc80"})
        assert reader.force_flush(60_000)
        provider.shutdown()
    points = [
        (metric.name, point.as_int or point.as_double, attributes(point))
        for resource in receiver.metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        for point in metric.sum.data_points
        if metric.name in {"nanoseconds", "hits"}
    ]
    assert points[:2] == [("nanoseconds", 2.0**63, {}), ("hits", 1, {"path": "/a\\udc80"})]
    assert not caplog.messages

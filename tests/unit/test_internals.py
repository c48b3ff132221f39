"""Private OpenTelemetry names: all there on this release, and what happens where one is not."""

from __future__ import annotations

import threading

import pytest
from opentelemetry import trace
from opentelemetry.sdk.metrics._internal.exponential_histogram.mapping.exponent_mapping import ExponentMapping
from opentelemetry.sdk.metrics._internal.exponential_histogram.mapping.logarithm_mapping import LogarithmMapping

from otel_distro import internals

CONTEXT = trace.SpanContext(5, 7, False, trace.TraceFlags(3))
INVALID = trace.SpanContext(5, 0, False)


def test_this_release_has_every_private_name() -> None:
    assert internals.missing() == []


def test_a_name_that_has_gone_costs_its_feature_and_one_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delattr("opentelemetry.sdk._configuration._import_id_generator")
    monkeypatch.setattr(internals, "warned", set())
    assert internals.id_generator("random") is None
    assert internals.id_generator("random") is None
    assert internals.missing() == ["opentelemetry.sdk._configuration._import_id_generator"]
    assert [record.getMessage() for record in caplog.records] == [
        (
            "this OpenTelemetry release has no opentelemetry.sdk._configuration._import_id_generator: "
            "OTEL_PYTHON_ID_GENERATOR is not in force"
        )
    ]


def test_a_module_that_has_gone_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(internals, "_CONFIGURATION", "opentelemetry.sdk.nowhere")
    monkeypatch.setattr(internals, "warned", set())
    assert internals.sampler("always_off") is None
    assert internals.provider_configurator("tracer", "mine") == {}


@pytest.mark.parametrize("release", ["this", "without the key", "of another context"])
def test_the_ids_of_the_current_span_are_told_in_every_release(release: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if release == "without the key":
        found = internals.find
        monkeypatch.setattr(internals, "find", lambda *names: None if "_SPAN_KEY" in names else found(*names))
    if release == "of another context":
        monkeypatch.setattr("opentelemetry.trace.SpanContext", type("SpanContext", (), {}))
    ids = internals.current_span_ids()
    assert ids() == (0, 0, 0)
    with trace.use_span(trace.INVALID_SPAN):
        assert ids() == (0, 0, 0)
    with trace.use_span(trace.NonRecordingSpan(CONTEXT)):
        assert ids() == (5, 7, 3)
        assert type(ids()[2]) is int
    with trace.use_span(trace.NonRecordingSpan(INVALID)):
        assert ids() == (0, 0, 0)


def test_named_parts_are_loaded() -> None:
    assert internals.sampler("always_off").get_description() == "AlwaysOffSampler"
    assert internals.sampler(None) is None
    assert type(internals.id_generator("random")).__name__ == "RandomIdGenerator"


def test_aggregations_that_are_made_in_another_way_are_left_alone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert internals.metrics_sdk() is not None
    monkeypatch.setattr(internals, "warned", set())
    monkeypatch.delattr("opentelemetry.sdk.metrics._internal.aggregation._Aggregation._sample_exemplar")
    for _ in range(2):
        assert internals.metrics_sdk() is None
    (message,) = [record.getMessage() for record in caplog.records]
    assert "keeps measurements in another way" in message
    assert "_sample_exemplar" in message


def test_an_sdk_that_is_off_is_no_other_release(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    monkeypatch.setattr(internals, "warned", set())
    assert internals.metrics_sdk() is None
    assert caplog.messages == []


@pytest.mark.parametrize("kind", [ExponentMapping, LogarithmMapping])
def test_what_exponential_histograms_share_is_found_while_somebody_else_is_looking_for_it(
    kind: type[ExponentMapping | LogarithmMapping], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kind, "_mappings_lock", threading.Lock())
    internals.make_mappings()
    with kind._mappings_lock:
        thread = threading.Thread(target=kind, args=(kind._min_scale,), daemon=True)
        thread.start()
        thread.join(5)
        assert not thread.is_alive()

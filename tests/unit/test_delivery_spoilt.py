"""What no request can be made of is lost alone, and counted: all that is beside it arrives, over real sockets."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from opentelemetry._logs import LogRecord
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter
from opentelemetry.sdk._logs import LoggerProvider, ReadableLogRecord
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider

from otel_distro import otlp_spans
from otel_distro.delivery.metrics import PeriodicReader
from otel_distro.delivery.outbox import Batching, LogOutbox, Outbox, SpanOutbox
from otel_distro.delivery.sender import Sender
from tests.otlp import GrpcReceiver, Receiver

BATCHING = Batching(600, 512, 2048)


def ended(tracer: Any, name: Any, start: Any = None) -> None:
    tracer.start_span(name, start_time=start).end()


def an_outbox(signal: str, exporter: Any, size_of: Any = lambda _: 0) -> Outbox:
    return Outbox("test", Sender(signal, exporter), BATCHING, size_of, 60)


@pytest.mark.parametrize("by", ["http", "grpc"])
def test_a_span_that_cannot_be_encoded_is_lost_alone_and_told_once(by: str, caplog: pytest.LogCaptureFixture) -> None:
    with GrpcReceiver() if by == "grpc" else Receiver() as receiver:
        exporter: Any = (
            GrpcExporter(receiver.endpoint) if by == "grpc" else HttpExporter(f"{receiver.endpoint}/v1/traces")
        )
        outbox = an_outbox("traces", exporter, otlp_spans.size_of)
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SpanOutbox(outbox))
        tracer = provider.get_tracer("test")
        for _ in range(2):
            ended(tracer, "first")
            ended(tracer, "before 1970", -5)
            ended(tracer, "in seconds", 1.5)
            span: Any = tracer.start_span("an event that is no text")
            span.add_event(7)
            span.end()
            ended(tracer, "last")
            provider.force_flush()
        names = [span.name for each in receiver.spans for scope in each.scope_spans for span in scope.spans]
        assert names == ["first", "last"] * 2
        assert receiver.requests == 2
        assert outbox.ledger.dropped == 6
        outbox.end()
    (line,) = [message for message in caplog.messages if "dropped" in message]
    assert line.startswith("spans that cannot be encoded are dropped")
    assert not [message for message in caplog.messages if "Failed to encode" in message]


def test_a_number_beyond_64_bits_costs_its_own_point_alone(caplog: pytest.LogCaptureFixture) -> None:
    with Receiver() as receiver:
        reader = PeriodicReader(Sender("metrics", OTLPMetricExporter(f"{receiver.endpoint}/v1/metrics")), 600, 60)
        provider = MeterProvider([reader], shutdown_on_exit=False)
        limit = provider.get_meter("one").create_gauge("limit")
        limit.set(2**64, {"of": "memory"})
        limit.set(5, {"of": "processes"})
        provider.get_meter("two").create_counter("work").add(1)
        provider.force_flush()
        assert [point.as_int for name in ("limit", "work") for _, point in receiver.points(name)] == [5, 1]
        assert reader.ledger.dropped == 1
        provider.shutdown()
    assert [message for message in caplog.messages if "limit: ValueError" in message]


def test_a_log_record_that_cannot_be_encoded_is_lost_alone() -> None:
    with Receiver() as receiver:
        outbox = an_outbox("logs", OTLPLogExporter(f"{receiver.endpoint}/v1/logs"))
        provider = LoggerProvider(shutdown_on_exit=False)
        processor: Any = LogOutbox(outbox, ReadableLogRecord)
        provider.add_log_record_processor(processor)
        for body in ("first", 2**64, "last"):
            provider.get_logger("test").emit(LogRecord(timestamp=1, body=body))
        provider.force_flush()
        bodies = [r.body.string_value for each in receiver.logs for s in each.scope_logs for r in s.log_records]
        assert bodies == ["first", "last"]
        assert outbox.ledger.dropped == 1
        outbox.end()


def test_where_nothing_is_left_no_request_is_made_and_the_receiver_is_not_blamed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with Receiver() as receiver:
        outbox = an_outbox("traces", HttpExporter(f"{receiver.endpoint}/v1/traces"))
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SpanOutbox(outbox))
        for _ in range(3):
            ended(provider.get_tracer("test"), "before 1970", -5)
        provider.force_flush()
        assert receiver.requests == 0
        assert outbox.ledger.dropped == 3
        outbox.end()
    assert not [message for message in caplog.messages if "does not take" in message]


def test_an_exporter_of_the_applications_own_works_as_it_did(caplog: pytest.LogCaptureFixture) -> None:
    with Receiver() as receiver:
        an_outbox("traces", HttpExporter(f"{receiver.endpoint}/v1/traces")).end()
        spans: list[Any] = []
        for start in (1, -5):
            span: Any = TracerProvider(shutdown_on_exit=False).get_tracer("test").start_span("work", start_time=start)
            span.end()
            spans.append(span)
        caplog.set_level(logging.ERROR)
        result = HttpExporter(f"{receiver.endpoint}/v1/traces").export(spans)
        assert result.name == "FAILURE"
        assert receiver.requests == 0
    assert [message for message in caplog.messages if "Failed to encode" in message]

"""The OpenTelemetry packages as they are: `metrics` by Prometheus, or `traces` and metrics by OTLP; `log` adds logs."""

import logging
import sys

import flask
import worker
from opentelemetry import metrics, trace
from opentelemetry.instrumentation.flask import FlaskInstrumentor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider

logger = logging.getLogger("shop")
logger.setLevel(logging.INFO)


def log(order_id: int) -> None:
    logger.info("order %d is on its way", order_id, extra={"order_id": order_id})


def by_prometheus() -> None:
    from opentelemetry.exporter.prometheus import PrometheusMetricReader

    metrics.set_meter_provider(MeterProvider([PrometheusMetricReader()]))
    # As its prefix command makes one: spans are recorded though nobody exports them.
    trace.set_tracer_provider(TracerProvider())


def by_otlp() -> None:
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    metrics.set_meter_provider(MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter())]))
    tracers = TracerProvider()
    tracers.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(tracers)


def logs_by_otlp() -> None:
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.instrumentation.logging.handler import LoggingHandler
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor

    provider = LoggerProvider()
    provider.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter()))
    logging.getLogger().addHandler(LoggingHandler(logger_provider=provider))


by_prometheus() if "metrics" in sys.argv else by_otlp()
if "log" in sys.argv:
    logs_by_otlp()
FlaskInstrumentor().instrument()


def counted() -> int:
    if "metrics" not in sys.argv:
        metrics.get_meter_provider().force_flush()  # type: ignore[attr-defined]
        return -1
    import prometheus_client

    lines = prometheus_client.generate_latest().decode().splitlines()
    found = [line for line in lines if line.startswith("http_server") and "_count{" in line]
    return int(sum(float(line.rpartition(" ")[2]) for line in found))


def flush() -> None:
    trace.get_tracer_provider().force_flush()  # type: ignore[attr-defined]


worker.work(worker.shop(flask, log if "log" in sys.argv else None), counted, flush)

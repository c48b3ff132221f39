"""This package, set up by its variables alone; with `log` as an argument, a log line in each request.

Without an OTLP endpoint the metrics are on the page and nothing else is exported.
"""

import logging
import os
import sys

import flask
import worker
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider

import otel_distro

otel_distro.configure()
logger = logging.getLogger("shop")
logger.setLevel(logging.INFO)


def log(order_id: int) -> None:
    logger.info("order %d is on its way", order_id, extra={"order_id": order_id})


def counted() -> int:
    """Read the page; where there is none, the OTLP exporter is asked to send, and the receiver knows."""
    if os.environ.get("OTEL_METRICS_EXPORTER") == "otlp":
        provider = metrics.get_meter_provider()
        if isinstance(provider, MeterProvider):
            provider.force_flush()
        return -1
    asked = {**worker.environ(), "PATH_INFO": "/"}
    page = b"".join(otel_distro.metrics_app()(asked, lambda *_: None))
    return int(worker.page_total("http_requests_total", page))


def flush() -> None:
    provider = trace.get_tracer_provider()
    if isinstance(provider, TracerProvider):
        provider.force_flush()


worker.work(worker.shop(flask, log if "log" in sys.argv else None), counted, flush)

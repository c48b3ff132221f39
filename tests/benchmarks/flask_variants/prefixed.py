"""An application without a line of telemetry, for a Python that a distribution's prefix command has set up.

`log` as an argument logs a line in each request. What sends by OTLP is asked to, and its receiver counts; where there
is a page, that is read.
"""

import logging
import os
import sys

import flask
import worker
from opentelemetry import _logs, metrics, trace

logger = logging.getLogger("shop")
logger.setLevel(logging.INFO)


def log(order_id: int) -> None:
    logger.info("order %d is on its way", order_id, extra={"order_id": order_id})


def flush() -> None:
    for provider in (trace.get_tracer_provider(), _logs.get_logger_provider()):
        getattr(provider, "force_flush", bool)()


def counted() -> int:
    if os.environ.get("OTEL_METRICS_EXPORTER") != "prometheus":
        metrics.get_meter_provider().force_flush()  # type: ignore[attr-defined]
        return -1
    return int(worker.page_total("http_server_request_duration_seconds_count"))


worker.work(worker.shop(flask, log if "log" in sys.argv else None), counted, flush)

"""logfire that sends to a receiver by OTLP and not to its own service."""

import flask
import logfire  # type: ignore[import-not-found]
import worker
from opentelemetry import metrics, trace

logfire.configure(send_to_logfire=False, console=False, inspect_arguments=False)
app = worker.shop(flask)
logfire.instrument_flask(app)


def counted() -> int:
    metrics.get_meter_provider().force_flush()  # type: ignore[attr-defined]
    return -1


worker.work(app, counted, lambda: trace.get_tracer_provider().force_flush())  # type: ignore[attr-defined]

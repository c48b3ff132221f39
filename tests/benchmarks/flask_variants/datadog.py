"""Datadog's tracer, whose agent is the receiver here."""

import ddtrace.auto  # type: ignore[import-not-found]  # noqa: F401 -- it sets everything up
import flask
import worker
from ddtrace.trace import tracer  # type: ignore[import-not-found]

worker.work(worker.shop(flask), lambda: -1, tracer.flush)

"""The names and moments that a log may have: fields, what an extra may replace, what logging puts on each record."""

from __future__ import annotations

import logging
from typing import Any, Final

from otel_distro.logs.capture import PRIVATE

# The fields of a log in their order; one without a value is left out, extras follow under their own names.
FIELDS: Final = (
    "timestamp",
    "level",
    "message",
    "logger",
    "module",
    "function",
    "line",
    "request_id",
    "user_id",
    "trace_id",
    "span_id",
    "service",
    "environment",
    "exc_info",
    "error_type",
    "error_message",
    "log_id",
    "tags",
)
# What an extra of the same name replaces; one with the name of another field is kept as `extra_<name>`.
SETTABLE: Final = frozenset(("request_id", "user_id", "service", "environment", "error_type", "error_message"))
RESERVED: Final = frozenset(FIELDS) - SETTABLE | {"@timestamp", "stack_info", ""}

_BARE: Final = logging.LogRecord("", 0, "", 0, "", (), None).__dict__
STANDARD_COUNT: Final = len(_BARE)
# What the logging module, its formatters and OpenTelemetry's instrumentation of it put on a record: no extras.
_FOREIGN: Final = ("otelSpanID", "otelTraceID", "otelTraceSampled", "otelServiceName")
STANDARD: Final = frozenset((*_BARE, *_FOREIGN, "taskName", "message", "asctime", PRIVATE))

# An application's own records may make their message in another way, as by `str.format`.
GET_MESSAGE: Final = logging.LogRecord.getMessage

# What OTLP and its receivers can say as a moment: not zero, and nanoseconds in 63 bits.
EARLIEST: Final = 1
LATEST: Final = 9_000_000_000


def is_moment(created: Any) -> bool:
    """Say whether a record's time is one that every way out can carry, to the same microsecond."""
    return type(created) in (float, int) and EARLIEST <= created < LATEST

"""The names and moments that a log may have: fields, what an extra may replace, what logging puts on each record."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
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

# How the line of a flat document begins: with a space, by which a receiver knows it without a look at what follows.
FLAT: Final = b"{ "
_FLAT_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_FIELDS: Final = frozenset(FIELDS) - {"tags"}
_SCALARS: Final = frozenset((str, int, float, bool, type(None)))

# An application's own records may make their message in another way, as by `str.format`.
GET_MESSAGE: Final = logging.LogRecord.getMessage

# What OTLP and its receivers can say as a moment: not zero, and nanoseconds in 63 bits.
EARLIEST: Final = 1
LATEST: Final = 9_000_000_000


def is_moment(created: Any) -> bool:
    """Say whether a record's time is one that every way out can carry, to the same microsecond."""
    return type(created) in (float, int) and EARLIEST <= created < LATEST


def is_flat_name(name: str) -> bool:
    """Say whether an extra of this name can stand in a flat document: no store gives a meaning to a part of it."""
    return name not in RESERVED and _FLAT_NAME.fullmatch(name) is not None


def is_flat(document: Mapping[str, Any]) -> bool:
    """Say whether a document of a log has texts, numbers, true, false and null only, under names that are flat."""
    return all(type(value) in _SCALARS and (name in _FIELDS or is_flat_name(name)) for name, value in document.items())

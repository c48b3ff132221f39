"""A log record on its way to OTLP: its line, and what no line says, until it is encoded or made the SDK's record."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from itertools import islice
from time import time_ns
from typing import Any, Final, NamedTuple

import orjson
from opentelemetry.context import Context
from opentelemetry.trace import INVALID_SPAN, NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

from otel_distro.internals import logs as internals
from otel_distro.logs.capture import DOCUMENT, LINE, PIECES, PRIVATE, SIZE, TRACE_FLAGS, TRACE_ID, capture_of
from otel_distro.logs.fields import GET_MESSAGE, STANDARD_COUNT, is_moment

# In the record itself, not among its attributes.
IN_RECORD: Final = frozenset(("timestamp", "level", "message", "trace_id", "span_id"))
_UNCHANGEABLE: Final = frozenset((str, int, float, bool, bytes, type(None)))
_TEXTS: Final = frozenset((str, bytes))
_LONGEST: Final = 4096  # characters of a text that may wait: many of them wait, and lines are bounded only when made
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)
# Without it a record made outside of a span would get the span in which it is handed over.
_NO_SPAN: Final = set_span_in_context(INVALID_SPAN, Context())


class Draft(NamedTuple):
    """An ordinary log record as it was when it was handed over; its line is made where it is sent, in another thread.

    A request pays for little more than the copy: what makes lines costs several times as much between the
    application's own code as in a row. Small, and of unchangeable values only.
    """

    attributes: dict[str, Any]
    line_of: Callable[[logging.LogRecord], bytes]
    logger: Any
    observed: int

    @classmethod
    def of(cls, record: logging.LogRecord, line_of: Callable[[logging.LogRecord], bytes], logger: Any) -> Draft | None:
        """Return the draft of a record, or None where it has a line already, or has to have it now."""
        attributes = record.__dict__
        get = attributes.get
        capture, message = get(PRIVATE), get("msg")
        if type(capture) is not list or len(capture) != SIZE or type(message) is not str:
            return None
        if record.__class__.getMessage is not GET_MESSAGE:
            return None
        if capture[LINE] or capture[DOCUMENT] or get("exc_info") or get("exc_text") or get("stack_info"):
            return None
        try:
            if get("args"):
                message %= attributes["args"]
            waits = len(message) <= _LONGEST and is_moment(get("created")) and _extras_wait(attributes, capture)
        except Exception:  # noqa: BLE001 -- an argument's own __str__ may raise anything
            return None
        if not waits:
            return None
        copied = attributes.copy()
        copied["msg"], copied["args"] = message, None
        return cls(copied, line_of, logger, time_ns())

    def entry(self) -> Entry:
        """Return the entry, with a line that nobody else has."""
        record = logging.LogRecord.__new__(logging.LogRecord)
        attributes = record.__dict__ = self.attributes
        attributes[PRIVATE] = capture = attributes[PRIVATE].copy()
        capture[DOCUMENT] = capture[LINE] = capture[PIECES] = None
        return Entry.of(record, self.line_of(record), self.logger, self.observed)


class Entry(NamedTuple):
    """One log record as its line and what is not in it, bound to the moment at which it was made.

    `created` and `level` are the record's, `logger` is the SDK's, `observed` the moment of handing over, in nanoseconds
    since the epoch; `capture` has the ids. It may be encoded later and in another thread.
    """

    line: bytes
    created: Any
    level: Any
    observed: int
    capture: list[Any]
    logger: Any

    @classmethod
    def of(cls, record: logging.LogRecord, line: bytes, logger: Any, observed: int = 0) -> Entry:
        """Return the entry of a record, its line and the logger that it goes to; it is handed over now, if not said."""
        return cls(line, record.created, record.levelno, observed or time_ns(), capture_of(record), logger)

    @property
    def time(self) -> int:
        """The document's moment in nanoseconds since the epoch, to the microsecond: both ways lead to one timestamp."""
        created = self.created
        if is_moment(created):
            second = int(created)
            return second * 1_000_000_000 + int((created - second) * 1_000_000) * 1_000
        return _nanoseconds(self.document()["timestamp"])

    @property
    def severity(self) -> int:
        """The number that OpenTelemetry has for the level."""
        level = self.level
        if type(level) is not int:
            return 0
        severity = _SEVERITIES.get(level)
        return severity_of(level) if severity is None else severity

    def document(self) -> dict[str, Any]:
        """Return the document that the line holds."""
        document: dict[str, Any] = orjson.loads(self.line)
        return document

    def record(self) -> Any:
        """Return the API's record: the message is the body, what the record has no place for are attributes."""
        kind, severity = internals.log_record_types()
        document = self.document()
        made = kind(
            timestamp=self.time,
            observed_timestamp=self.observed,
            context=_span_context(*self.capture[TRACE_ID : TRACE_FLAGS + 1]),
            severity_text=document["level"],
            severity_number=severity(self.severity),
            body=document["message"],
            # The SDK drops the oldest of too many attributes: extras go first, and `log_id` stays.
            attributes={name: value for name, value in reversed(document.items()) if name not in IN_RECORD},
        )
        setattr(made, internals.RECORD_SIZE, len(self.line))
        return made

    def readable(self) -> Any:
        """Return the SDK's unchangeable record, as exporters take it."""
        made = self.record()
        made.context = Context()  # as of all that waits to be sent
        return internals.readable_log(self.logger, made)


def _extras_wait(attributes: dict[str, Any], capture: list[Any]) -> bool:
    """Say whether nothing follows the standard attributes but the capture and small unchangeable values."""
    if len(attributes) == STANDARD_COUNT + 1:
        return True
    extras = islice(attributes.values(), STANDARD_COUNT, None)
    return next(extras, None) is capture and all(
        type(value) in _UNCHANGEABLE and (type(value) not in _TEXTS or len(value) <= _LONGEST) for value in extras
    )


def severity_of(level: int) -> int:
    """Return the OpenTelemetry severity of a level: DEBUG 5, INFO 9, WARNING 13, ERROR 17, CRITICAL 21, others between.

    Source: OpenTelemetry specification, "Logs Data Model", severity fields.
    """
    tens, rest = divmod(max(0, min(level, 59)), 10)
    return 1 + 4 * tens + min(rest, 3) if level > 0 else 0


_SEVERITIES: Final = {level: severity_of(level) for level in (10, 20, 30, 40, 50)}


def _nanoseconds(timestamp: str) -> int:
    """Return the moment of a document whose record has none."""
    moment = datetime.strptime(timestamp, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc)
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1_000


def _span_context(trace_id: int, span_id: int, flags: int) -> Any:
    """Return a context that holds the span in which the record was made, if any."""
    if not trace_id:
        return _NO_SPAN
    span = NonRecordingSpan(SpanContext(trace_id, span_id, is_remote=False, trace_flags=TraceFlags(flags)))
    return set_span_in_context(span, Context())

"""A log record on its way to OTLP: its line, and what no line says, until it is encoded or made the SDK's record."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta, timezone
from time import time_ns
from typing import Any, Final, NamedTuple

import orjson
from opentelemetry.context import Context
from opentelemetry.trace import INVALID_SPAN, NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

from otel_distro.internals import logs as internals
from otel_distro.logs.capture import SPAN_ID, TRACE_FLAGS, TRACE_ID, capture_of
from otel_distro.logs.document import is_moment

# In the record itself, not among its attributes.
IN_RECORD: Final = frozenset(("timestamp", "level", "message", "trace_id", "span_id"))
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)
# Without it a record made outside of a span would get the span in which it is handed over.
_NO_SPAN: Final = set_span_in_context(INVALID_SPAN, Context())


class Entry(NamedTuple):
    """One log record as bytes and numbers, bound to the moment at which it was made; `logger` is the SDK's.

    `time` is the document's moment and `observed` the one of handing over, in nanoseconds since the epoch; the ids are
    0 outside of a span. What stands in the way may be encoded later and in another thread.
    """

    line: bytes
    time: int
    observed: int
    severity: int
    trace_id: int
    span_id: int
    flags: int
    logger: Any

    @classmethod
    def of(cls, record: logging.LogRecord, line: bytes, logger: Any) -> Entry:
        """Return the entry of a record, its line and the logger that it goes to."""
        capture = capture_of(record)
        created = record.created
        if is_moment(created):
            # To the microsecond as in the line's text, so that both ways lead to one timestamp.
            second = int(created)
            moment = second * 1_000_000_000 + int((created - second) * 1_000_000) * 1_000
        else:
            moment = _nanoseconds(orjson.loads(line)["timestamp"])
        level = record.levelno
        severity = _SEVERITIES.get(level) if type(level) is int else 0
        return cls(
            line,
            moment,
            time_ns(),
            severity_of(level) if severity is None else severity,
            capture[TRACE_ID],
            capture[SPAN_ID],
            capture[TRACE_FLAGS],
            logger,
        )

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
            context=_span_context(self.trace_id, self.span_id, self.flags),
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

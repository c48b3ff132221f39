"""What one log is: a flat dictionary of plain JSON values, made once for each record, whichever ways it leaves."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from itertools import islice
from math import isfinite
from typing import Any

from otel_distro.logs.capture import (
    DOCUMENT,
    LEVEL,
    LOG_ID,
    PRIVATE,
    REQUEST_ID,
    SPAN_ID,
    TRACE_ID,
    USER_ID,
    capture_of,
    recall,
)
from otel_distro.logs.fields import GET_MESSAGE, RESERVED, SETTABLE, STANDARD, STANDARD_COUNT, is_moment
from otel_distro.logs.quick import Quick
from otel_distro.logs.values import INTEGER_LIMIT, KEY_LIMIT, Plainer, cut, sound, text_of, traceback_of, type_name
from otel_distro.redaction import REDACTED, Redactor
from otel_distro.settings import Settings

_second: tuple[int, str] = (0, "1970-01-01T00:00:00")


class Documents:
    """Make the document of a log record; immutable, safe to share between threads and over a fork.

    `limit` is the length of a line in bytes; no text in a document has more characters than that.
    """

    __slots__ = ("_environment", "_redactor", "_service", "limit", "quick_line")

    def __init__(
        self, service: str = "", environment: str = "", redactor: Redactor | None = None, limit: int = 1 << 20
    ) -> None:
        self._service = service
        self._environment = environment
        self._redactor = redactor
        self.limit = limit
        self.quick_line = Quick(service, environment, redactor, limit, self._value).line

    @classmethod
    def from_settings(cls, settings: Settings) -> Documents:
        """Return the maker that the settings ask for."""
        redactor = Redactor(settings.redact_names) if settings.redact else None
        return cls(settings.service_name, settings.environment, redactor, settings.log_line_limit)

    def of(self, record: logging.LogRecord) -> dict[str, Any]:
        """Return the record's document, the same one at each call; never raises, never drops a record.

        Who receives it does not change it.
        """
        capture = capture_of(record)
        document: dict[str, Any] | None = capture[DOCUMENT]
        if document is None:
            document = capture[DOCUMENT] = self.made(record, capture)
        return document

    def made(self, record: logging.LogRecord, capture: list[Any]) -> dict[str, Any]:
        """Return a new document of the record and of what it has captured; never raises."""
        try:
            return self._made(record, capture)
        except Exception as error:  # noqa: BLE001 -- whatever the application put into the record, the line is kept
            return self._salvaged(record, capture, error)

    def _made(self, record: logging.LogRecord, capture: list[Any]) -> dict[str, Any]:
        document: dict[str, Any] = {
            "timestamp": timestamp_of(record.created if is_moment(record.created) else time.time()),
            "level": capture[LEVEL] or record.levelname,
            "message": self._text(self._message(record)),
            "logger": record.name,
            "module": record.module,
            "function": record.funcName,
            "line": record.lineno,
        }
        if not is_moment(record.created) or not _is_usual(record, document["level"]):
            self._mend(document, record)
        extras = self._extras(record)
        given = self._given(extras) if extras else extras
        if isinstance(record.exc_info, tuple) and len(record.exc_info) == 3:
            recall(capture, record.exc_info[1])
        self._identify(document, capture, given)
        if record.exc_info or record.exc_text or record.stack_info:
            self._add_exception(document, record)
        for name in ("error_type", "error_message"):
            if name in given:
                document[name] = given[name]
        document["log_id"] = capture[LOG_ID]
        if record.stack_info:
            document["stack_info"] = self._text(text_of(record.stack_info, self.limit))
        for name, value in extras.items():
            free = name
            while free in document or free in RESERVED or (free != name and free in extras):
                free = f"extra_{free}"
            document[free] = value
        return document

    def _mend(self, document: dict[str, Any], record: logging.LogRecord) -> None:
        """Put what fits the fields in the place of what a hand-made record has in them."""
        if not is_moment(record.created):
            document["extra_created"] = self._value("created", record.created)
        for name in ("level", "logger"):
            if type(document[name]) is not str or not document[name]:
                document[name] = text_of(document[name] or "NOTSET", KEY_LIMIT)
        for name in ("module", "function", "line"):
            if document[name] is None:
                del document[name]
            elif type(document[name]) is not str:
                document[name] = self._value(name, document[name])

    def _identify(self, document: dict[str, Any], capture: list[Any], given: dict[str, Any]) -> None:
        """Add who and where; what an extra gives stands in the place of what was captured."""
        if capture[REQUEST_ID]:
            document["request_id"] = capture[REQUEST_ID]
        if capture[USER_ID]:
            document["user_id"] = capture[USER_ID]
        if given:
            document.update((name, given[name]) for name in ("request_id", "user_id") if name in given)
        if capture[TRACE_ID]:
            document["trace_id"] = f"{capture[TRACE_ID]:032x}"
            document["span_id"] = f"{capture[SPAN_ID]:016x}"
        if self._service:
            document["service"] = self._service
        if self._environment:
            document["environment"] = self._environment
        if given:
            document.update((name, given[name]) for name in ("service", "environment") if name in given)

    def _message(self, record: logging.LogRecord) -> str:
        """Return the formatted message; where the arguments do not fit, the raw one and the arguments."""
        message = record.msg
        if type(message) is not str:
            message = text_of(message, self.limit)
        if (stock := type(record).getMessage is GET_MESSAGE) and not record.args:
            return message
        try:
            return str(message % record.args) if stock else text_of(record.getMessage(), self.limit)
        except Exception as error:  # noqa: BLE001 -- an argument's own __str__ may raise anything
            plainer = Plainer(None, self.limit)
            arguments = plainer.plain(record.args)
            return f"{message} [arguments do not fit: {type(error).__name__}; they are {arguments!r}]"

    def _text(self, text: str) -> str:
        if len(text) > self.limit:
            text = cut(text, self.limit)
        if not text.isascii():
            text = sound(text)
        return self._redactor.text(text) if self._redactor else text

    def _extras(self, record: logging.LogRecord) -> dict[str, Any]:
        """Return the record's extras as plain JSON under names that are texts."""
        attributes = record.__dict__
        if len(attributes) == STANDARD_COUNT + 1 and PRIVATE in attributes:
            return {}
        items: Iterator[tuple[Any, Any]] = islice(attributes.items(), STANDARD_COUNT, None)
        first = next(items, None)
        # The capture comes right after the standard attributes: then only extras follow. Else all are looked through.
        if first is None or first[0] != PRIVATE:
            items = iter(list(attributes.items()))
        extras: dict[str, Any] = {}
        for key, value in items:
            if key in STANDARD:
                continue
            name = key
            if type(key) is not str or len(key) > KEY_LIMIT or not key.isascii():
                name = text_of(key, KEY_LIMIT)
                while name in extras or (name != key and name in attributes):
                    name = f"extra_{name}"
            extras[name] = self._value(name, value)
        return extras

    def _value(self, name: str, value: Any) -> Any:
        """Return the value of a field as plain JSON; the common kinds take the short way."""
        if value is None or value is True or value is False:
            return value
        redactor = self._redactor
        if redactor and redactor.hides(name):
            return REDACTED
        kind = type(value)
        if kind is str and len(value) <= self.limit and value.isascii():
            return redactor.text(value) if redactor else value
        if kind is int and -INTEGER_LIMIT <= value < INTEGER_LIMIT:
            return value
        if kind is float:
            return value if isfinite(value) else None
        return Plainer(redactor, self.limit).field(name, value)

    def _given(self, extras: dict[str, Any]) -> dict[str, Any]:
        """Take what sets a field out of the extras; a None sets nothing."""
        given = {}
        for name in SETTABLE.intersection(extras):
            value = extras.pop(name)
            if value is not None:
                given[name] = value
        return given

    def _add_exception(self, document: dict[str, Any], record: logging.LogRecord) -> None:
        info = record.exc_info
        error = info[1] if isinstance(info, tuple) and len(info) == 3 else info
        if isinstance(error, BaseException):
            trace = info[2] if isinstance(info, tuple) else error.__traceback__
            document["exc_info"] = self._text(traceback_of(error, trace))
            document["error_type"] = type_name(type(error))
            document["error_message"] = self._text(text_of(error, self.limit))
        elif record.exc_text:  # a record from another process: its exception came as text
            document["exc_info"] = self._text(text_of(record.exc_text, self.limit))

    def _salvaged(self, record: logging.LogRecord, capture: list[Any], error: Exception) -> dict[str, Any]:
        """Return what can be said of a record whose attributes are not what the logging module makes them."""
        attributes = record.__dict__
        created = attributes.get("created")
        moment: Any = created if is_moment(created) else time.time()
        plainer = Plainer(self._redactor, self.limit)
        extras = {key: value for key, value in attributes.items() if key not in STANDARD}
        return {
            "timestamp": timestamp_of(moment),
            "level": text_of(capture[LEVEL] or attributes.get("levelname") or "NOTSET", KEY_LIMIT),
            "message": plainer.plain(text_of(attributes.get("msg"), self.limit)),
            "logger": text_of(attributes.get("name"), KEY_LIMIT),
            "log_id": capture[LOG_ID],
            "extra_attributes": plainer.plain(extras),
            "extra_problem": f"the record could not be read: {type(error).__name__}",
        }


def _is_usual(record: logging.LogRecord, level: Any) -> bool:
    """Say whether level and other attributes of the record have the types that the logging module gives them."""
    return (
        type(level) is str
        and level != ""
        and type(record.name) is str
        and type(record.module) is str
        and type(record.funcName) is str
        and type(record.lineno) is int
        and 0 <= record.lineno < INTEGER_LIMIT
    )


def timestamp_of(created: float) -> str:
    """Return seconds since the epoch as ISO 8601 text in UTC with microseconds."""
    global _second  # noqa: PLW0603 -- a cache of one entry; it is replaced whole, so threads see an old or a new one
    second = int(created)
    known, text = _second
    if second != known:
        text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        _second = second, text
    return f"{text}.{int((created - second) * 1_000_000):06d}Z"

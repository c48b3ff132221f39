"""The line of an ordinary record, put together from pieces of JSON: the same bytes as its document gives, at less cost.

Ordinary is a record of the logging module with a message of text, without extras and without an exception. Every other
one goes by its document.
"""

from __future__ import annotations

import logging
import time
from typing import Any, Final

import orjson

from otel_distro.logs.capture import LOG_ID, PRIVATE, REQUEST_ID, SPAN_ID, TRACE_ID, USER_ID
from otel_distro.logs.values import INTEGER_LIMIT
from otel_distro.redaction import Redactor

# What OTLP and its receivers can say as a moment: not zero, and nanoseconds in 63 bits.
EARLIEST: Final = 1
LATEST: Final = 9_000_000_000
# A record of the logging module with what is captured, and nothing else.
ORDINARY: Final = len(logging.LogRecord("", 0, "", 0, "", (), None).__dict__) + 1
_PLACES_LIMIT: Final = 4096
# Unicode's further line ends: JSON allows them in texts, but readers that split lines do not.
_LINE_ENDS: Final = ((b"\xe2\x80\xa8", b"\\u2028"), (b"\xe2\x80\xa9", b"\\u2029"), (b"\xc2\x85", b"\\u0085"))


class Quick:
    """Makes lines for one service; safe to share between threads and over a fork."""

    __slots__ = ("_environment", "_limit", "_places", "_redact", "_second", "_service", "_tail")

    def __init__(self, service: str, environment: str, redactor: Redactor | None, limit: int) -> None:
        self._limit = limit
        self._redact = redactor.text if redactor else None
        tail = b""
        for name, value in ((b"service", service), (b"environment", environment)):
            if value:
                tail += b',"' + name + b'":' + _piece(value)
        self._tail = tail + b',"log_id":"'
        # By where a record was made: what its line has before the message and after it.
        self._places: dict[tuple[Any, ...], tuple[bytes, bytes]] = {}
        self._second: tuple[int, bytes] = (0, b'{"timestamp":"1970-01-01T00:00:00.')

    def line(self, record: logging.LogRecord, capture: list[Any]) -> bytes | None:
        """Return the line with its newline, or None for a record that is not ordinary; never raises."""
        try:
            attributes = record.__dict__
            if (
                len(attributes) != ORDINARY
                or PRIVATE not in attributes
                or record.exc_info
                or record.exc_text
                or record.stack_info
            ):
                return None
            message = record.msg
            if type(message) is not str:
                return None
            if record.args:
                message %= record.args
            if len(message) > self._limit:
                return None
            text = orjson.dumps(self._redact(message) if self._redact else message)
            place = (record.name, record.levelname, record.module, record.funcName, record.lineno)
            before, after = self._places.get(place) or self._place(place)
            created = record.created
            if type(created) is not float or not EARLIEST <= created < LATEST:
                return None
            second = int(created)
            known, moment = self._second
            if known != second:
                moment = time.strftime('{"timestamp":"%Y-%m-%dT%H:%M:%S.', time.gmtime(second)).encode()
                self._second = second, moment
            ids = self._ids(capture) if capture[REQUEST_ID] or capture[USER_ID] or capture[TRACE_ID] else b""
            micro = b"%06d" % int((created - second) * 1_000_000)
            line = b"".join((moment, micro, before, text, after, ids, self._tail, capture[LOG_ID].encode(), b'"}\n'))
        except Exception:  # noqa: BLE001 -- whatever it is, the way by the document bears it
            return None
        if not line.isascii():
            line = with_plain_line_ends(line)
        return line if len(line) <= self._limit else None

    def _place(self, place: tuple[Any, ...]) -> tuple[bytes, bytes]:
        """Return the pieces of a place; raises where its attributes are not what the logging module makes them."""
        name, level, module, function, number = place
        if not (type(level) is type(name) is type(module) is type(function) is str and level):
            raise TypeError
        if type(number) is not int or not 0 <= number < INTEGER_LIMIT:
            raise TypeError
        pieces = (
            b'Z","level":' + _piece(level) + b',"message":',
            b',"logger":%b,"module":%b,"function":%b,"line":%d'
            % (_piece(name), _piece(module), _piece(function), number),
        )
        if len(self._places) >= _PLACES_LIMIT:
            self._places.clear()
        self._places[place] = pieces
        return pieces

    @staticmethod
    def _ids(capture: list[Any]) -> bytes:
        ids = b""
        if capture[REQUEST_ID]:
            ids += b',"request_id":' + _piece(capture[REQUEST_ID])
        if capture[USER_ID]:
            ids += b',"user_id":' + _piece(capture[USER_ID])
        if capture[TRACE_ID]:
            ids += b',"trace_id":"%032x","span_id":"%016x"' % (capture[TRACE_ID], capture[SPAN_ID])
        return ids


def with_plain_line_ends(line: bytes) -> bytes:
    """Return the line with every line end but its own spelt out."""
    for raw, escaped in _LINE_ENDS:
        line = line.replace(raw, escaped)
    return line


_piece: Final = orjson.dumps

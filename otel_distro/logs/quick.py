"""The line of an ordinary record, put together from pieces of JSON: the same bytes as its document gives, at less cost.

Ordinary is a record of the logging module with a message of text and without an exception, whose extras stand under
their own names. Every other one goes by its document. What an ordinary record says is left in its capture in pieces, so
that it is not read out of the line again for OTLP.
"""

from __future__ import annotations

import logging
import re
import time
from binascii import hexlify
from collections.abc import Callable
from itertools import islice
from math import isfinite
from typing import Any, Final

import orjson

from otel_distro.logs.capture import LEVEL, LOG_ID, PIECES, PRIVATE, REQUEST_ID, SPAN_ID, TRACE_ID, USER_ID
from otel_distro.logs.fields import (
    EARLIEST,
    FIELDS,
    FLAT,
    GET_MESSAGE,
    LATEST,
    RESERVED,
    STANDARD,
    STANDARD_COUNT,
    is_flat_name,
)
from otel_distro.logs.values import INTEGER_LIMIT, KEY_LIMIT
from otel_distro.redaction import Redactor

_PLACES_LIMIT: Final = 4096
_NAMES_LIMIT: Final = 4096
# What becomes of an extra by its name; the first is most of them.
_PLAIN, _HIDDEN, _NONE, _ODD = range(4)
_NESTED: Final = (dict, list)
# Unicode's further line ends: JSON allows them in texts, but readers that split lines do not.
_LINE_ENDS: Final = ((b"\xe2\x80\xa8", b"\\u2028"), (b"\xe2\x80\xa9", b"\\u2029"))
# U+0080 to U+009F: U+0085 is a line end too, and others a terminal obeys that shows the file, as it does ESC.
_CONTROLS: Final = re.compile(rb"\xc2([\x80-\x9f])")


class Quick:
    """Makes lines for one service; safe to share between threads and over a fork."""

    __slots__ = ("_hides", "_home", "_limit", "_names", "_places", "_redact", "_second", "_tail", "_value")

    def __init__(
        self,
        service: str,
        environment: str,
        redactor: Redactor | None,
        limit: int,
        value: Callable[[str, Any], Any],
    ) -> None:
        """Make it; `value` gives what stands in a document for an extra of a name and a value."""
        self._limit = limit
        self._value = value
        self._redact = redactor.text if redactor else None
        self._hides = redactor.hides if redactor else None
        self._home = (service, environment)
        self._names: dict[str, int] = {}
        tail = b""
        for name, text in ((b"service", service), (b"environment", environment)):
            if text:
                tail += b',"' + name + b'":' + _piece(text)
        self._tail = tail + b',"log_id":"'
        # By where a record was made: what its line has before the message and after it.
        self._places: dict[tuple[Any, ...], tuple[bytes, bytes]] = {}
        self._second: tuple[int, bytes] = (0, b'{ "timestamp":"1970-01-01T00:00:00.')

    def line(self, record: logging.LogRecord, capture: list[Any]) -> bytes | None:
        """Return the line with its newline, or None for a record that is not ordinary; never raises."""
        if record.__class__.getMessage is not GET_MESSAGE:
            return None
        try:
            line, pieces = self._made(record.__dict__, capture)
        except Exception:  # noqa: BLE001 -- whatever it is, the way by the document bears it
            return None
        if not line.isascii():
            line = with_plain_line_ends(line)
        if len(line) > self._limit:
            return None
        capture[PIECES] = pieces
        return line

    def _made(self, attributes: dict[str, Any], capture: list[Any]) -> tuple[bytes, tuple[Any, ...]]:
        """Return the line and what went into it; raises where the record is not ordinary."""
        if attributes["exc_info"] or attributes["exc_text"] or attributes["stack_info"]:
            raise TypeError
        extras: dict[str, Any] | None = None
        flat = True
        if len(attributes) != STANDARD_COUNT + 1:
            extras, flat = self._extras(attributes)
        elif PRIVATE not in attributes:
            raise TypeError
        message = self._message(attributes["msg"], attributes["args"])
        place = (
            attributes["name"], capture[LEVEL] or attributes["levelname"], attributes["module"],
            attributes["funcName"], attributes["lineno"],
        )  # fmt: skip
        if place[4].__class__ is not int:  # 7.0 would find the pieces of 7
            raise TypeError
        before, after = self._places.get(place) or self._place(place)
        created = attributes["created"]
        if type(created) is not float or not EARLIEST <= created < LATEST:
            raise TypeError
        second = int(created)
        known, moment = self._second
        if known != second:
            moment = time.strftime('{ "timestamp":"%Y-%m-%dT%H:%M:%S.', time.gmtime(second)).encode()
            self._second = second, moment
        line = b"".join((
            moment, b"%06d" % int((created - second) * 1_000_000), before, _piece(message), after, self._ids(capture),
            self._tail, capture[LOG_ID].encode(), b'",' + _piece(extras, None, _NEWLINE)[1:] if extras else b'"}\n',
        ))  # fmt: skip
        if not flat:
            line = b"{" + line[len(FLAT) :]
        return line, (self._home, place, message, extras)

    def _message(self, message: Any, arguments: Any) -> str:
        if type(message) is not str:
            raise TypeError
        if arguments:
            message %= arguments
        if len(message) > self._limit:
            raise ValueError
        return self._redact(message) if self._redact else message

    def _extras(self, attributes: dict[str, Any]) -> tuple[dict[str, Any], bool]:
        """Return the extras as plain JSON and if all are flat; raises where one does not stand under its own name."""
        # The capture comes right after the standard attributes: then only extras follow.
        items = islice(attributes.items(), STANDARD_COUNT, None)
        if next(items, ("",))[0] != PRIVATE:
            raise TypeError
        names, redact = self._names, self._redact
        extras: dict[str, Any] = {}
        flat = True
        for name, value in items:
            becomes = names.get(name)
            if becomes is None:
                becomes = self._name(name)
            if becomes:
                if becomes != _NONE:
                    extras[name] = self._value(name, value)
                    flat = flat and becomes != _ODD
                continue
            kind = type(value)
            if (kind is int and -INTEGER_LIMIT <= value < INTEGER_LIMIT) or (kind is float and isfinite(value)):
                extras[name] = value
            elif kind is str and len(value) <= self._limit and value.isascii():
                extras[name] = redact(value) if redact else value
            else:
                extras[name] = plain = self._value(name, value)
                flat = flat and type(plain) not in _NESTED
        return extras, flat

    def _name(self, name: Any) -> int:
        """Return what becomes of an extra of this name; raises where it does not stand under it."""
        if type(name) is not str or len(name) > KEY_LIMIT or not name.isascii():
            raise TypeError
        if name in STANDARD:
            becomes = _NONE
        elif name in FIELDS or name in RESERVED:
            raise ValueError
        elif not is_flat_name(name):
            becomes = _ODD
        else:
            becomes = _HIDDEN if self._hides and self._hides(name) else _PLAIN
        if len(self._names) >= _NAMES_LIMIT:
            self._names.clear()
        self._names[name] = becomes
        return becomes

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
        """Return what is known of request, user and span, by their fields."""
        ids = b""
        if capture[REQUEST_ID]:
            ids += b',"request_id":' + _piece(capture[REQUEST_ID])
        if capture[USER_ID]:
            ids += b',"user_id":' + _piece(capture[USER_ID])
        if capture[TRACE_ID]:
            ids += b',"trace_id":"%b","span_id":"%b"' % (
                hexlify(capture[TRACE_ID].to_bytes(16, "big")), hexlify(capture[SPAN_ID].to_bytes(8, "big")),
            )  # fmt: skip
        return ids


def with_plain_line_ends(line: bytes) -> bytes:
    """Return the line with every line end but its own, and every control character that JSON leaves, spelt out."""
    for raw, escaped in _LINE_ENDS:
        line = line.replace(raw, escaped)
    if b"\xc2" in line:
        line = _CONTROLS.sub(lambda found: b"\\u00%02x" % found[1][0], line)
    return line


_piece: Final = orjson.dumps
_NEWLINE: Final = orjson.OPT_APPEND_NEWLINE

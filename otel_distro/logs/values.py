r"""Any Python value as plain JSON: what a log line can hold, with secrets masked and everything bounded.

| value | in the log |
| --- | --- |
| text | itself; lone surrogates as `\udc80`; cut at the limit |
| bool, None, integers of 64 bits | themselves |
| larger integers, Decimal, UUID, dates, paths | text |
| NaN and the infinities | null: Elasticsearch takes no document with another value in a field of numbers |
| bytes | their UTF-8 text, other bytes as `\xff` |
| timedelta | seconds |
| Enum | its value |
| dataclasses, named tuples, mappings | objects; keys as text, bytes as theirs, an empty one as `_` |
| lists, tuples, sets | lists |
| what has `tolist()` (numpy) | what that returns |
| anything else | its `repr` |
"""

from __future__ import annotations

import dataclasses
import datetime
import math
import os
import traceback
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from enum import Enum
from typing import Any, Final
from uuid import UUID

from otel_distro.redaction import REDACTED, Redactor

DEPTH_LIMIT: Final = 20
KEY_LIMIT: Final = 256
# Environments, headers and form fields are often lists of such pairs.
_NAMED: Final = (("name", "value"), ("key", "value"), ("Name", "Value"), ("Key", "Value"))
_SHORT: Final = 19  # characters of a key that is no token
INTEGER_LIMIT: Final = 2**63  # Elasticsearch's long and OTLP's int end here


def text_of(value: object, limit: int) -> str:
    """Return the text of any object, at most `limit` characters of it and valid Unicode; never raises."""
    try:
        text = str.__str__(value) if isinstance(value, str) else str(value)
    except Exception:  # noqa: BLE001 -- the application's own __str__ may raise anything
        text = f"<{type(value).__name__} without text>"
    return sound(cut(text, limit))


def cut(text: str, limit: int) -> str:
    """Return the text, or its beginning with a mark that says how many characters are missing."""
    if len(text) <= limit:
        return text
    return f"{text[:limit]}...[{len(text) - limit} characters cut]"


def sound(text: str) -> str:
    """Return the text with lone surrogates spelt out, for they have no UTF-8."""
    if text.isascii():
        return text
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def type_name(kind: type[BaseException]) -> str:
    """Return the qualified name of an exception's type as tracebacks write it: `ValueError`, `shop.errors.NoStock`."""
    module = getattr(kind, "__module__", None)
    if not isinstance(module, str) or module in ("builtins", "__main__"):
        return kind.__qualname__
    return f"{module}.{kind.__qualname__}"


def traceback_of(error: BaseException, frames: Any) -> str:
    """Return the traceback with causes, contexts and groups; never raises."""
    try:
        return "".join(traceback.format_exception(type(error), error, frames)).rstrip("\n")
    except Exception:  # noqa: BLE001 -- an exception's own methods may raise; what it is can still be said
        return f"{type_name(type(error))}: <the traceback cannot be formatted>"


class Plainer:
    """Turn one record's values into plain JSON; `limit` bounds every text and, in bytes, about what all hold together.

    For one thread and one record: it counts what it has made.
    """

    __slots__ = ("_left", "_limit", "_path", "_redactor")

    def __init__(self, redactor: Redactor | None, limit: int) -> None:
        self._redactor = redactor
        self._limit = limit
        self._left = limit // 2
        self._path: set[int] = set()

    def plain(self, value: object) -> Any:
        """Return the value as plain JSON; never raises."""
        try:
            return self._plain(value)
        except Exception:  # noqa: BLE001 -- a value of the application may raise anything from any of its methods
            return self._represented(value)

    def field(self, name: str, value: object) -> Any:
        """Return the value of a field of this name as plain JSON; never raises."""
        return REDACTED if self._hides(name, value) else self.plain(value)

    def _plain(self, value: object) -> Any:
        self._left -= 1
        if value is None or value is True or value is False:
            return value
        for kinds, make in _SCALARS:
            if isinstance(value, kinds):
                return make(self, value)
        identity = id(value)
        if identity in self._path:
            return "[cycle]"
        if len(self._path) >= DEPTH_LIMIT:
            return "[too deep]"
        self._path.add(identity)
        try:
            return self._container(value)
        finally:
            self._path.discard(identity)

    def _container(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            return self._mapping(value.items())
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            return self._mapping(zip(value._fields, value, strict=False))
        if isinstance(value, (list, tuple, set, frozenset)):
            return self._sequence(value)
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return self._mapping((item.name, getattr(value, item.name)) for item in dataclasses.fields(value))
        if hasattr(type(value), "tolist") and getattr(value, "size", 0) <= self._left:
            return self.plain(value.tolist())
        return self._represented(value)

    def _mapping(self, items: Iterable[tuple[object, object]]) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for key, value in items:
            if self._left <= 0:
                made["..."] = "[more entries cut]"
                break
            # The names of ASGI's headers are bytes.
            text = key[: KEY_LIMIT + 1].decode("utf-8", "backslashreplace") if isinstance(key, bytes) else key
            name = text if type(text) is str and len(text) <= KEY_LIMIT and text.isascii() else text_of(text, KEY_LIMIT)
            if self._redactor is not None and (len(name) > _SHORT or ":" in name or "=" in name):
                name = self._redactor.text(name)  # of a cache, a key may be a URL or a token
            while not name or name in made:  # OTLP and Elasticsearch take no empty name
                name += "_"
            made[name] = self.field(name, value)
        for called, said in _NAMED:
            if said in made and type(made.get(called)) is str and self._hides(made[called][:KEY_LIMIT], made[said]):
                made[said] = REDACTED
        if "loc" in made and "input" in made and type(made["loc"]) is list:  # what pydantic did not take, and where
            for part in made["loc"]:
                if type(part) is str and self._hides(part[:KEY_LIMIT], made["input"]):
                    made["input"] = REDACTED
        return made

    def _sequence(self, items: Iterable[object]) -> list[Any]:
        made: list[Any] = []
        for value in items:
            if self._left <= 0:
                made.append("[more entries cut]")
                break
            made.append(self.plain(value))
        # Headers are often lists of pairs; a list of two texts by itself is more often one of names.
        for pair in (*made, made if isinstance(items, tuple) else None):
            if type(pair) is list and len(pair) == 2 and type(pair[0]) is str and len(pair[0]) <= KEY_LIMIT:
                pair[1] = REDACTED if self._hides(pair[0], pair[1]) else pair[1]
        for place, option in enumerate(made[:-1]):  # as in the words of a command: --password, x
            if type(option) is str and option[:2] == "--" and len(option) <= KEY_LIMIT:
                value = made[place + 1]
                if type(value) is str and value[:1] != "-" and self._hides(option, value):
                    made[place + 1] = REDACTED
        return made

    def _hides(self, name: str, value: object) -> bool:
        if self._redactor is None or type(value) in (bool, type(None)):
            return False
        # A pair is a name and a password, as of requests; a list may be one of ways to prove who one is.
        pair = type(value) is tuple and [type(each) for each in value] == [str, str] and name.lower().endswith("auth")
        return pair or self._redactor.hides(name)

    def text(self, value: str) -> str:
        """Return a text that is sound, cut and redacted."""
        text = text_of(value, self._limit)
        self._left -= len(text)
        return self._redactor.text(text) if self._redactor else text

    def integer(self, value: int) -> int | str:
        """Return an integer of 64 bits itself, a larger one as text."""
        number = int.__add__(value, 0)
        if -INTEGER_LIMIT <= number < INTEGER_LIMIT:
            return number
        bits = number.bit_length()
        # Decimal digits cost the square of their number; CPython refuses more than 4,300 of them (CVE-2020-10735).
        return self.text(
            str(number) if bits < 14_000 else hex(number) if bits < self._limit else f"<int of {bits} bits>"
        )

    def raw(self, value: bytes | bytearray | memoryview) -> str:
        """Return the text of bytes."""
        return self.text(bytes(value[: self._limit + 1]).decode("utf-8", "backslashreplace"))

    def _represented(self, value: object) -> str:
        try:
            text = repr(value)
        except Exception:  # noqa: BLE001 -- the application's own __repr__ may raise anything
            text = f"<{type(value).__name__} without text>"
        return self.text(text)


# In this order: an IntEnum is an int too. Subclasses become the plain type without calling what they override.
_SCALARS: Final[tuple[tuple[type | tuple[type, ...], Callable[[Plainer, Any], Any]], ...]] = (
    (Enum, lambda plainer, value: plainer.plain(value.value)),
    (str, Plainer.text),
    (int, Plainer.integer),
    (float, lambda _, value: float.__add__(value, 0.0) if math.isfinite(value) else None),
    ((bytes, bytearray, memoryview), Plainer.raw),
    ((datetime.datetime, datetime.date, datetime.time), lambda _, value: value.isoformat()),
    (datetime.timedelta, lambda _, value: value.total_seconds()),
    ((Decimal, UUID), lambda plainer, value: plainer.text(str(value))),
    (os.PathLike, lambda plainer, value: plainer.plain(os.fspath(value))),
)

"""A log document as text: one line of JSON, never longer than the limit, or a short line for people."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import orjson

from otel_distro.logs.capture import DOCUMENT, LINE, PRIVATE, SIZE, capture_of
from otel_distro.logs.document import Documents
from otel_distro.logs.fields import FIELDS, FLAT, is_flat
from otel_distro.logs.quick import with_plain_line_ends
from otel_distro.logs.values import Plainer, cut
from otel_distro.settings import Settings

_MARK: Final = 40  # bytes that the mark of a cut takes at most


def encoded(document: dict[str, Any], limit: int) -> tuple[bytes, dict[str, Any]]:
    """Return the document as one line of JSON with its newline, at most `limit` bytes (4096 or more), and its content.

    The content is the document itself but where that had to be made plain or cut. A flat one's line begins with FLAT.
    """
    try:
        line = _marked(document)
    except Exception:  # noqa: BLE001 -- the encoder refuses what a hand-made record can hold: made plain, it passes
        document = Plainer(None, limit).plain(document)
        line = _marked(document)
    if len(line) > limit:
        document = _fitted(document, limit)
        line = _marked(document)
    return line, document


def _marked(document: dict[str, Any]) -> bytes:
    line = _line(document)
    return FLAT + line[1:] if is_flat(document) else line


def _line(document: Any) -> bytes:
    line = orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE)
    return line if line.isascii() else with_plain_line_ends(line)


def _fitted(document: dict[str, Any], limit: int) -> dict[str, Any]:
    """Cut the longest texts to one common length that fits; where texts are not the bulk, cut the extras."""
    for _ in range(8):
        sizes = sorted(_text_sizes(document))
        fixed = len(_line(document)) - sum(sizes)
        cap = _water_level(sizes, limit - fixed - 64)
        if cap <= _MARK:
            break
        document = _with_texts(document, partial(_shortened, cap=cap))
        if len(_line(document)) < limit:
            return document
    return _stripped(document, limit)


def _text_sizes(value: Any) -> list[int]:
    """Return the encoded sizes of all texts in the value."""
    if isinstance(value, str):
        return [len(_line(value))]
    if isinstance(value, dict):
        return [size for item in value.values() for size in _text_sizes(item)]
    if isinstance(value, list):
        return [size for item in value for size in _text_sizes(item)]
    return []


def _water_level(sizes: list[int], room: int) -> int:
    """Return the size to which the larger of the sorted sizes must come down so that all fit into the room."""
    for index, size in enumerate(sizes):
        share = room // (len(sizes) - index)
        if size > share:
            return share
        room -= size
    return sizes[-1] if sizes else 0


def _shortened(text: str, cap: int) -> str:
    """Return the text so that it takes about `cap` bytes; its characters may differ in size, so callers look again."""
    size = len(_line(text))
    if size <= cap:
        return text
    return cut(text, int(len(text) * max(cap - _MARK, 0) / size * 0.98))


def _with_texts(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {key: _with_texts(item, change) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_texts(item, change) for item in value]
    return value


def _stripped(document: dict[str, Any], limit: int) -> dict[str, Any]:
    """Keep the fields with short texts and as many extras as there is room for; say how many are missing."""
    kept: dict[str, Any] = {}
    missing = 0
    room = limit - 64
    for name in sorted(document, key=lambda name: name not in FIELDS):
        value = _with_texts(document[name], lambda text: cut(text, 64))
        size = len(_line({name: value}))
        if size > limit // 4 or size > room:
            missing += 1
            continue
        room -= size
        kept[name] = value
    kept["extra_cut"] = missing
    return kept


class JsonFormatter(logging.Formatter):
    """Format a record as one line of JSON with the fields of `otel_distro.logs.document`.

    Without `documents` it makes its own from the environment, so it can stand in a `dictConfig` by its name.
    Safe to share between threads and over a fork; never raises.
    """

    def __init__(self, documents: Documents | None = None) -> None:
        super().__init__()
        self._documents = documents or Documents.from_settings(Settings.current())

    def line(self, record: logging.LogRecord) -> bytes:
        """Return the record's line with its newline, the same one at each call."""
        capture = getattr(record, PRIVATE, None)
        if type(capture) is not list or len(capture) != SIZE:
            capture = capture_of(record)
        line: bytes | None = capture[LINE]
        if line is None:
            documents = self._documents
            document = capture[DOCUMENT]
            if document is None:
                line = capture[LINE] = documents.quick_line(record, capture)
                if line is not None:
                    return line
                document = documents.made(record, capture)
            line, capture[DOCUMENT] = encoded(document, documents.limit)
            capture[LINE] = line
        return line

    def document(self, record: logging.LogRecord) -> dict[str, Any]:
        """Return the document that the record's line holds."""
        line = self.line(record)
        capture = capture_of(record)
        document: dict[str, Any] | None = capture[DOCUMENT]
        if document is None:
            document = capture[DOCUMENT] = orjson.loads(line)
        return document

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's line without its newline."""
        return self.line(record)[:-1].decode("utf-8")

    @staticmethod
    def ascii(text: str) -> str:
        """Return a formatted line in ASCII, for a stream whose encoding lacks a character."""
        return json.dumps(orjson.loads(text))


class TextFormatter(logging.Formatter):
    """Format a record for people: time, level, logger, message, the ids it has, the traceback.

    The text is redacted and cut as the JSON is. Safe to share between threads and over a fork; never raises.
    """

    def __init__(self, documents: Documents | None = None) -> None:
        super().__init__()
        self._documents = documents or Documents.from_settings(Settings.current())

    def format(self, record: logging.LogRecord) -> str:
        """Return one line, or more where the message or a traceback has more."""
        document = self._documents.of(record)
        get = document.get
        ids = " ".join(f"{name}={get(name)}" for name in ("request_id", "user_id", "trace_id") if get(name))
        text = f"{get('timestamp')} {get('level')} {get('logger')} {get('message')}"
        if ids:
            text += f" [{ids}]"
        for name in ("exc_info", "stack_info"):
            if get(name):
                text += f"\n{get(name)}"
        return text

    @staticmethod
    def ascii(text: str) -> str:
        """Return a formatted text in ASCII, for a stream whose encoding lacks a character."""
        return text.encode("ascii", "backslashreplace").decode("ascii")

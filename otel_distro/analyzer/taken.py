"""What a Collector of ours has taken: the files in which its exporter `file/taken` keeps records as OTLP.

A file is messages, each after its length. Read without protobuf, which gives up at some thirty levels of objects; a
record's body is read only where somebody wants it. Source of the field numbers: opentelemetry-proto, logs/v1/logs.proto
and common/v1/common.proto.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from math import isfinite
from mmap import ACCESS_READ, mmap
from pathlib import Path
from struct import unpack
from typing import Any, Final

from otel_distro.errors import InputError

_INDEX: Final = b"elasticsearch.index"
_ID: Final = b"elasticsearch.document_id"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)
_HEAD: Final = 4  # bytes of a length

_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_TEXT, _BOOL, _INTEGER, _DOUBLE, _LIST, _MAP, _BYTES = range(1, 8)


class _NoMessageError(Exception):
    """Bytes that are no message: of a Collector that was killed while it wrote, or is writing."""


@dataclass(frozen=True)
class Record:
    """One record: index and id of its document, when it was, the document as OTLP, when it was taken (0: not told)."""

    index: str
    id: str
    nanoseconds: int
    body: bytes
    taken: int = 0

    @property
    def moment(self) -> str:
        """Its time in ISO 8601, UTC, with microseconds."""
        return f"{_EPOCH + timedelta(microseconds=self.nanoseconds // 1000):%Y-%m-%dT%H:%M:%S.%f}Z"

    @property
    def size(self) -> int:
        """About how many bytes its document has."""
        return len(self.body)

    def document(self) -> str:
        """Return its document as JSON in one line."""
        return _json(self.body)


def records(folder: Path, hours: float) -> Iterator[Record]:
    """Yield the records that were taken in the last hours, those of the oldest file first.

    One that does not tell it was taken when its file was written to last.

    Raises:
        InputError: there is no such folder, or it holds something else, or that is no number of hours.
        OSError: a file cannot be read.
    """
    if not folder.is_dir():
        raise InputError(f"there is no folder {str(folder)!r}; give the folder `taken` in the Collector's STORAGE_DIR")
    if not hours > 0:
        raise InputError(f"hours={hours!r} is no span of time; give a number above 0")
    since = time.time() - hours * 3600
    with ExitStack() as opened:
        files = []
        for path in folder.glob("*.otlp"):
            with suppress(FileNotFoundError):  # the oldest may be gone meanwhile
                # Before any is read: one that the Collector renames then is still the one that was listed.
                files.append(opened.enter_context(path.open("rb")))
        if not files and any(folder.iterdir()):
            raise InputError(
                f"folder {str(folder)!r} has no file of what a Collector took (*.otlp); "
                "give the folder `taken` in its STORAGE_DIR"
            )
        for file in sorted(files, key=lambda file: os.fstat(file.fileno()).st_mtime):
            status = os.fstat(file.fileno())
            if status.st_mtime >= since and status.st_size:  # the newest may be empty
                with mmap(file.fileno(), 0, access=ACCESS_READ) as data:
                    yield from (record for record in parse(data) if not 0 < record.taken < since * 1e9)


def parse(data: bytes | mmap) -> Iterator[Record]:
    """Yield the records of a file's bytes; what a killed Collector has left of a message is passed over."""
    place = 0
    while place < len(data):
        end, found = _framed(data, place)
        if found and not _begins(data, end) and _next(data, place, end) < end:
            found = []  # a torn message with the beginning of the one behind it for its end
        yield from found
        place = end if found else _next(data, place, len(data))


def _framed(data: bytes | mmap, place: int) -> tuple[int, list[Record]]:
    """Return where the message at a place ends, and its records; none where there is no message."""
    end = place + _HEAD + int.from_bytes(data[place : place + _HEAD], "big")
    if not _begins(data, place) or end > len(data):
        return end, []
    try:
        return end, list(_message(data[place + _HEAD : end]))
    except (_NoMessageError, IndexError, UnicodeDecodeError):
        return end, []


def _begins(data: bytes | mmap, place: int) -> bool:
    """Whether a message may begin there: a length, then the tag of its first field, the only one that it has."""
    return data[place + _HEAD : place + _HEAD + 1] == b"\x0a" or place == len(data)


def _next(data: bytes | mmap, place: int, last: int) -> int:
    """Return where behind a place the next message begins, or where to look no further."""
    tag = place + _HEAD
    while True:
        tag = data.find(b"\x0a", tag + 1)
        if tag < 0 or tag - _HEAD >= last:
            return last
        if _framed(data, tag - _HEAD)[1]:
            return tag - _HEAD


def _message(data: bytes) -> Iterator[Record]:
    for resource in _all(data, 1):
        for scope in _all(resource, 2):
            for log in _all(scope, 2):
                record = _record(log)
                if record is not None:
                    yield record


def _record(log: bytes) -> Record | None:
    """Return a record, or None where it was for no index."""
    nanoseconds, taken, body, names = 0, 0, b"", {}
    for number, kind, value in _fields(log):
        if number == 1 and kind == _FIXED64:
            nanoseconds = int.from_bytes(value, "little")
        elif number == 11 and kind == _FIXED64:
            taken = int.from_bytes(value, "little")
        elif number == 5 and kind == _LENGTH:
            body = value
        elif number == 6 and kind == _LENGTH:
            key, attribute = _pair(value)
            names[key] = attribute
    if _INDEX not in names or _ID not in names:
        return None
    return Record(_text(names[_INDEX]), _text(names[_ID]), nanoseconds, body, taken)


def _json(value: bytes) -> str:
    """Return an attribute's value as JSON, without recursion: Elasticsearch takes more levels than Python."""
    done: list[str] = []
    todo: list[bytes | str] = [value]
    while todo:
        item = todo.pop()
        if isinstance(item, str):
            done.append(item)
            continue
        number, _, content = next(_fields(item), (0, 0, b""))
        if number == _MAP:
            pairs = [_pair(pair) for pair in _all(content, 1)]
            parts = [part for key, one in pairs for part in (",", f"{_quoted(key)}:", one)]
            todo += ["}", *reversed(parts[1:]), "{"]
        elif number == _LIST:
            parts = [part for one in _all(content, 1) for part in (",", one)]
            todo += ["]", *reversed(parts[1:]), "["]
        else:
            done.append(_scalar(number, content))
    return "".join(done)


def _scalar(number: int, content: Any) -> str:
    if number == _TEXT:
        return _quoted(content)
    if number == _BOOL:
        return "true" if content else "false"
    if number == _INTEGER:
        return str(content - (1 << 64) if content >> 63 else content)
    if number == _DOUBLE:
        (double,) = unpack("<d", content)
        return repr(double) if isfinite(double) else "null"
    return json.dumps(content.hex()) if number == _BYTES else "null"  # as the exporter writes them


def _quoted(text: bytes) -> str:
    return json.dumps(text.decode(errors="replace"), ensure_ascii=False)


def _text(value: bytes) -> str:
    number, _, content = next(_fields(value), (0, 0, b""))
    if number != _TEXT:
        raise _NoMessageError
    text: str = content.decode()
    return text


def _pair(data: bytes) -> tuple[bytes, bytes]:
    """Return the key and the value of a pair."""
    key, value = b"", b""
    for number, kind, content in _fields(data):
        if kind == _LENGTH:
            key, value = (content, value) if number == 1 else (key, content)
    return key, value


def _all(data: bytes, wanted: int) -> Iterator[bytes]:
    """Yield every message that a message has in one field."""
    return (content for number, kind, content in _fields(data) if number == wanted and kind == _LENGTH)


def _fields(data: bytes) -> Iterator[tuple[int, int, Any]]:
    """Yield number, wire type and content of each field of a message: a number for a varint, else bytes."""
    place = 0
    while place < len(data):
        tag, place = _varint(data, place)
        number, kind = tag >> 3, tag & 7
        if kind == _VARINT:
            content, place = _varint(data, place)
            yield number, kind, content
            continue
        size, place = _varint(data, place) if kind == _LENGTH else ({_FIXED64: 8, _FIXED32: 4}.get(kind, -1), place)
        end = place + size
        if size < 0 or not number or end > len(data):
            raise _NoMessageError
        yield number, kind, data[place:end]
        place = end


def _varint(data: bytes, place: int) -> tuple[int, int]:
    byte = data[place]
    if byte < 128:
        return byte, place + 1
    number, shift = byte & 127, 7
    for behind in range(place + 1, place + 10):
        byte = data[behind]
        number |= (byte & 127) << shift
        if byte < 128:
            return number, behind + 1
        shift += 7
    raise _NoMessageError

"""Long lines put aside: DuckDB holds 2048 lines at once, so lines of a megabyte would need gigabytes.

A log that has such lines is copied with a short stand-in for each; the whole line lies in a file beside and is read
again when its document is asked for.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final

from otel_distro.analyzer.document_text import parsed
from otel_distro.analyzer.files import opened
from otel_distro.analyzer.model import KEYWORDS, Document

LONG: Final = 16 << 10  # bytes from which a line is put aside: 2048 shorter ones are 32 MB
_KEPT: Final = (*sorted(KEYWORDS), "timestamp", "module", "function", "line", "message")
_MOST_TEXT: Final = 1000  # characters of a field in a stand-in
_BLOCK: Final = 1 << 20


class LongLines:
    """The lines put aside for one question, in a folder that is gone afterwards.

    `limit` is the longest line (bytes) that is read at all; a longer one is replaced by what is no JSON, so that it is
    counted as broken. For one thread.
    """

    def __init__(self, folder: Path, limit: int) -> None:
        self._folder = folder
        self._limit = limit
        self._aside = (folder / "aside").open("w+b")
        self._key = uuid.uuid4().hex  # nobody who writes a log line can know it

    def close(self) -> None:
        """Close the file of whole lines."""
        self._aside.close()

    def without(self, files: list[Path]) -> list[Path]:
        """Return the files, with a copy in the place of each that has long lines."""
        return [self._copy(file, number) if has_long_line(file) else file for number, file in enumerate(files)]

    def whole(self, document: Document) -> Document | None:
        """Return the document that a stand-in stands for; any other document as it is."""
        if self._key not in document:
            return document
        offset, length = document[self._key]
        self._aside.seek(offset)
        return parsed(self._aside.read(length).decode("utf-8"))

    def _copy(self, file: Path, number: int) -> Path:
        copy = self._folder / f"{number}.log"
        with opened(file) as stream, copy.open("wb") as target:
            target.writelines(
                self._stand_in(line) if len(line) > LONG else line for line in _lines(stream, self._limit)
            )
        return copy

    def _stand_in(self, line: bytes) -> bytes:
        try:
            document = parsed(line.decode("utf-8"))
        except UnicodeDecodeError:
            document = None
        if document is None:
            return b"-\n"
        offset = self._aside.seek(0, 2)
        self._aside.write(line)
        kept = {name: _short(document[name]) for name in _KEPT if name in document}
        return json.dumps({**kept, self._key: [offset, len(line)]}).encode() + b"\n"


def has_long_line(file: Path) -> bool:
    """Return whether the file has a line to be put aside."""
    with opened(file) as stream:
        while piece := stream.readline(LONG + 1):
            if len(piece) > LONG:
                return True
    return False


def _lines(stream: BinaryIO, limit: int) -> Iterator[bytes]:
    """Yield the lines of the stream, a line longer than `limit` as `-`, in memory of about `limit`."""
    while line := stream.readline(limit + 1):
        if len(line) <= limit or line.endswith(b"\n"):
            yield line
            continue
        while (rest := stream.readline(_BLOCK)) and not rest.endswith(b"\n"):
            pass
        yield b"-\n"


def _short(value: Any) -> Any:
    """Return a long text, or a list or object that is long, as a text that is not; everything else as it is."""
    if isinstance(value, (str, list, dict)):
        text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
        return value if len(text) <= _MOST_TEXT else text[:_MOST_TEXT]
    return value

"""New lines of growing log files, through both ways of rotation."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Final

from otel_distro.analyzer.files import find_files
from otel_distro.errors import StoreError

_HEAD: Final = 1024  # bytes; a log line is unique by its time and id
_BLOCK: Final = 1 << 20
_LONGEST: Final = 16 << 20  # of a line, as everywhere in the local store


@dataclass
class _Followed:
    """One open file: how far it is read, and how it begins."""

    file: BinaryIO
    position: int
    head: bytes = b""
    original: _Followed | None = None
    """What this is a copy of; while that is not yet cut back, it is read and not the copy."""

    def beginning(self) -> bytes:
        """Return the first bytes as they are now, as many as are known or `_HEAD` at most."""
        return os.pread(self.file.fileno(), _HEAD, 0)

    def is_copied_by(self, other: _Followed) -> bool:
        """Return whether another file begins as this one; what has no whole line yet begins like any log."""
        return (b"\n" in self.head or len(self.head) == _HEAD) and other.head.startswith(self.head)


class FollowedFiles:
    """The files of a path or glob from their ends on; for one thread.

    A file is known by its inode, so a new name changes nothing. One that was copied and cut back (copytruncate) is read
    on in the copy, which is known by its first bytes. Gzipped files are left out: what is in them was read before.
    """

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._files: dict[tuple[int, int], _Followed] = {}
        self._before: list[_Followed] = []  # what files were before they were cut back, for one look
        for path in _plain(find_files(pattern)):
            self._add(path, at_end=True)

    def lines(self) -> Iterator[bytes]:
        """Yield each whole line that is new since the last time."""
        self._look_for_cuts()  # before the files are listed: then the copies of what was cut are among them
        try:
            paths = _plain(find_files(self._pattern))
        except StoreError:
            paths = []  # in the middle of a rotation, or all are gone for now
        present = {key for path in paths if (key := self._add(path, at_end=False))}
        for key, followed in list(self._files.items()):
            before = followed.position
            if followed.original is None:
                yield from _new_lines(followed)
            if key not in present and followed.position == before and followed.beginning():
                followed.file.close()
                del self._files[key]
                self._succeed(followed)
        for followed in self._files.values():
            if followed.original:
                followed.position = followed.original.position

    def close(self) -> None:
        """Close every file."""
        for followed in self._files.values():
            followed.file.close()
        self._files.clear()

    def _look_for_cuts(self) -> None:
        """Begin each file anew that begins otherwise than before: cut back, it may be as long again, or a copy."""
        self._before = []
        cut = []
        for followed in self._files.values():
            beginning = followed.beginning()
            if not followed.head or not beginning.startswith(followed.head):
                self._before.append(replace(followed))
                cut.append(followed)
                for copy in self._files.values():
                    if copy.original is followed:
                        copy.original = None
            followed.head = beginning
        for followed in cut:
            self._begin(followed)

    def _begin(self, followed: _Followed) -> None:
        """Set a file to its beginning; one that is a copy of another to what is not yet read of that."""
        known = self._copied(followed)
        followed.position = known.position if known else 0
        followed.original = None if any(known is before for before in self._before) else known

    def _add(self, path: Path, *, at_end: bool) -> tuple[int, int] | None:
        """Follow a file that is not yet followed and return what it is known by; None where it is gone meanwhile."""
        try:
            file = path.open("rb")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(f"{path} cannot be read: {error.strerror or error}") from error
        status = os.fstat(file.fileno())
        key = status.st_dev, status.st_ino
        if key in self._files:
            file.close()
            return key
        followed = _Followed(file, _line_start(file, status.st_size) if at_end else 0)
        followed.head = followed.beginning()
        if not at_end:
            self._begin(followed)
        self._files[key] = followed
        return key

    def _succeed(self, gone: _Followed) -> None:
        """Let copies of a file that is gone stand for it: it was replaced by one, as rsync and `sed -i` do."""
        for followed in self._files.values():
            if followed.original is gone:
                followed.original = None
                size = os.fstat(followed.file.fileno()).st_size
                followed.position = gone.position if gone.position <= size else _line_start(followed.file, size)

    def _copied(self, new: _Followed) -> _Followed | None:
        """Return the file that a new one is a copy of; of several the one that has most in common with it."""
        copied = [one for one in (*self._before, *self._files.values()) if one is not new and one.is_copied_by(new)]
        return max(copied, key=lambda one: len(one.head), default=None)


def _plain(paths: list[Path]) -> list[Path]:
    return [path for path in paths if path.suffix != ".gz"]


def _new_lines(followed: _Followed) -> Iterator[bytes]:
    rest = b""
    while block := os.pread(followed.file.fileno(), _BLOCK, followed.position + len(rest)):
        *whole, rest = (rest + block).split(b"\n")
        followed.position += sum(len(line) + 1 for line in whole)
        yield from whole
        if len(rest) > _LONGEST:
            followed.position += len(rest)
            rest = b""


def _line_start(file: BinaryIO, end: int) -> int:
    """Return where the line begins that is being written at the end of a file."""
    position = end
    while position > 0:
        start = max(position - _BLOCK, 0)
        found = os.pread(file.fileno(), position - start, start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        position = start
    return 0

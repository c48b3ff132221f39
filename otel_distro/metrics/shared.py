"""Process-shared values: each process owns one file of cells that every process of the group can read.

A cell is a double in mapped memory: what a call has written is there for the others when the call returns, and stays
when the process is killed. The file grows by segments, as memory that is in use cannot be resized. An entry (a stream's
description, or a series with its cells) counts from the moment its segment's `used` is raised, so a process that dies
in the middle of writing one leaves nothing half-written.

Layout of a segment, all numbers in the machine's own order: magic (8 bytes), size and used (64 bit), then entries:
length of the whole entry, number of cells, length of the text, zero (32 bit each), the text as JSON padded to 8 bytes,
the cells.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
import threading
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

from otel_distro.metrics.descriptors import close_lockable, is_open, open_lockable, open_own

MAGIC: Final = b"OTELDST1"
SEGMENT: Final = 65536
_HEAD: Final = struct.Struct("=8sQQ")
_ENTRY: Final = struct.Struct("=IIII")
_NOT_YET: Final = bytes(8)
(_MAGIC_WORD,) = struct.unpack("=Q", MAGIC)
_SIZE: Final = 1  # the segment's word that says how many bytes it has
_USED: Final = 2  # the one that says how many of them are in use
_BEGIN: Final = _HEAD.size
SUFFIX: Final = ".cells"
_FLAGS: Final = os.O_CLOEXEC | os.O_NONBLOCK  # a named pipe that somebody put there must not stop the reader


Cells: TypeAlias = "memoryview[float]"


class Entry(NamedTuple):
    """One entry of a snapshot: its text, the index of its first cell among all words, and the number of its cells."""

    text: str
    first: int
    cells: int


class CellFile:
    """The cells of this process, in a file that is locked as long as the process lives.

    Thread-safe for `add`, also in the midst of another one of the same thread, as by a signal's handler; a cell is
    written by plain assignment, which is one store. Not for use after a fork in the child: `forget` there, and make a
    new one. Raises OSError where the file cannot be made or has no room; memory once handed out always has its room on
    the disk.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._lock = threading.RLock()
        self._segments: tuple[memoryview[int], ...] = ()
        # The last segment by its bytes and by its words: the only one that entries are added to.
        self._last: tuple[memoryview[int], memoryview[int]] | None = None
        self._size = 0
        self._descriptor = self._mapped = -1
        self._file: Any = None
        if path is not None:
            # Under another name until it is locked: nobody may take it for a dead process's.
            new = path.with_suffix(".new")
            self._descriptor = open_lockable(new, os.O_RDWR | os.O_CREAT | os.O_EXCL)
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)
            # Opened once more: a mapping keeps a copy of its descriptor, which would hold the lock in every child.
            self._mapped = open_own(new, os.O_RDWR | os.O_CLOEXEC)
            self._file = os.fstat(self._mapped)
            os.rename(new, path)

    def add(self, text: str, cells: int) -> Cells:
        """Append an entry and return its cells, all zero, as a memoryview of doubles."""
        data = text.encode()
        padded = -(-len(data) // 8) * 8
        length = _ENTRY.size + padded + 8 * cells
        head = _ENTRY.pack(length, cells, len(data), 0) + data
        with self._lock:
            while True:
                last = self._last
                if last is None or last[1][_USED] + length > last[1][_SIZE]:
                    self._grow(length)
                    continue
                segment, words = last
                start = words[_USED]
                place = slice(start, start + len(head))
                # From this question on there is no call and no new container: nothing of this thread comes in between.
                if self._last is last and words[_USED] == start:
                    segment[place] = head
                    words[_USED] = start + length
                    break
            return segment[start + _ENTRY.size + padded : start + length].cast("d")

    def _grow(self, length: int) -> None:
        """Have a further segment, with room for an entry, unless one has come in the midst of this."""
        offset = self._size
        size = -(-(_BEGIN + length) // SEGMENT) * SEGMENT
        segment = memoryview(self._map(offset, size))
        words = segment.cast("Q")
        last, segments = (segment, words), (*self._segments, segment)
        # As in `add`. The magic after the rest: who reads in between sees a segment that is not in use yet.
        if self._size == offset:
            self._size = offset + size
            words[_SIZE] = size
            words[_USED] = _BEGIN
            words[0] = _MAGIC_WORD
            self._segments = segments
            self._last = last

    def _map(self, offset: int, size: int) -> Any:
        if self._mapped < 0:
            return bytearray(size)
        self._open_again()
        # Without its blocks a write to the mapping would kill the process on a full disk (SIGBUS).
        os.posix_fallocate(self._mapped, offset, size)
        return mmap.mmap(self._mapped, size, offset=offset)

    def hold(self) -> None:
        """Take the file and its lock again where the application has closed what it did not open, as daemons do."""
        with self._lock:
            self._open_again()

    def _open_again(self) -> None:
        if self.path is None or self._descriptor < 0:
            return
        if not is_open(self._descriptor, self._file):
            close_lockable(self._descriptor)
            self._descriptor = open_lockable(self.path, os.O_RDWR)
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        if not is_open(self._mapped, self._file):
            self._mapped = open_own(self.path, os.O_RDWR | os.O_CLOEXEC)

    @property
    def removed(self) -> bool:
        """Whether no other process finds the file, removed or moved with its folder, while this one writes to it."""
        if self.path is None or self._mapped < 0 or not is_open(self._mapped, self._file):
            return False
        try:
            return not os.path.samestat(os.stat(self.path), self._file)
        except (FileNotFoundError, NotADirectoryError):
            return True
        except OSError:  # this process may not look there
            return os.fstat(self._mapped).st_nlink == 0

    def snapshot(self) -> bytes:
        """Return a copy of all segments as they are at this moment."""
        return b"".join(bytes(segment) for segment in self._segments)

    def forget(self) -> None:
        """Forget the file in a forked child, where the fork has closed the descriptor that is locked."""
        self._descriptor = -1
        self._close_mapped()

    def close(self) -> None:
        """Release the lock; the file stays, and counts as a dead process's."""
        if self._descriptor >= 0:
            close_lockable(self._descriptor)
            self._descriptor = -1
            self._close_mapped()

    def _close_mapped(self) -> None:
        if self._mapped >= 0:
            if is_open(self._mapped, self._file):
                os.close(self._mapped)
            self._mapped = -1


class ForeignFileError(ValueError):
    """A file in the folder is not one of ours, or is damaged."""


class CellReader:
    """The entries of one process's file, or of this process's memory; found once, read at any moment.

    `read` takes a snapshot by copying: a mapping of a file that somebody cuts would kill the reader. Not thread-safe.
    """

    def __init__(self, source: Path | CellFile) -> None:
        self.source = source
        self.entries: list[Entry] = []
        self._descriptor = -1  # for __del__, where the file cannot be opened
        self._descriptor = os.open(source, os.O_RDONLY | _FLAGS) if isinstance(source, Path) else -1
        self._segment = 0  # where the last segment begins
        self._next = _BEGIN  # where its next entry begins
        self._extent = 0  # what the file cannot be shorter than

    def read(self) -> Cells:
        """Return all words as doubles, and have `entries` up to date for them; an entry's cells begin at its `first`.

        Raises ForeignFileError where the file is not one of ours, was cut or is damaged, OSError where it cannot be
        read.
        """
        data = self.source.snapshot() if isinstance(self.source, CellFile) else self._file()
        if len(data) < self._extent:
            raise ForeignFileError("cut short")
        at, position = self._segment, self._next
        while at + _BEGIN <= len(data):
            magic, length, used = _HEAD.unpack_from(data, at)
            if magic == _NOT_YET:
                break  # room that is allocated and not in use yet
            if magic != MAGIC or not position <= used <= length or at + length > len(data) or length % 8:
                raise ForeignFileError("not a file of this package, or damaged")
            self._scan(data, at + position, at + used)
            self._segment, self._next, self._extent = at, used, at + length
            at, position = at + length, _BEGIN
        return memoryview(data).cast("d")

    def close(self) -> None:
        """Give the descriptor back; a reader that nobody has any more does so by itself."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    __del__ = close

    def _file(self) -> bytes:
        size = os.fstat(self._descriptor).st_size
        if 0 < size < _BEGIN:
            raise ForeignFileError("cut short")
        # Before the rest: a foreign file may be larger than memory.
        magic = os.pread(self._descriptor, len(MAGIC), 0)
        if magic == _NOT_YET:
            return b""
        if size and magic != MAGIC:
            raise ForeignFileError("not a file of this package, or damaged")
        # Whole words: on a full disk the allocation of a further segment may have come to any point.
        return os.pread(self._descriptor, size - size % 8, 0)

    def _scan(self, data: bytes, at: int, end: int) -> None:
        entries: list[Entry] = []
        while at < end:
            if at + _ENTRY.size > end:
                raise ForeignFileError("an entry is damaged")
            length, cells, text, _ = _ENTRY.unpack_from(data, at)
            start = at + _ENTRY.size
            if length < _ENTRY.size + text + 8 * cells or at + length > end or length % 8:
                raise ForeignFileError("an entry is damaged")
            try:
                decoded = data[start : start + text].decode()
            except UnicodeDecodeError:
                raise ForeignFileError("an entry's text is damaged") from None
            at += length
            entries.append(Entry(decoded, at // 8 - cells, cells))
        self.entries += entries


def is_alive(path: Path) -> bool:
    """Say whether the process that owns the file lives: it holds the file's lock all its life.

    A file that cannot be opened, as when this process has no descriptor left, is nobody's to take for dead.
    """
    try:
        descriptor = open_lockable(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError as error:
        return not isinstance(error, FileNotFoundError)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        close_lockable(descriptor)
    return False

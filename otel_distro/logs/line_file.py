"""An append-only file of lines that several processes share, that is rotated under them, on a disk that can be full."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import time
from collections.abc import Callable
from functools import cache
from typing import Final
from weakref import WeakSet

LOOK_AFTER: Final = 0.001  # seconds between two looks at what the path names: a look costs as much as a write
OPEN_AGAIN_AFTER: Final = 1.0  # seconds between two attempts to open a file that cannot be opened
_NOW: Final = float("-inf")
_FILE_MODE: Final = 0o640
_FOLDER_MODE: Final = 0o750
_PATIENCE: Final = 1.0  # seconds for a full pipe to have room
_SETTLING: Final = 0.02  # seconds; a neighbour's write is over by then, or has made the file longer
# What the process has open already, by its names.
_STANDARD: Final = {
    "/dev/stdout": 1, "/dev/fd/1": 1, "/proc/self/fd/1": 1, "/dev/stderr": 2, "/dev/fd/2": 2, "/proc/self/fd/2": 2,
}  # fmt: skip
_MENDS: Final = {
    errno.ENOSPC: "free space on the disk",
    errno.EDQUOT: "raise the quota or free space",
    errno.EFBIG: "rotate the file or raise the limit of file sizes",
    errno.EISDIR: "name a file, not a folder",
    errno.EROFS: "name a file on a disk that can be written",
    errno.ENXIO: "start the reader if it is a pipe, else name a file: a socket or an absent device is none",
    errno.EAGAIN: "let the reader of the pipe go on",
}


class LineFile:
    """Append whole lines to a file, each by one `write` of the system, and never raise.

    - Several processes can append to one file: O_APPEND keeps their lines whole, of any length (POSIX.1-2017 `write`;
      Linux holds the inode's lock for the length of one write).
    - Standard output and error, by `/dev/stdout` and the like, are written to where the process has them, files and
      sockets too.
    - Rotation: a write compares the path's device and inode with the open file's (logrotate `create`, a deleted file or
      folder) and opens anew, where that was not done in the last millisecond: lines that come so close to a rotation go
      to the old file. After `copytruncate` O_APPEND goes on at the new end.
    - A line that could be written only in part is isolated: the next line begins with a line end of its own.
    - A pipe whose reader stands still is waited for a second; then lines are dropped until it has room again.
    - What cannot be written is dropped and counted in `dropped`; the first drop of a period leaves a sentence in
      `problem`, which the caller takes away. A file that cannot be opened is tried again once a second.

    Not thread safe: the handler holds its lock. After a fork parent and child share the open file, which is safe. A
    child that closes all that is open, as a daemon does, opens it anew: its number may be another file's by then.
    """

    def __init__(self, path: str | os.PathLike[str], clock: Callable[[], float] = time.monotonic) -> None:
        # Absolute, for the process may change its folder.
        self.path: Final = os.path.abspath(os.fspath(path))
        self.dropped = 0
        self.problem = ""
        self._clock = clock
        self._descriptor = -1
        self._identity = (-1, -1)
        self._doubtful = False  # the file may end in the middle of a line
        self._torn = False  # a pipe, which cannot be asked, does
        self._failing = False
        self._open_error: Exception | None = None
        self._open_again_at = -1.0
        self._look_at = _NOW
        self._inherited = False  # by a fork, after which it may have been closed
        _follow_forks()
        _files.add(self)

    def open(self) -> None:
        """Open the file now, so that a path that cannot be used is known at once."""
        if not self._is_current() and not self._open():
            self._fail("opened", self._open_error)

    def write(self, line: bytes) -> None:
        """Append a line, which ends with its line end."""
        current = True
        now = self._clock()
        if now >= self._look_at:
            current = self._is_current() or self._open()
            if not current:
                self._fail("opened", self._open_error)
                if not self._is_linked():
                    self.dropped += 1
                    return
            else:
                self._look_at = now + LOOK_AFTER
        if self._doubtful:
            self._doubtful = False
            if self._ends_within_line():
                line = b"\n" + line
        try:
            try:
                written = os.write(self._descriptor, line)
            except BlockingIOError:
                written = 0
            if written != len(line):
                self._write_rest(line, written)
            self._failing = self._failing and not current
        except OSError as error:
            if error.errno == errno.EBADF:  # somebody has closed it
                self._forget()
            self._doubtful = True
            self._look_at = _NOW
            self.dropped += 1
            self._fail("written", error)

    def close(self) -> None:
        """Close the file; the next line opens it again."""
        descriptor, self._descriptor = self._descriptor, -1
        self._identity = (-1, -1)
        self._open_again_at = -1.0
        self._look_at = _NOW
        if descriptor >= 0:
            with contextlib.suppress(OSError):
                os.close(descriptor)

    def doubt(self) -> None:
        """Look before the next line, in a forked child, whether what was open still is."""
        self._inherited = True
        self._look_at = _NOW

    def _forget(self) -> None:
        """Let a descriptor go that is not ours any more, so that nobody closes what it stands for now."""
        self._descriptor = -1
        self._identity = (-1, -1)

    def _is_current(self) -> bool:
        if self._inherited:
            self._inherited = False
            if not self._is_ours():
                self._forget()
        try:
            found = os.stat(self.path)
        except (OSError, ValueError):
            return False
        return (found.st_dev, found.st_ino) == self._identity

    def _is_ours(self) -> bool:
        try:
            found = os.fstat(self._descriptor)
        except OSError:
            return False
        return (found.st_dev, found.st_ino) == self._identity

    def _is_linked(self) -> bool:
        """Say whether the file that is open, if any, still has a name: what is written to it can be found."""
        return self._descriptor >= 0 and os.fstat(self._descriptor).st_nlink > 0

    def _open(self) -> bool:
        """Open the path; where that fails, a file that was open stays so, for its lines are not lost."""
        if self._clock() < self._open_again_at:
            return False
        try:
            descriptor = self._opened()
            found = os.fstat(descriptor)
        except (OSError, ValueError) as error:
            self._open_error = error
            self._open_again_at = self._clock() + OPEN_AGAIN_AFTER
            return False
        self.close()
        self._descriptor = descriptor
        self._identity = (found.st_dev, found.st_ino)
        if found.st_size and stat.S_ISREG(found.st_mode) and self._ends_within_line():
            # A neighbour may be in the middle of a long write.
            time.sleep(_SETTLING)
            self._doubtful = os.fstat(descriptor).st_size == found.st_size
        return True

    def _opened(self) -> int:
        standard = _STANDARD.get(self.path)
        # A file opened anew has a place of its own to write at: who prints to it would write over lines.
        if standard is not None and stat.S_ISREG(os.fstat(standard).st_mode):
            return os.dup(standard)
        try:
            return self._opened_anew()
        except OSError:  # a socket, as under systemd, or what was opened before the process gave up its rights
            if standard is None:
                raise
            return os.dup(standard)

    def _opened_anew(self) -> int:
        # O_NONBLOCK: a named pipe without a reader fails instead of stopping the application for ever.
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
        try:
            descriptor = os.open(self.path, flags, _FILE_MODE)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(self.path), _FOLDER_MODE, exist_ok=True)
            descriptor = os.open(self.path, flags, _FILE_MODE)
        if not stat.S_ISFIFO(os.fstat(descriptor).st_mode):
            os.set_blocking(descriptor, True)
        return descriptor

    def _write_rest(self, line: bytes, written: int) -> None:
        full = errno.ENOSPC
        if os.get_blocking(self._descriptor):
            written += os.write(self._descriptor, line[written:])
        else:
            from otel_distro.logs.pipes import write_rest

            full, patience = errno.EAGAIN, _PATIENCE if written or not self._failing else 0
            written = write_rest(self._descriptor, line, written, patience)
            if written:
                self._torn = written < len(line)
        if written != len(line):
            raise OSError(full, os.strerror(full), self.path)

    def _ends_within_line(self) -> bool:
        """Say whether the last byte is another than a line end."""
        try:
            found = os.fstat(self._descriptor)
            if not stat.S_ISREG(found.st_mode) or not found.st_size:
                return self._torn
            reader = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                return os.pread(reader, 1, os.fstat(reader).st_size - 1) not in (b"\n", b"")
            finally:
                os.close(reader)
        except OSError:
            return True  # an empty line too many harms less than two lines in one

    def _fail(self, what: str, error: Exception | None) -> None:
        if self._failing:
            return
        self._failing = True
        code = error.errno if isinstance(error, OSError) else None
        mend = _MENDS.get(code or 0, "check the path and its permissions")
        self.problem = (
            f"log file {self.path!r} cannot be {what} ({error}): its lines are dropped until it can; {mend}. "
            "The application goes on"
        )


_files: Final[WeakSet[LineFile]] = WeakSet()


@cache
def _follow_forks() -> None:
    os.register_at_fork(after_in_child=_doubt_all)


def _doubt_all() -> None:
    for file in list(_files):
        file.doubt()

"""Descriptors that carry locks: opened so that a forked child never keeps one.

A lock by flock belongs to the open file, which a fork shares: a copy in a child would hold it when the parent has died.
So every such descriptor is known here, no fork happens between its opening and its being known, and the child closes
them all before anything else of this package runs in it.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final


class _Descriptors:
    def __init__(self) -> None:
        # Reentrant, as a signal handler may fork, or open a file, while its own thread is here.
        self._guard = threading.RLock()
        # The file of each: a number that the application has closed, as daemons close all, may be another file's now.
        self._open: dict[int, os.stat_result] = {}
        self._watching = False

    def open(self, path: Path, flags: int) -> int:
        with self._guard:
            if not self._watching:
                os.register_at_fork(
                    before=self._before, after_in_parent=self._after_in_parent, after_in_child=self._after_in_child
                )
                self._watching = True
            descriptor = open_own(path, flags | os.O_CLOEXEC)
            self._open[descriptor] = os.fstat(descriptor)
            return descriptor

    def close(self, descriptor: int) -> None:
        with self._guard:
            file = self._open.pop(descriptor, None)
            if file is not None and is_open(descriptor, file):
                os.close(descriptor)

    def _before(self) -> None:
        self._guard.acquire()

    def _after_in_parent(self) -> None:
        self._guard.release()

    def _after_in_child(self) -> None:
        self._guard = threading.RLock()
        for descriptor, file in self._open.items():
            if is_open(descriptor, file):
                os.close(descriptor)
        self._open = {}


def is_open(descriptor: int, file: os.stat_result) -> bool:
    """Say whether a descriptor still is this file's."""
    try:
        return os.path.samestat(os.fstat(descriptor), file)
    except OSError:
        return False


def open_own(path: Path, flags: int) -> int:
    """Open a file; one that is new has mode 0600 and, where root makes it, the folder's owner. Raises OSError.

    What is opened to be written to is never found by a link: in another user's folder it may lead to any file.
    """
    if flags & (os.O_RDWR | os.O_WRONLY):
        flags |= os.O_NOFOLLOW
    if not flags & os.O_CREAT or os.geteuid() != 0:
        return os.open(path, flags, 0o600)
    try:
        # Alone what is new is given away.
        descriptor = os.open(path, flags | os.O_EXCL, 0o600)
    except FileExistsError:
        return os.open(path, flags, 0o600)
    # Root may become the user whose folder it is, or share it with processes of that user.
    owner = path.parent.stat()
    with suppress(OSError):  # a place that keeps no owners
        os.fchown(descriptor, owner.st_uid, owner.st_gid)
    return descriptor


_descriptors: Final = _Descriptors()


def open_lockable(path: Path, flags: int) -> int:
    """Open a file whose lock this process is to hold; made with mode 0600 where the flags say so. Raises OSError."""
    return _descriptors.open(path, flags)


def close_lockable(descriptor: int) -> None:
    """Close such a file; one that a fork has closed in this process already is left alone."""
    _descriptors.close(descriptor)


@contextmanager
def locked(folder: Path, how: int) -> Iterator[None]:
    """Hold the lock of a folder, shared or alone; raises BlockingIOError where that was to be without waiting."""
    descriptor = open_lockable(folder / "lock", os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(descriptor, how)
        yield
    finally:
        close_lockable(descriptor)

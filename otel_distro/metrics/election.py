"""Which process of a group serves a page: the one that holds the lock for it, and the next one when that one dies."""

from __future__ import annotations

import fcntl
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from otel_distro.metrics.descriptors import close_lockable, open_lockable

_logger = logging.getLogger(__name__)


class Seat:
    """The right to serve one page; at most one process of a group has it, and loses it with its life.

    Not for use after a fork in the child before `forget`.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._path = folder / f"{name}.seat"
        self._descriptor = -1
        self._inherited = False

    @property
    def taken(self) -> bool:
        """Whether this process has the seat."""
        return self._descriptor >= 0

    def take(self) -> bool:
        """Take the seat if it is free; True where this process has it now."""
        if self.taken:
            return True
        try:
            descriptor = open_lockable(self._path, os.O_RDWR | os.O_CREAT)
        except PermissionError:
            if self._inherited:
                return False  # it is for those who are still the user that the parent was
            raise
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            close_lockable(descriptor)
            return False
        self._descriptor = descriptor
        return True

    def leave(self) -> None:
        """Give the seat to whoever wants it next."""
        if self._descriptor >= 0:
            close_lockable(self._descriptor)
            self._descriptor = -1

    def forget(self) -> None:
        """Forget the seat in a forked child: it is the parent's."""
        self._descriptor = -1
        self._inherited = True


def take_no_signals() -> None:
    """Leave signals to the other threads, where the server has handlers of its own in C.

    uWSGI's end Python in whatever thread they run, and Python waits for its main thread then: the worker would hang.
    """
    if "uwsgi" in sys.modules:
        signal.pthread_sigmask(signal.SIG_SETMASK, signal.valid_signals())


class Ticker:
    """Calls a function about once a second in a daemon thread, from `start` on; what it raises ends nothing."""

    def __init__(self, tick: Callable[[], None], seconds: float = 1.0) -> None:
        self._tick = tick
        self._seconds = seconds
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread if it does not run; in a forked child, where it does not run any more, once again."""
        if self._thread is None or self._stop.is_set() or not self._thread.is_alive():
            self._stop = threading.Event()
            self._thread = threading.Thread(target=self._run, name="otel-distro-watch", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Stop the thread soon."""
        self._stop.set()

    def end(self, seconds: float) -> None:
        """Stop the thread and wait for its end, at most so long.

        Where gevent has come since, it waits in gevent, whose code in C++ Python 3.10 takes it out of when the process
        ends: that is a SIGSEGV or a SIGABRT.
        """
        self.stop()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(seconds)

    def _run(self) -> None:
        take_no_signals()
        stop = self._stop
        while not stop.wait(self._seconds):
            try:
                self._tick()
            except Exception as error:  # noqa: BLE001 -- the next second tries again; the application must not see it
                _logger.debug("a tick failed: %r", error)
        # Where gevent has come since, Python does not find the thread at its end, and says so, unless it has asked.
        threading.current_thread()

"""A thread that works now and then, or when it is asked to; forked children have one of their own."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import Any, Final

_logger: Final = logging.getLogger(__name__)


class Awaited:
    """Around what a fork waits for, so many seconds at most: what a child must not get in its midst.

    One thread at a time is in it. A forked child begins with a free one.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._lock = threading.RLock()
        os.register_at_fork(before=self._wait, after_in_parent=self._go_on, after_in_child=self._begin_anew)

    def _wait(self) -> None:
        self._lock.acquire(timeout=self._seconds)

    def _go_on(self) -> None:
        with suppress(RuntimeError):  # it has waited in vain
            self._lock.release()

    def _begin_anew(self) -> None:
        try:
            self._lock.release()
        except RuntimeError:  # a thread that is not there has it
            self._lock = threading.RLock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


@cache
def loading() -> Awaited:
    """Return what a thread that sends has to import in, whatever may not be there yet.

    A child that was forked in the midst would have half a module, of a thread that it has not: whoever needs it there
    waits for good, and nothing of the child is sent.
    """
    return Awaited(5.0)


class Worker:
    """Calls `work(rung, everything)` every so many seconds, when it is rung, and with `everything` when it is asked.

    Rings and questions cost no lock that another thread holds for long, so they may come from a signal's handler.
    After a fork the child's worker begins anew: what was asked in the parent is answered there.
    """

    def __init__(self, name: str, seconds: float, work: Callable[[bool, bool], None]) -> None:
        self._name = name
        self._seconds = seconds
        self._work = work
        self._stopped = False
        loading()  # whose end of a fork has to come before this one's
        self._begin()
        os.register_at_fork(after_in_child=self._after_fork)

    def _begin(self) -> None:
        self._waiters: deque[Any] = deque()
        self._bell = threading.Lock()
        self._bell.acquire()
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()

    def _after_fork(self) -> None:
        if not self._stopped:
            self._begin()

    def ring(self) -> None:
        """Have the work done now; while it is being done, once more afterwards."""
        if self._bell.locked():
            with suppress(RuntimeError):  # another thread has just rung
                self._bell.release()

    def ask(self) -> Any:
        """Have everything done; return a lock that can be acquired once it is."""
        waiter = threading.Lock()
        waiter.acquire()
        self._waiters.append(waiter)
        self.ring()
        return waiter

    def stop(self) -> None:
        """Let the thread end when it has done what it was asked."""
        self._stopped = True
        self.ring()

    def join(self, seconds: float) -> None:
        """Wait for the thread's end, at most so long."""
        if self._thread is not threading.current_thread():
            self._thread.join(seconds)

    def _run(self) -> None:
        with loading():
            from opentelemetry.instrumentation.utils import suppress_instrumentation

        if "uwsgi" in sys.modules:  # as in `metrics.election.take_no_signals`
            signal.pthread_sigmask(signal.SIG_SETMASK, signal.valid_signals())
        bell, waiters = self._bell, self._waiters
        # What exporting itself calls and logs is neither traced nor exported.
        with suppress_instrumentation():
            while True:
                rung = bell.acquire(timeout=self._seconds)
                asked = [waiters.popleft() for _ in range(len(waiters))]
                try:
                    self._work(rung and not asked, bool(asked))
                except Exception:
                    _logger.exception("%s could not do its work", self._name)
                for waiter in asked:
                    waiter.release()
                if self._stopped and not waiters:
                    break
        # Where gevent has come since, Python does not find the thread at its end, and says so, unless it has asked.
        threading.current_thread()

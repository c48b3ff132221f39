"""The end of a process: what is queued for export is sent within a time, and what could not be is said in one line.

`atexit` does not run where SIGTERM kills the process as it does by default (a plain program, `flask run`, and uvicorn,
which raises the signal once more when it has shut down), or SIGHUP, as when its terminal goes; nor where a child ends
by `os._exit` (multiprocessing, Celery).
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from time import monotonic
from typing import Any, Final, Protocol

from wrapt import register_post_import_hook

_EMBEDDING: Final = ("uwsgi", "mod_wsgi")  # have handlers of their own, in C, which Python does not know of
# Two ends that follow each other so closely (uvicorn's shutdown and the signal that it raises then) share their time.
_ONE_END: Final = 10.0
# Kept of the time for what comes after: closing connections, the other functions of `atexit`.
_RESERVE: Final = 0.5
_NOUNS: Final = {"traces": "spans", "logs": "log records", "metrics": "metric points"}


class Counting(Protocol):
    """What an outlet says of what did not arrive; `otel_distro.delivery.ledger` has the real one."""

    signal: str
    endpoint: str
    why: str

    @property
    def dropped(self) -> int:
        """How many items did not arrive so far."""


class Outlet(Protocol):
    """What sends one signal to one place."""

    @property
    def ledger(self) -> Counting:
        """What did not arrive."""

    def hurry(self, deadline: float) -> None:
        """Begin to send all; returns at once."""

    def wait(self, deadline: float) -> None:
        """Wait until it is sent, and give up what is not sent by then."""

    def close(self) -> None:
        """End for good."""


class Ending:
    """Sends what some outlets have queued, at every kind of end, and says in one line what did not arrive.

    SIGKILL and SIGQUIT, and an `os._exit` or `os.exec…` of the application's own, leave no time for it.

    `providers` are flushed too where `atexit` will not do it: the application may have added processors of its own.
    Thread and fork safe.
    """

    def __init__(self, outlets: Sequence[Outlet], providers: Iterable[Any], seconds: float) -> None:
        self._outlets = outlets
        self._flushes = [flush for flush in (getattr(p, "force_flush", None) for p in providers) if callable(flush)]
        self._seconds = seconds
        self._began = float("-inf")

    def watch(self) -> None:
        """Be called at every end; from the main thread only, signals can be watched."""
        atexit.register(self.finish)
        for number in (signal.SIGTERM, signal.SIGHUP):
            if _may_watch(number):
                signal.signal(number, self._terminated)
        register_post_import_hook(self._watch_multiprocessing, "multiprocessing.util")
        register_post_import_hook(self._watch_uvicorn, "uvicorn.server")
        register_post_import_hook(self._watch_celery, "celery.signals")

    def flush(self) -> None:
        """Send all that is queued, or as much as can be sent in the time, and go on; never raises.

        The work is done by threads: in a signal's handler this thread may hold the very locks that sending needs.
        """
        deadline = self._deadline()
        # Processors of the application; in threads, as they may wait longer than there is time.
        threads = [
            threading.Thread(target=_quietly, args=(flush, int(self._seconds * 1000)), daemon=True)
            for flush in self._flushes
        ]
        with suppress(RuntimeError):  # no thread can be started any more
            for thread in threads:
                thread.start()
        with self._telling():
            self._send(deadline)
        for thread in threads:
            with suppress(RuntimeError):  # one that was not started
                thread.join(max(0.0, deadline - monotonic()))

    def finish(self) -> None:
        """Send all that is queued, or as much as can be sent in the time, and end for good; never raises.

        A Ctrl-C in the meantime, the second one of somebody who does not want to wait, ends it at once.
        """
        with self._telling():
            with suppress(KeyboardInterrupt):
                self._send(self._deadline())
            for outlet in self._outlets:
                _quietly(outlet.close)

    def _deadline(self) -> float:
        now = monotonic()
        if now - self._began > self._seconds + _ONE_END:
            self._began = now
        return self._began + max(self._seconds - _RESERVE, self._seconds / 2)

    def _send(self, deadline: float) -> None:
        for outlet in self._outlets:
            _quietly(outlet.hurry, deadline)
        for outlet in self._outlets:
            _quietly(outlet.wait, deadline)

    def _telling(self) -> _Telling:
        return _Telling([outlet.ledger for outlet in self._outlets])

    def _terminated(self, number: int, _frame: object) -> None:
        self.flush()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
        # Only the first process of a container comes here: it does not die of a signal that nobody handles.
        signal.signal(number, self._terminated)

    def _watch_multiprocessing(self, util: Any) -> None:
        # A child runs this after it has forgotten its parent's finalizers, and its own before it ends by os._exit.
        util.register_after_fork(self, lambda ending: util.Finalize(None, ending.flush, exitpriority=-100))

    def _watch_uvicorn(self, module: Any) -> None:
        ending, shutdown = self, module.Server.shutdown

        async def shut_down_and_flush(self: Any, *args: Any, **kwargs: Any) -> None:
            try:
                await shutdown(self, *args, **kwargs)
            finally:
                ending.flush()

        module.Server.shutdown = shut_down_and_flush

    def _watch_celery(self, signals: Any) -> None:
        signals.worker_process_shutdown.connect(lambda **_: self.flush(), weak=False)


class _Telling:
    """Around an end: prints what the ledgers have more at its end than at its beginning, in one line."""

    def __init__(self, ledgers: Sequence[Counting]) -> None:
        self._ledgers = ledgers
        self._before: list[int] = []

    def __enter__(self) -> None:
        self._before = [ledger.dropped for ledger in self._ledgers]

    def __exit__(self, *_: object) -> None:
        line = self._line()
        # Where the process began without standard error, a file of the application's may have its number.
        if line and sys.__stderr__ is not None:
            # Not by logging: its handlers have locks, which the thread that a signal interrupts may hold.
            with suppress(OSError):
                os.write(2, line.encode(errors="replace"))

    def _line(self) -> str:
        places: dict[tuple[str, str], list[str]] = {}
        for ledger, number in zip(self._ledgers, self._missing(), strict=True):
            if number:
                what = places.setdefault((ledger.endpoint or "the exporter", ledger.why or "no answer in time"), [])
                what.append(f"{number} {_NOUNS.get(ledger.signal, ledger.signal)}")
        told = "; ".join(f"{', '.join(what)} to {where} ({why})" for (where, why), what in places.items())
        return f"otel_distro: process {os.getpid()} ends and has not delivered {told}\n" if told else ""

    def _missing(self) -> Iterator[int]:
        for ledger, before in zip(self._ledgers, self._before, strict=True):
            yield ledger.dropped - before


def _quietly(call: Callable[..., Any], *arguments: Any) -> None:
    with suppress(Exception):
        call(*arguments)


def _may_watch(number: int) -> bool:
    return (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(number) is signal.SIG_DFL
        and not any(name in sys.modules for name in _EMBEDDING)
    )

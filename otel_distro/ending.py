"""The end of a process: what is queued for export is sent, also where a process ends without Python's `atexit`.

An ordinary end needs nothing from here: the SDK's providers have their `atexit` functions. They do not run where
SIGTERM kills the process as it does by default (a plain program, `flask run`, and uvicorn, which raises the signal once
more when it has shut down), nor where a child ends by `os._exit` (multiprocessing, Celery).
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterable
from contextlib import suppress
from time import monotonic
from typing import Any, Final

from wrapt import register_post_import_hook

LIMIT: Final = 5.0  # seconds: half of what containers are usually given between SIGTERM and SIGKILL


_EMBEDDING: Final = ("uwsgi", "mod_wsgi")  # have handlers of their own, in C, which Python does not know of


class Ending:
    """Sends what some providers have queued, at every kind of end but SIGKILL.

    Providers are whatever has `force_flush`; others are left out. Thread and fork safe.
    """

    def __init__(self, providers: Iterable[Any], seconds: float = LIMIT) -> None:
        self._flushes = [flush for flush in (getattr(p, "force_flush", None) for p in providers) if callable(flush)]
        self._seconds = seconds

    def watch(self) -> None:
        """Be called at the ends that `atexit` misses; from the main thread only, signals can be watched."""
        if _may_watch_sigterm():
            signal.signal(signal.SIGTERM, self._terminated)
        register_post_import_hook(self._watch_multiprocessing, "multiprocessing.util")
        register_post_import_hook(self._watch_uvicorn, "uvicorn.server")
        register_post_import_hook(self._watch_celery, "celery.signals")

    def flush(self) -> None:
        """Send all that is queued, or as much as can be sent in the time; never raises.

        In threads of their own: in a signal's handler this thread may hold the very locks that sending needs.
        """
        threads = [threading.Thread(target=self._flush_one, args=(flush,), daemon=True) for flush in self._flushes]
        deadline = monotonic() + self._seconds
        with suppress(RuntimeError):  # no thread can be started any more
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(max(0.0, deadline - monotonic()))

    def _flush_one(self, flush: Any) -> None:
        with suppress(Exception):
            flush(int(self._seconds * 1000))

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


def _may_watch_sigterm() -> bool:
    return (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        and not any(name in sys.modules for name in _EMBEDDING)
    )

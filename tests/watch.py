"""A watch for the bounds that a program promises: it stands still while the whole machine does."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import Final

from typing_extensions import Self

_TICK: Final = 0.05
# A machine that lets its processes run wakes one that has slept within this; what is more was nobody's time.
_LONGEST_TICK: Final = 0.25


class Watch:
    """Seconds since the block began, without those in which this process was not let run."""

    def __init__(self) -> None:
        self._seconds = 0.0
        self._last = time.monotonic()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def seconds(self) -> float:
        """What it shows now."""
        with self._lock:
            now = time.monotonic()
            self._seconds += min(now - self._last, _LONGEST_TICK)
            self._last = now
            return self._seconds

    def _run(self) -> None:
        while not self._stop.wait(_TICK):
            _ = self.seconds

    def __enter__(self) -> Self:
        self._last = time.monotonic()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

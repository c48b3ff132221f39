"""What every server of the tests has in common: it is started, broken in every way, started again, and never left."""

from __future__ import annotations

import os
import signal
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import ClassVar

from typing_extensions import Self

from tests.processes import AppProcess
from tests.services.errors import ServiceError
from tests.support import wait_until


class Server(ABC):
    """A real server; as a context manager it is ready inside the block and killed after it.

    It keeps its ports and its data over `kill` or `stop` and `start`. Its log is that of all its lives.
    """

    name: ClassVar[str]
    start_seconds: ClassVar[float] = 60.0

    def __init__(self) -> None:
        """Prepare it, without starting it."""
        self._process: AppProcess | None = None
        self._earlier = ""

    @abstractmethod
    def command(self) -> Sequence[str | Path]:
        """Return the command that starts it."""

    @abstractmethod
    def ready(self) -> bool:
        """Whether it answers as a server that can do its work."""

    def environment(self) -> Mapping[str, str]:
        """Return what it finds in its environment beside the machine's own variables."""
        return {}

    def folder(self) -> Path | None:
        """Return the folder it is started in; None is the repository."""
        return None

    def start(self, *, wait: bool = True) -> None:
        """Start it, again after an end, and wait until it is ready; raises ServiceError with its log on failure."""
        if self.running:
            raise ServiceError(f"{self.name}: it runs already")
        self._forget()
        self._process = AppProcess(self.command(), self.environment(), cwd=self.folder())
        if wait:
            self.wait_until_ready()

    def wait_until_ready(self) -> None:
        """Wait until it is ready; raises ServiceError with its log, and kills it, where that fails."""
        try:
            wait_until(self._ready_or_ended, self.start_seconds, what=f"{self.name} to be ready", every=0.1)
        except AssertionError as error:
            log = self.log
            self.kill()
            raise ServiceError(f"{self.name}: does not start: {error}\n{log}") from None

    @property
    def running(self) -> bool:
        """Whether its process is there (paused too)."""
        return self._process is not None and self._process.running

    @property
    def pid(self) -> int:
        """Process id of its first process."""
        assert self._process is not None
        return self._process.pid

    @property
    def log(self) -> str:
        """What it wrote to both outputs until now, in all its lives."""
        return self._earlier + (self._process.report if self._process else "")

    def stop(self, timeout: float = 60.0) -> int:
        """Ask it to end in order (SIGTERM), wait for that, and return its status; killed after `timeout` seconds."""
        if self._process is None:
            return 0
        self.resume()
        if self._process.running:
            self._process.signal(signal.SIGTERM)
        with suppress(AssertionError):
            wait_until(self._all_gone, timeout)
        return self._process.kill()

    def kill(self) -> None:
        """Kill it with all its processes at once (SIGKILL), and wait until they are gone."""
        if self._process is not None:
            self._process.kill()
            wait_until(self._all_gone, what=f"the end of {self.name}")

    def pause(self) -> None:
        """Stop it in its tracks (SIGSTOP): its port takes connections and nobody answers."""
        self._signal(signal.SIGSTOP)
        wait_until(self._stands_still, what=lambda: f"{self.name} to stand still")

    def resume(self) -> None:
        """Let it go on after `pause` (SIGCONT)."""
        self._signal(signal.SIGCONT)

    def close(self) -> None:
        """Kill it and give back what it holds."""
        self.kill()
        self._forget()

    def __enter__(self) -> Self:
        if not self.running:
            try:
                self.start()
            except BaseException:
                self.close()
                raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _ready_or_ended(self) -> bool:
        assert self._process is not None
        if not self._process.running:
            raise AssertionError(f"it ended with status {self._process.returncode}")
        return self.ready()

    def _all_gone(self) -> bool:
        """Whether no process of its group is left: its first one may end before those that do the work."""
        assert self._process is not None
        if self._process.running:
            return False
        try:
            os.killpg(self._process.pid, 0)
        except ProcessLookupError:
            return True
        return False

    def _stands_still(self) -> bool:
        """Whether every thread of its group has stopped: for a moment after the signal some still answer."""
        for path in Path("/proc").glob("[0-9]*/task/*/stat"):
            with suppress(OSError):  # a thread that has ended meanwhile
                state, _, group, *_ = path.read_bytes().rpartition(b")")[2].split()
                if int(group) == self.pid and state not in (b"T", b"Z", b"X"):
                    return False
        return True

    def _signal(self, number: int) -> None:
        if self.running:
            os.killpg(self.pid, number)

    def _forget(self) -> None:
        if self._process is not None:
            self._earlier += self._process.report
            self._process.close()
            self._process = None

"""A program under test as a real process: started with a known environment, watched, and never left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, TypeVar

from typing_extensions import Self

from tests.support import Response, wait_for_http, wait_until

T = TypeVar("T")

ROOT: Final = Path(__file__).resolve().parent.parent
_BIN: Final = Path(sys.executable).parent
# What the caller's shell may have set and what would change the program under test.
_FOREIGN: Final = (
    "OTEL_",
    "PROMETHEUS_MULTIPROC_DIR",
    "FLASK_",
    "WERKZEUG_",
    "GUNICORN_CMD_ARGS",
    "COLUMNS",  # set by readline where pytest runs in several processes: no terminal's
    "LINES",
    "PYTEST_",
    "PYTHONDONTWRITEBYTECODE",  # each of the hundreds of starts would compile the whole package again
)


def clean_environment(env: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return this process's environment without any `OTEL_*` and the like, with this Python's programs first on PATH.

    `env` is laid over it.
    """
    base = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    base["PATH"] = os.pathsep.join([str(_BIN), base.get("PATH", os.defpath)])
    base["PYTHONUNBUFFERED"] = "1"
    base.update(env or {})
    return base


class AppProcess:
    """One running program; as a context manager it is ended with all its children, whatever happens in the block.

    `python` and every program installed beside it (`opentelemetry-instrument`, `flask`, ...) are found without an
    activated environment. Output goes to files, so that a program which writes a lot never blocks.
    """

    def __init__(
        self, arguments: Sequence[str | Path], env: Mapping[str, str] | None = None, *, cwd: Path | None = None
    ) -> None:
        """Start the program in `cwd` (default: the repository) with `env` laid over a clean environment."""
        named = [str(argument) for argument in arguments]
        beside = _BIN / named[0]
        if named[0] == "python":
            named[0] = sys.executable
        elif os.sep not in named[0] and beside.exists():
            named[0] = str(beside)
        self.arguments = named
        self._stdout = tempfile.TemporaryFile()  # noqa: SIM115 -- closed with the process
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 -- the same
        self._popen = subprocess.Popen(
            named,
            env=clean_environment(env),
            cwd=cwd or ROOT,
            stdin=subprocess.DEVNULL,
            stdout=self._stdout,
            stderr=self._stderr,
            start_new_session=True,
        )

    @classmethod
    def start(
        cls, arguments: Sequence[str | Path], env: Mapping[str, str] | None = None, *, cwd: Path | None = None
    ) -> AppProcess:
        """Start the program; the same as the constructor, for those who read better with a verb."""
        return cls(arguments, env, cwd=cwd)

    @property
    def pid(self) -> int:
        """Process id of the program, which is also the id of its process group."""
        return self._popen.pid

    @property
    def returncode(self) -> int | None:
        """Exit status, negative for a signal, or None while it runs."""
        return self._popen.poll()

    @property
    def running(self) -> bool:
        """Whether the program still runs."""
        return self.returncode is None

    @property
    def stdout(self) -> str:
        """What it wrote to standard output until now."""
        return _written(self._stdout.fileno())

    @property
    def stderr(self) -> str:
        """What it wrote to standard error until now."""
        return _written(self._stderr.fileno())

    @property
    def output(self) -> str:
        """Standard output, then standard error."""
        return self.stdout + self.stderr

    @property
    def report(self) -> str:
        """The command and its output: for messages of failed tests."""
        return f"$ {' '.join(self.arguments)}\n{self.output}"

    def wait_for_http(self, url: str, timeout: float = 60.0, *, status: int | None = 200) -> Response:
        """Wait until the URL answers; raises AssertionError with the output when it does not or the program ends.

        A request that is taken is waited for: one that was given up would be handled all the same, and counted.
        """
        response = self._watch(lambda: _try_http(url, status, timeout), timeout, what=url)
        assert response is not None
        return response

    def wait_for_output(self, text: str, timeout: float = 60.0) -> str:
        """Wait until the text stands in either output, and return all output; raises AssertionError as above."""
        self._watch(lambda: text in self.stdout or text in self.stderr, timeout, what=repr(text))
        return self.output

    def wait(self, timeout: float = 60.0) -> int:
        """Wait until the program has ended by itself and return its status; raises AssertionError with the output."""
        try:
            return self._popen.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {timeout:g} s\n{self.report}") from None

    def signal(self, number: int) -> None:
        """Send a signal to the program alone (not to its children)."""
        self._popen.send_signal(number)

    def terminate(self, timeout: float = 15.0) -> int:
        """Ask it to end (SIGTERM), after `timeout` seconds kill what is left of its group; return its status."""
        if self.running:
            self.signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self._popen.wait(timeout)
        return self.kill()

    def kill(self) -> int:
        """Kill the program and all its children at once (SIGKILL) and return its status."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        return self._popen.wait(30)

    def close(self) -> None:
        """End it and give its files back."""
        self.terminate()
        self._stdout.close()
        self._stderr.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None and sys.version_info >= (3, 11):
            error.add_note(self.report)
        self.close()

    def _watch(self, predicate: Callable[[], T], timeout: float, *, what: str) -> T:
        def decided() -> tuple[T] | None:
            running = self.running  # asked first: what it did last before its end still counts
            answer = predicate()
            if not answer and not running:
                raise AssertionError(f"the program ended with status {self.returncode} before {what}")
            return (answer,) if answer else None

        try:
            found = wait_until(decided, timeout, what=what, every=0.05)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.report}") from None
        assert found is not None
        return found[0]


def _written(descriptor: int) -> str:
    # pread leaves the offset alone, which the program shares for its writing.
    return os.pread(descriptor, os.fstat(descriptor).st_size, 0).decode(errors="replace")


def _try_http(url: str, status: int | None, seconds: float) -> Response | None:
    try:
        return wait_for_http(url, 0, status=status, seconds=seconds)
    except AssertionError:
        return None

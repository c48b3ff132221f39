"""Where log records go: the console, a file. Neither raises or waits."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from typing import TYPE_CHECKING, Any, Final, TextIO

from otel_distro.logs.json import JsonFormatter, TextFormatter
from otel_distro.logs.line_file import LineFile

if TYPE_CHECKING:
    _StreamHandler = logging.StreamHandler[TextIO]
else:
    _StreamHandler = logging.StreamHandler  # no generic type before Python 3.11

_log: Final = logging.getLogger("otel_distro")


class Sink(logging.Handler):
    """A handler that formats without holding its lock: threads wait for each other only where they must."""

    def handle(self, record: logging.LogRecord) -> bool:
        """Emit the record unless a filter refuses it."""
        if self.filters:
            passed = self.filter(record)
            if not passed:
                return False
            if isinstance(passed, logging.LogRecord):  # from Python 3.12 on a filter may replace the record
                record = passed
        self.emit(record)
        return True


class JsonFileHandler(Sink):
    """Append each record as one line of JSON to a file that other processes may share; `LineFile` says what it bears.

    Thread and fork safe. The first line that cannot be written gives one warning on the logger `otel_distro`; again
    only after the file had recovered. `close()` (`logging.shutdown`, `dictConfig`) closes the file, the next record
    opens it.
    """

    def __init__(
        self, path: str | os.PathLike[str], formatter: JsonFormatter | None = None, level: int = logging.NOTSET
    ) -> None:
        super().__init__(level)
        self._json = formatter or JsonFormatter()
        self.formatter = self._json
        self._line = self._json.line
        # The base class's own, which the logging module makes anew in the child of a fork.
        self._lock: Any = self.lock
        self._file = LineFile(path)

    @property
    def path(self) -> str:
        """The file's absolute path."""
        return self._file.path

    @property
    def dropped(self) -> int:
        """How many lines could not be written so far."""
        return self._file.dropped

    def open(self) -> None:
        """Open the file before the first record; a path that cannot be used is warned of now."""
        with self._lock:
            self._file.open()
        self._warn()

    def handle(self, record: logging.LogRecord) -> bool:
        """Emit the record unless a filter refuses it."""
        if self.filters:
            return super().handle(record)
        self.emit(record)
        return True

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record."""
        file = self._file
        try:
            line = self._line(record)
            with self._lock:
                file.write(line)
        except Exception:  # noqa: BLE001 -- as at the interpreter's end, when modules are gone
            file.dropped += 1
        if file.problem:
            self._warn()

    def close(self) -> None:
        """Close the file until the next record."""
        with self._lock:
            self._file.close()
        super().close()

    def _warn(self) -> None:
        """Warn, outside of the lock: the warning goes through the application's handlers, which have locks too."""
        problem, self._file.problem = self._file.problem, ""
        if problem:
            _log.warning("%s", problem)


class ConsoleHandler(_StreamHandler):
    """Write each record to what `sys.stdout` is at that moment, one whole line by one write.

    A stream that is closed, broken or absent drops the line and counts it in `dropped`. Thread and fork safe.
    """

    def __init__(self, formatter: JsonFormatter | TextFormatter, level: int = logging.NOTSET) -> None:
        logging.Handler.__init__(self, level)
        self.formatter: JsonFormatter | TextFormatter = formatter
        self.dropped = 0

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        """The standard output of this moment: tests and servers replace it."""
        return sys.stdout

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record; the base class would print a traceback where that fails."""
        try:
            text = self.format(record)
            stream = self.stream
            try:
                stream.write(text + "\n")
            except UnicodeEncodeError:
                stream.write(self.formatter.ascii(text) + "\n")
            stream.flush()
        except Exception:  # noqa: BLE001 -- whatever the stream raises is no concern of the application
            self.dropped += 1

    def flush(self) -> None:
        """Flush the stream where there is one that can be."""
        with contextlib.suppress(Exception):
            sys.stdout.flush()

"""Log records as the logging module makes them, with what they must remember, at less cost.

The stock constructor takes a path apart and asks for the process's id for each record; both are kept here. Where this
Python's records have other attributes, the stock constructor makes them.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from sys import modules
from threading import current_thread, get_ident
from time import time
from typing import Any, Final

_PATHS_LIMIT: Final = 4096
_NO_MAPPINGS: Final = frozenset((str, int, float))  # to ask whether something is a mapping costs a call


class Maker:
    """Makes records that have what `capture()` returns as `_otel_distro`, as long as it is `active`.

    Safe in any thread and after a fork.
    """

    def __init__(self, capture: Callable[[], object]) -> None:
        self.active = True
        self._capture = capture
        self._new: Callable[[type[logging.LogRecord]], logging.LogRecord] = object.__new__
        self._paths: dict[str, tuple[str, str]] = {}
        self._process = os.getpid()
        started = getattr(logging, "_startTime", 0)
        # In nanoseconds from Python 3.13 on.
        self._started = started / 1e9 if isinstance(started, int) else started
        self._asks_tasks = hasattr(logging, "logAsyncioTasks")
        os.register_at_fork(after_in_child=self._after_fork)

    def is_like_stock(self) -> bool:
        """Say whether the records are as this Python's own, but for what is captured."""
        try:
            made = self.make("a.b", 20, "/c/d.py", 3, "m", ("x",), None, "f", None).__dict__
            stock = logging.LogRecord("a.b", 20, "/c/d.py", 3, "m", ("x",), None, "f", None).__dict__
        except Exception:  # noqa: BLE001 -- a logging module of another kind
            return False
        if list(made) != [*stock, "_otel_distro"]:
            return False
        vary = ("created", "msecs", "relativeCreated")
        return all(
            type(made[key]) is type(value) and (made[key] == value or key in vary) for key, value in stock.items()
        )

    def _after_fork(self) -> None:
        self._process = os.getpid()

    def make(  # noqa: PLR0913, PLR0917 -- the constructor's signature
        self, name: Any, level: Any, pathname: Any, line: Any, message: Any, arguments: Any, exc_info: Any,
        function: Any = None, stack: Any = None, **more: Any,
    ) -> logging.LogRecord:  # fmt: skip
        """Make a record; the arguments are those of `logging.LogRecord`."""
        # makeLogRecord makes records of other places and times, without a name: here is not where they were made.
        if name is None or more or not self.active or type(pathname) is not str:
            record = logging.LogRecord(
                name, level, pathname, line, message, arguments, exc_info, function, stack, **more
            )
            if self.active and name is not None:
                record._otel_distro = self._capture()  # noqa: SLF001 -- our own
            return record
        created = time()
        if (
            arguments
            and len(arguments) == 1
            and type(arguments[0]) not in _NO_MAPPINGS
            and isinstance(arguments[0], Mapping)
            and arguments[0]
        ):
            arguments = arguments[0]
        # Attribute by attribute, in the stock constructor's order: setting `__dict__` costs three times as much.
        record = self._new(logging.LogRecord)
        record.name = name
        record.msg = message
        record.args = arguments
        record.levelname = logging.getLevelName(level)
        record.levelno = level
        record.pathname = pathname
        record.filename, record.module = self._paths.get(pathname) or self._path(pathname)
        record.exc_info = exc_info
        record.exc_text = None
        record.stack_info = stack
        record.lineno = line
        record.funcName = function
        record.created = created
        record.msecs = int((created - int(created)) * 1000) + 0.0
        record.relativeCreated = (created - self._started) * 1000
        if logging.logThreads:
            record.thread = get_ident()
            record.threadName = current_thread().name
        else:
            record.thread = record.threadName = None
        multiprocessing = modules.get("multiprocessing")
        if multiprocessing is None and logging.logMultiprocessing:
            record.processName = "MainProcess"
        else:
            record.processName = _process_name(multiprocessing)
        record.process = self._process if logging.logProcesses else None
        if self._asks_tasks:
            record.taskName = _task_name()
        record._otel_distro = self._capture()  # noqa: SLF001 -- our own
        return record

    def _path(self, pathname: Any) -> tuple[str, str]:
        filename = os.path.basename(pathname)
        found = filename, os.path.splitext(filename)[0]
        if len(self._paths) < _PATHS_LIMIT:
            self._paths[pathname] = found
        return found


def _process_name(multiprocessing: Any) -> Any:
    if not logging.logMultiprocessing:
        return None
    try:
        return multiprocessing.current_process().name
    except Exception:  # noqa: BLE001 -- it may be in the middle of its import, as the stock constructor says
        return "MainProcess"


def _task_name() -> Any:
    asyncio: Any = modules.get("asyncio")
    if asyncio is None or not getattr(logging, "logAsyncioTasks", False):
        return None
    try:
        return asyncio.current_task().get_name()
    except Exception:  # noqa: BLE001 -- outside of a loop or of a task, as the stock constructor says
        return None

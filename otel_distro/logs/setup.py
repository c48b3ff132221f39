"""Set up the logs: by a call, or from the variables at the start; both lead to the same lines.

The console stands on the root logger, where other libraries look before they add a handler of their own; file and
exporter are sinks of the tap, so the application's own handlers and console stay what they are.
"""

from __future__ import annotations

import logging
import os
import threading
from typing import TYPE_CHECKING, Any, Final

from otel_distro.logs.document import Documents
from otel_distro.logs.handlers import ConsoleHandler, JsonFileHandler
from otel_distro.logs.json import JsonFormatter, TextFormatter
from otel_distro.logs.tap import TAP, OwnLevel
from otel_distro.settings import Settings

if TYPE_CHECKING:
    from otel_distro.logs.otlp_handler import OtlpHandler

_log: Final = logging.getLogger("otel_distro")


class _Logs:
    """What this package has set up in this process."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.console: ConsoleHandler | None = None
        self.file: JsonFileHandler | None = None
        self.otlp: OtlpHandler | None = None
        self.explicit = False  # an explicit call decides the level from then on
        self.dropped_before = 0

    def set_console(self, console: ConsoleHandler | None) -> None:
        root = logging.getLogger()
        if self.console is not None:
            root.removeHandler(self.console)
            self.dropped_before += self.console.dropped
        if console is not None:
            root.addHandler(console)
        self.console = TAP.console = console

    def set_file(self, file: JsonFileHandler | None) -> None:
        before, self.file = self.file, file
        self._set_sinks()
        if before is not None:
            self.dropped_before += before.dropped
            before.close()

    def set_otlp(self, otlp: OtlpHandler | None) -> None:
        if self.otlp is not None:
            self.dropped_before += self.otlp.dropped
        self.otlp = otlp
        self._set_sinks()

    def handlers(self) -> list[ConsoleHandler | JsonFileHandler | OtlpHandler]:
        return [handler for handler in (self.console, self.file, self.otlp) if handler is not None]

    def _set_sinks(self) -> None:
        TAP.sinks = tuple(sink for sink in (self.file, self.otlp) if sink is not None)


_logs: Final = _Logs()


def setup_logging(
    log_level: int | str = logging.INFO, log_file: str | os.PathLike[str] | None = None
) -> logging.Logger:
    """Log as JSON to stdout and, if named, to a file; return the root logger.

    `log_level` is a number or a name in any case and becomes the root logger's level. Without `log_file` the file of
    OTEL_DISTRO_LOG_FILE stays or is opened, where that is set. A second call replaces the first one's console and file;
    handlers of others stay. `OTEL_DISTRO_LOG_FORMAT=text` makes the console's lines text. Safe to call from any thread.
    Never raises: a level or a file that cannot be used is one warning on the logger `otel_distro`.
    """
    settings = Settings.current()
    documents = Documents.from_settings(settings)
    level, problem = _level(log_level)
    root = logging.getLogger()
    with _logs.lock:
        TAP.install()
        root.setLevel(level)
        _logs.explicit = True
        _logs.set_console(_console("text" if settings.log_format == "text" else "json", documents, logging.NOTSET))
        path = log_file or ("" if _logs.file else settings.log_file)
        file, path_problem = _file(path, documents, logging.NOTSET)
        if file:
            _logs.set_file(file)
        # From here on the loggers' levels decide, as they do after logging.basicConfig.
        for handler in _logs.handlers():
            handler.setLevel(logging.NOTSET)
    # Warn when all stands, so that the warnings are in the logs; and without the lock, for handlers may do anything.
    _report(file, problem, path_problem)
    return root


def configure_logging(settings: Settings, logger_provider: object | None = None) -> None:
    """Set up what the variables ask for: console, file, and records to the OpenTelemetry logger provider, if given.

    Nothing asked, nothing touched. OTEL_DISTRO_LOG_LEVEL is the least level of all three; the root logger's level comes
    down to it, but records below the level that the application had do not reach the application's own handlers. What a
    call of `setup_logging` has set stays. Never raises.
    """
    wants_console = settings.log_format != "none"
    if not (wants_console or settings.log_file or logger_provider is not None):
        return
    documents = Documents.from_settings(settings)
    with _logs.lock:
        TAP.install()
        level = logging.NOTSET if _logs.explicit else settings.log_level
        if wants_console:
            _logs.set_console(_console(settings.log_format, documents, level))
        file, problem = _file(settings.log_file, documents, level)
        if file:
            _logs.set_file(file)
        if logger_provider is not None:
            from otel_distro.logs.otlp_handler import OtlpHandler

            _logs.set_otlp(OtlpHandler(logger_provider, documents, level))
        if not _logs.explicit:
            _lower_root_level(settings.log_level)
    _report(file, problem)


def dropped_lines() -> int:
    """Return how many log lines of this process could not be written or handed over since its start."""
    return _logs.dropped_before + sum(handler.dropped for handler in _logs.handlers())


def reset_logging() -> None:
    """Take away all that was set up here; the root logger has its level back unless the application has set one."""
    root = logging.getLogger()
    with _logs.lock:
        _logs.set_console(None)
        _logs.set_file(None)
        _logs.set_otlp(None)
        _logs.explicit = False
        TAP.remove()
        if type(root.level) is OwnLevel:
            root.setLevel(root.level.before)


def _lower_root_level(level: int) -> None:
    """Let records from `level` on pass the root logger, and remember what passed before."""
    root = logging.getLogger()
    current = root.level
    before = current.before if type(current) is OwnLevel else current
    if before > level:
        root.setLevel(OwnLevel.of(level, before))


def _console(kind: str, documents: Documents, level: int) -> ConsoleHandler:
    formatter = TextFormatter(documents) if kind == "text" else JsonFormatter(documents)
    return ConsoleHandler(formatter, level)


def _file(path: str | os.PathLike[str], documents: Documents, level: int) -> tuple[JsonFileHandler | None, str]:
    """Return the handler of the file, if one is named, and a sentence where the name can be none."""
    if not path:
        return None, ""
    try:
        return JsonFileHandler(path, JsonFormatter(documents), level), ""
    except Exception as error:  # noqa: BLE001 -- not a path at all
        return None, f"log_file={path!r} is no path ({error}); there is no log file: give a text or a path"


def _report(file: JsonFileHandler | None, *problems: str) -> None:
    """Warn of what could not be set up as asked."""
    for problem in problems:
        if problem:
            _log.warning("%s", problem)
    if file:
        file.open()


def _level(value: Any) -> tuple[int, str]:
    """Return the level that a number or a name stands for, and a sentence where it stands for none."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return int(value), ""
    if isinstance(value, str):
        name = value.strip().upper()
        number = (
            int(name)
            if name.isdecimal() and len(name) < 20
            else logging.getLevelName("WARNING" if name == "WARN" else name)
        )
        if isinstance(number, int):
            return number, ""
    return (
        logging.INFO,
        f"log_level={value!r} is no level; INFO is used: give a number or debug, info, warning, error, critical",
    )

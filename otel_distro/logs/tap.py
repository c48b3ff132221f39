"""A tap on all loggers: what file and exporter receive does not depend on the handlers that the application has.

A handler on the root logger would change the application's console: Flask, werkzeug and `logging.basicConfig` add
theirs only where there is none, and `logging.lastResort` falls silent. It would also miss loggers that do not
propagate, and go with `dictConfig` or `basicConfig(force=True)`. So `Logger.callHandlers` is wrapped, once.
"""

from __future__ import annotations

import logging
from typing import Any, Final

from otel_distro.logs.capture import LEVEL, PRIVATE, SIZE, TAPPED, CapturingFactory, capture_of


class OwnLevel(int):
    """A root level that this package has set, and the one from `before`; what the application sets is a plain int."""

    before: int = logging.WARNING

    @classmethod
    def of(cls, level: int, before: int) -> OwnLevel:
        """Return the level; it equals the plain number."""
        made = cls(level)
        made.before = before
        return made


class Tap:
    """Give each record that passes its logger to the sinks, once, after the application's own handlers.

    A record that only our lower root level let through (`OwnLevel`) goes to the sinks alone: the console shows what it
    would show without us, unless it is our `console` that stands on the root logger. A record that comes by again
    (`QueueListener`, a log server in the parent process) is not given twice. Sinks never see a record that the logger,
    its filters or `logging.disable` refuse, and never raise. Install and remove in one thread; records may come in any.
    """

    def __init__(self) -> None:
        self.sinks: tuple[logging.Handler, ...] = ()
        self.console: logging.Handler | None = None
        self._original: Any = None
        self._installed: Any = None
        self._factory: CapturingFactory | None = None

    def install(self) -> None:
        """Let records remember where they were made, and tap the loggers; more than once is as once."""
        if self._factory is None:
            self._factory = CapturingFactory()
            self._factory.install()
        if self._installed is None:
            self._original = logging.Logger.callHandlers
            self._installed = self._wrapped(self._original)
            logging.Logger.callHandlers = self._installed  # type: ignore[method-assign]

    def remove(self) -> None:
        """Undo `install`; where another wrapper stands around ours, ours only passes records on."""
        self.sinks = ()
        if self._factory is not None:
            self._factory.remove()
            self._factory = None
        if self._installed is not None and logging.Logger.callHandlers is self._installed:
            logging.Logger.callHandlers = self._original  # type: ignore[method-assign]
            self._installed = None

    def _wrapped(self, original: Any) -> Any:
        root: Final = logging.root

        def callHandlers(logger: logging.Logger, record: logging.LogRecord) -> None:  # noqa: N802 -- stands for it
            if not self.sinks and self.console is None:
                original(logger, record)
                return
            found = getattr(record, PRIVATE, None)
            capture = found if type(found) is list and len(found) == SIZE else capture_of(record)
            if capture[LEVEL] is None:
                capture[LEVEL] = record.levelname  # a formatter that colours it changes it for all who come after it
            if not self.sinks:
                original(logger, record)
                return
            seen, capture[TAPPED] = capture[TAPPED], True
            level = root.level
            try:
                # A record without our mark, or seen before, was made elsewhere: no root level of ours let it through.
                if (
                    type(level) is not OwnLevel
                    or record.levelno >= level.before
                    or found is None
                    or seen
                    or self.console in root.handlers
                    or not _inherits(logger)
                ):
                    original(logger, record)
            finally:
                if not seen:
                    number = record.levelno
                    for sink in self.sinks:
                        if number >= sink.level:
                            sink.handle(record)

        # Whoever looks for the caller's frame skips those of the logging module's file: `Handler.handleError`, and the
        # handlers that hand records on to another logging library. This frame is one of them.
        callHandlers.__code__ = callHandlers.__code__.replace(co_filename=logging.addLevelName.__code__.co_filename)
        return callHandlers


def _inherits(logger: logging.Logger) -> bool:
    """Say whether the logger has its level from the root logger."""
    current: logging.Logger | None = logger
    while current is not None and current.parent is not None:
        if current.level:
            return False
        current = current.parent
    return True


TAP: Final = Tap()

"""Log records to an OpenTelemetry logger provider; imported only where there is one."""

from __future__ import annotations

import logging
from typing import Any, Final

from otel_distro.internals import logs as internals
from otel_distro.logs.document import Documents
from otel_distro.logs.entry import Draft, Entry
from otel_distro.logs.handlers import Sink
from otel_distro.logs.json import JsonFormatter

_LOGGERS_LIMIT: Final = 1024


class OtlpHandler(Sink):
    """Hand each record to an OpenTelemetry logger provider: the message is the body, the rest are attributes.

    Timestamp, severity, trace and span id stand in the record itself, so that who puts all this together again has the
    document of the file's line, to the value. Thread and fork safe as the provider is. Records that exporting makes
    itself are not exported, else each export would cause the next: those of the `opentelemetry` loggers and all that is
    logged while the SDK suppresses instrumentation.
    """

    def __init__(self, provider: Any, documents: Documents | None = None, level: int = logging.NOTSET) -> None:
        super().__init__(level)
        self._provider = provider
        self._line = JsonFormatter(documents).line
        self._loggers: dict[str, Any] = {}
        self._enabled = internals.not_suppressed()
        self._way = internals.short_way(provider)
        self.dropped = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Hand the record over."""
        try:
            if not self._enabled():
                return
            name = record.name if type(record.name) is str else ""
            logger = self._loggers.get(name)
            if logger is None:
                if name.startswith("opentelemetry."):
                    return
                logger = self._logger(name)
            way = self._way
            # A document has fewer fields of its own than a record has standard attributes.
            short = way.leads(logger) if way is not None and len(record.__dict__) <= way.most else False
            if way is not None and short:
                item = Draft.of(record, self._line, logger) or Entry.of(record, self._line(record), logger)
                for put in way.puts:
                    put(item)
            elif short is not None:
                logger.emit(Entry.of(record, self._line(record), logger).record())
        except Exception:  # noqa: BLE001 -- a provider of any make must not break the application
            self.dropped += 1

    def _logger(self, name: str) -> Any:
        """Return the provider's logger of this name; where names are made up without end, one without a name.

        The provider keeps all of them. The name stands in the document as well.
        """
        logger = self._loggers.get(name)
        if logger is None:
            if len(self._loggers) >= _LOGGERS_LIMIT:
                name = ""
            logger = self._loggers[name] = self._provider.get_logger(name)
        return logger

"""Private parts that the way of log records to an exporter rests on: the logs API and SDK stand in such modules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

from otel_distro import internals

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource

# The attribute of a log record that holds how many bytes its line has.
RECORD_SIZE: Final = "_otel_distro_size"


def log_record_types() -> tuple[Any, Any]:
    """Return the classes of a log record and of its severity.

    Raises ImportError where this OpenTelemetry release has them no more; then no logger provider can be made either.
    """
    from opentelemetry._logs import LogRecord, SeverityNumber

    return LogRecord, SeverityNumber


def start_log_export(
    resource: Resource, processors: Callable[[Callable[..., Any]], Sequence[Any]], arguments: dict[str, Any]
) -> Any:
    """Make the global logger provider with the processors; return it, or None.

    `processors` makes them of what makes the SDK's readable record.
    """
    lost = "log records are not exported; the log file and the console are as they were"
    provider_class = internals.private("opentelemetry.sdk._logs", "LoggerProvider", lost)
    readable = internals.private("opentelemetry.sdk._logs", "ReadableLogRecord", lost)
    set_provider: Callable[[Any], None] | None = internals.private("opentelemetry._logs", "set_logger_provider", lost)
    if provider_class is None or readable is None or set_provider is None:
        return None
    provider = provider_class(resource=resource, **arguments)
    for processor in processors(readable):
        provider.add_log_record_processor(processor)
    set_provider(provider)
    return provider


class ShortWay:
    """Past the SDK's records to the processors of a provider, as long as they do all that would become of a record.

    `most` is how many attributes a record may have; each of `puts` takes what is to be sent.
    """

    def __init__(self, provider: Any) -> None:
        limits = provider._log_record_limits
        most = limits.max_log_record_attributes
        if limits.max_log_record_attribute_length is not None:
            raise ValueError("attributes are cut")
        self.most: int = most if most is not None else 1 << 30
        self._processors: Any = provider._multi_log_record_processor._log_record_processors
        self.puts: tuple[Callable[[Any], None], ...] = tuple(each.put_entry for each in self._processors)
        logger = provider.get_logger("")
        # What is read of a logger later on is tried now.
        if not self._is_whole(logger):
            raise AttributeError("a logger is made of other parts")

    def _is_whole(self, logger: Any) -> bool:
        same = logger._multi_log_record_processor._log_record_processors is self._processors
        return same and None not in (logger._logger_config.is_enabled, logger._logger_metrics.emit_log, logger.resource)

    def leads(self, logger: Any) -> bool | None:
        """Say whether a record of this logger goes this way; None where it goes none, for the logger is off."""
        if logger._multi_log_record_processor._log_record_processors is not self._processors:
            return False  # somebody has added one
        if not logger._logger_config.is_enabled:
            return None
        logger._logger_metrics.emit_log()
        return True


def short_way(provider: Any) -> ShortWay | None:
    """Return the short way into a provider; None where there is none: other processors, limits or parts of the SDK."""
    try:
        way = ShortWay(provider)
    except (AttributeError, TypeError, ValueError):
        return None
    return way if way.puts else None


def not_suppressed() -> Callable[[], bool]:
    """Return what says whether instrumentation is not suppressed in the current context; quicker than the API's way."""
    from opentelemetry.context import get_current
    from opentelemetry.instrumentation.utils import is_instrumentation_enabled

    keys = (
        internals.find("opentelemetry.context", "_SUPPRESS_INSTRUMENTATION_KEY"),
        internals.find("opentelemetry.instrumentation.utils", "_SUPPRESS_INSTRUMENTATION_KEY_PLAIN"),
    )
    if None in keys:
        return is_instrumentation_enabled
    one, other = keys
    variable = getattr(internals.find("opentelemetry.context", "_RUNTIME_CONTEXT"), "_current_context", None)
    get: Callable[[], Any] = variable.get if isinstance(variable, ContextVar) else get_current

    def enabled() -> bool:
        current = get()
        return not current or not (current.get(one) or current.get(other))

    return enabled


def readable_log(logger: Any, made: Any) -> Any:
    """Return a record as a logger of the SDK hands it to exporters: with the logger's resource, scope and limits."""
    from opentelemetry.sdk._logs import ReadableLogRecord, ReadWriteLogRecord

    parts = (logger.resource, logger.instrumentation_scope, logger._log_record_limits)
    return ReadableLogRecord(ReadWriteLogRecord(made, *parts).log_record, *parts)

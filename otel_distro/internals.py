"""The only home of private OpenTelemetry imports: each is named here, tried when its part starts, and has a fallback.

A private name that has moved in a later release costs its feature and one warning, never the start.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource

_logger = logging.getLogger(__name__)
_CONFIGURATION: Final = "opentelemetry.sdk._configuration"
_warned: set[str] = set()

PRIVATE_NAMES: Final = (
    (_CONFIGURATION, "_import_sampler"),
    (_CONFIGURATION, "_import_id_generator"),
    (_CONFIGURATION, "_import_tracer_configurator"),
    (_CONFIGURATION, "_import_meter_configurator"),
    (_CONFIGURATION, "_import_logger_configurator"),
    ("opentelemetry._logs", "set_logger_provider"),
    ("opentelemetry._logs", "get_logger_provider"),
    ("opentelemetry._logs", "LogRecord"),
    ("opentelemetry._logs", "SeverityNumber"),
    ("opentelemetry.sdk._logs", "LoggerProvider"),
    ("opentelemetry.sdk._logs.export", "BatchLogRecordProcessor"),
)


def missing() -> list[str]:
    """Return the private names that this OpenTelemetry release no longer has; empty on the releases we are made for."""
    return [f"{module}.{name}" for module, name in PRIVATE_NAMES if _find(module, name) is None]


def _find(module: str, name: str) -> Any:
    try:
        return getattr(import_module(module), name, None)
    except ImportError:
        return None


def _private(module: str, name: str, lost: str) -> Any:
    found = _find(module, name)
    if found is None and name not in _warned:
        _warned.add(name)
        _logger.warning("this OpenTelemetry release has no %s.%s: %s", module, name, lost)
    return found


def sampler(name: str | None) -> Any:
    """Return the sampler that `OTEL_TRACES_SAMPLER` names, or None to let the SDK read the variable itself.

    A name that nobody knows gives the SDK's one warning and its default sampler.
    """
    load = _private(_CONFIGURATION, "_import_sampler", "OTEL_TRACES_SAMPLER takes the SDK's own samplers only")
    if load is None or not name:
        return None
    from opentelemetry.sdk.trace.sampling import DEFAULT_ON

    return load(name) or DEFAULT_ON


def id_generator(name: str | None) -> Any:
    """Return the id generator that `OTEL_PYTHON_ID_GENERATOR` names, or None for the SDK's default."""
    if not name:
        return None
    load = _private(_CONFIGURATION, "_import_id_generator", "OTEL_PYTHON_ID_GENERATOR is not in force")
    return load(name) if load else None


def provider_configurator(signal: str, name: str | None) -> dict[str, Any]:
    """Return the provider's argument for `OTEL_PYTHON_<SIGNAL>_CONFIGURATOR`; `signal` is tracer, meter or logger."""
    if not name:
        return {}
    lost = f"OTEL_PYTHON_{signal.upper()}_CONFIGURATOR is not in force"
    load = _private(_CONFIGURATION, f"_import_{signal}_configurator", lost)
    return {f"_{signal}_configurator": load(name)} if load else {}


def log_record_types() -> tuple[Any, Any]:
    """Return the classes of a log record and of its severity.

    Raises ImportError where this OpenTelemetry release has them no more; then no logger provider can be made either.
    """
    from opentelemetry._logs import LogRecord, SeverityNumber

    return LogRecord, SeverityNumber


def start_log_export(resource: Resource, exporters: Sequence[Any], arguments: dict[str, Any]) -> Any:
    """Make the global logger provider with one batch processor for each exporter; return it, or None.

    The logs API and SDK still stand in modules with an underscore.
    """
    lost = "log records are not exported; the log file and the console are as they were"
    provider_class = _private("opentelemetry.sdk._logs", "LoggerProvider", lost)
    processor_class = _private("opentelemetry.sdk._logs.export", "BatchLogRecordProcessor", lost)
    set_provider: Callable[[Any], None] | None = _private("opentelemetry._logs", "set_logger_provider", lost)
    if provider_class is None or processor_class is None or set_provider is None:
        return None
    provider = provider_class(resource=resource, **arguments)
    for exporter in exporters:
        provider.add_log_record_processor(processor_class(exporter))
    set_provider(provider)
    return provider

"""OpenTelemetry distribution for Python web services: the public names, each loaded on first use.

Importing this package does no work: no environment read, no thread, no registration.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from otel_distro.analyzer.analyzer import LogAnalyzer as LogAnalyzer
    from otel_distro.business import BusinessMetrics as BusinessMetrics
    from otel_distro.context import get_request_id as get_request_id
    from otel_distro.context import set_user as set_user
    from otel_distro.decorators import monitor_request as monitor_request
    from otel_distro.decorators import track_performance as track_performance
    from otel_distro.logs.setup import setup_logging as setup_logging
    from otel_distro.metrics.app import metrics_app as metrics_app
    from otel_distro.metrics.by_hand import start_metrics_server as start_metrics_server
    from otel_distro.metrics.declared import counter as counter
    from otel_distro.metrics.declared import gauge as gauge
    from otel_distro.metrics.declared import histogram as histogram

__version__ = "0.1.0"

_HOMES = {
    "BusinessMetrics": "otel_distro.business",
    "LogAnalyzer": "otel_distro.analyzer.analyzer",
    "counter": "otel_distro.metrics.declared",
    "gauge": "otel_distro.metrics.declared",
    "get_request_id": "otel_distro.context",
    "histogram": "otel_distro.metrics.declared",
    "metrics_app": "otel_distro.metrics.app",
    "monitor_request": "otel_distro.decorators",
    "set_user": "otel_distro.context",
    "setup_logging": "otel_distro.logs.setup",
    "start_metrics_server": "otel_distro.metrics.by_hand",
    "track_performance": "otel_distro.decorators",
}

__all__ = [*_HOMES, "__version__", "configure"]  # noqa: PLE0604 -- the table above is the one list of names


def configure() -> None:
    """Set up everything that the prefix command sets up, in the process that calls it.

    Call it before the first request, the earlier the better; applications of Flask that exist already are instrumented
    as well. A second call, or a call under the prefix command, does nothing. Never raises.
    """
    try:
        from otel_distro.distro import configure as start
    except Exception as error:  # noqa: BLE001 -- importing OpenTelemetry reads variables, and raises by a wrong one
        import logging

        told = f"{type(error).__name__}: {error}"
        logging.getLogger(__name__).warning("OpenTelemetry cannot be loaded (%s): nothing is set up", told)
    else:
        start()


if not TYPE_CHECKING:  # a type checker would take any name for one of this package

    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(_HOMES[name]), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})

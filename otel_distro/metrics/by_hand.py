"""The page by the application's own word: `start_metrics_server`, and what a person is told."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable

from opentelemetry.metrics import get_meter_provider

from otel_distro.errors import InputError
from otel_distro.metrics.http import MetricsServer
from otel_distro.metrics.server import page_service, warn_not_served
from otel_distro.settings import Settings

_logger = logging.getLogger(__name__)


def start_metrics_server(port: int = 8000, host: str | None = None) -> MetricsServer | None:
    """Serve the metrics page at `http://localhost:<port>/metrics` and print the address; return the server.

    `host` is by default `OTEL_EXPORTER_PROMETHEUS_HOST`, that is localhost; port 0 takes a free one. Works with and
    without the prefix command. A second call for a port, a port that another process of the service serves already, or
    one that somebody else has, is one clear message and None: nothing is raised. Before uWSGI forks, it is left to the
    workers.
    """
    settings = Settings.current()
    if settings.disabled:
        print("Metrics are off: OTEL_SDK_DISABLED=true")  # noqa: T201 -- the address is for the person who starts it
        return None
    if not isinstance(port, int) or isinstance(port, bool) or not 0 <= port <= 65535:
        _logger.warning("metrics are not served: port=%.100r is not a whole number from 0 to 65535", port)
        return None
    if left_to_workers(lambda: start_metrics_server(port, host)):
        print(f"Metrics will be served on port {port} by a worker", flush=True)  # noqa: T201 -- the same
        return None
    if not page_service.attach(settings, port):
        _logger.warning(
            "metrics are not served on port %s: the meter provider of this process is %s, which no page can read; "
            "call start_metrics_server before it is set",
            port,
            type(get_meter_provider()).__qualname__,
        )
        return None
    known = page_service.serving(port)
    if known is not None:
        print(f"Metrics are already served at {known.url}")  # noqa: T201 -- the same
        return None
    return _serve_and_say(settings, host or settings.prometheus_host, port)


def _serve_and_say(settings: Settings, host: str, port: int) -> MetricsServer | None:
    try:
        server = page_service.serve(settings, host, port)
    except (OSError, InputError) as error:
        warn_not_served(host, port, error)
        return None
    if server is None:
        print(f"Metrics are already served on port {port} by another process of this service", flush=True)  # noqa: T201 -- the same
        return None
    print(f"Metrics are served at {server.url}", flush=True)  # noqa: T201 -- the same
    return server


def left_to_workers(call: Callable[[], object]) -> bool:
    """Have `call` called in each worker instead, where uWSGI has not forked them yet; False everywhere else."""
    if "uwsgi" not in sys.modules:
        return False
    from otel_distro.metrics import workers

    return workers.left_to_workers(call)

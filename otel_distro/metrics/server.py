"""Who serves the metrics page of this process, and on which ports."""

from __future__ import annotations

import logging
import os
import threading
from typing import Final

from opentelemetry.metrics import get_meter_provider, set_meter_provider
from opentelemetry.sdk.metrics import MeterProvider
from prometheus_client import REGISTRY

from otel_distro.metrics.http import MetricsServer
from otel_distro.metrics.prometheus import PrometheusReader
from otel_distro.settings import Settings

_logger = logging.getLogger(__name__)


class PageService:
    """The page of one process: its reader, and a server for each port it is served on.

    Safe to use from any thread. In a forked child no server is left: the parent serves on.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._reader: PrometheusReader | None = None
        self._servers: dict[int, MetricsServer] = {}
        self._watching_forks = False

    def reader(self, settings: Settings) -> PrometheusReader:
        """Return the reader of this process's page; made on the first call."""
        with self._lock:
            if self._reader is None:
                self._reader = PrometheusReader(scope_labels=settings.scope_labels, registries=(REGISTRY,))
            return self._reader

    def attach(self, settings: Settings) -> bool:
        """Make sure that the global meter provider feeds the page; False where it is not the SDK's and so cannot."""
        with self._lock:
            if self._reader is not None:
                return True
            provider = get_meter_provider()
            if isinstance(provider, MeterProvider):
                provider.add_metric_reader(self.reader(settings))
                return True
            new = MeterProvider(metric_readers=[self.reader(settings)])
            set_meter_provider(new)
            return get_meter_provider() is new

    def serve(self, host: str, port: int) -> MetricsServer:
        """Serve the page at an address; return the server that is there already if it is ours.

        Raises OSError where the address cannot be taken.
        """
        with self._lock:
            if port in self._servers:
                return self._servers[port]
            if self._reader is None:
                raise RuntimeError("no reader: call reader() or attach() first")
            if not self._watching_forks:
                os.register_at_fork(after_in_child=self._after_fork)
                self._watching_forks = True
            server = MetricsServer(self._reader.page, host, port)
            self._servers[server.port] = server
            return server

    def serving(self, port: int) -> bool:
        """Whether this process serves its page at the port."""
        return port in self._servers

    def close(self) -> None:
        """Stop every server and free its port; the page can be served again."""
        with self._lock:
            while self._servers:
                self._servers.popitem()[1].close()

    def _after_fork(self) -> None:
        self._lock = threading.RLock()
        while self._servers:
            self._servers.popitem()[1].forget()


page_service: Final = PageService()


def start_metrics_server(port: int = 8000, host: str | None = None) -> MetricsServer | None:
    """Serve the metrics page at `http://localhost:<port>/metrics` and print the address; return the server.

    `host` is by default `OTEL_EXPORTER_PROMETHEUS_HOST`, that is localhost; port 0 takes a free one. Works with and
    without the prefix command. A second call for a port, or a port that somebody else has, is one clear message and
    None: nothing is raised.
    """
    settings = Settings.current()
    if settings.disabled:
        print("Metrics are off: OTEL_SDK_DISABLED=true")  # noqa: T201 -- the address is for the person who starts it
        return None
    if not isinstance(port, int) or not 0 <= port <= 65535:
        _logger.warning("metrics are not served: port=%.100r is not a whole number from 0 to 65535", port)
        return None
    if not page_service.attach(settings):
        _logger.warning(
            "metrics are not served on port %s: the meter provider of this process is %s, which no page can read; "
            "call start_metrics_server before it is set",
            port,
            type(get_meter_provider()).__qualname__,
        )
        return None
    again = page_service.serving(port)
    server = serve_page(host or settings.prometheus_host, port)
    if server is None:
        return None
    if again:
        print(f"Metrics are already served at {server.url}")  # noqa: T201 -- the same
        return None
    print(f"Metrics are served at {server.url}", flush=True)  # noqa: T201 -- the same
    return server


def serve_page(host: str, port: int) -> MetricsServer | None:
    """Serve the page of this process; where the address cannot be taken, one warning and None."""
    try:
        return page_service.serve(host, port)
    except OSError as error:
        _logger.warning(
            "metrics are not served on %s:%s: %s; free the port or choose another one "
            "(OTEL_EXPORTER_PROMETHEUS_PORT); the application runs on",
            host,
            port,
            error.strerror or error,
        )
        return None

"""A small HTTP server for one page, in a daemon thread: bounded clients, time limits, gzip, GET and HEAD only."""

from __future__ import annotations

import gzip
import logging
import socket
import sys
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

from otel_distro.metrics.prometheus import chosen_format

PATHS: Final = ("/", "/metrics")
CLIENT_TIMEOUT: Final = 10.0
MOST_CLIENTS: Final = 16

_logger = logging.getLogger(__name__)

Page = Callable[[str], bytes]


class MetricsServer:
    """Serves one page on one address until `close`; safe to use from any thread.

    At most 16 clients are answered at once and a silent one is dropped after 10 s, so that none can starve the
    application. Raises OSError where the address cannot be taken.
    """

    def __init__(self, page: Page, host: str = "localhost", port: int = 9464) -> None:
        family, address = _address(host, port)
        self._server = _Server(page, family, address)
        self.host = host
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.2}, name="otel-distro-metrics", daemon=True
        )
        self._thread.start()

    @property
    def url(self) -> str:
        """Address of the page for a person or for Prometheus."""
        host = {"0.0.0.0": "localhost", "": "localhost", "::": "localhost"}.get(self.host, self.host)  # noqa: S104 -- compared
        return f"http://[{host}]:{self.port}/metrics" if ":" in host else f"http://{host}:{self.port}/metrics"

    def close(self) -> None:
        """Stop serving and free the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(CLIENT_TIMEOUT)

    def forget(self) -> None:
        """Close the inherited socket in a forked child, where no thread serves it; the parent goes on serving."""
        self._server.socket.close()


def _address(host: str, port: int) -> tuple[int, tuple[str, int]]:
    # IPv4 first: `localhost` is 127.0.0.1 for the scrapers that are configured with it.
    found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    found.sort(key=lambda entry: entry[0] != socket.AF_INET)
    family, _, _, _, address = found[0]
    return family, (str(address[0]), int(address[1]))


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # Two processes must never answer in turn on one port.
    allow_reuse_port = False

    def __init__(self, page: Page, family: int, address: tuple[str, int]) -> None:
        self.address_family = family
        self.page = page
        self._places = threading.BoundedSemaphore(MOST_CLIENTS)
        super().__init__(address, _Handler)

    def process_request(self, request: socket.socket | tuple[bytes, socket.socket], client_address: object) -> None:
        if not self._places.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: object, client_address: object) -> None:
        try:
            super().process_request_thread(request, client_address)  # type: ignore[arg-type]
        finally:
            self._places.release()

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002 -- the library's signature
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):  # a client that went away is no news
            _logger.warning("the metrics page could not be made: %r", error)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = CLIENT_TIMEOUT
    server_version = "otel-distro"
    sys_version = ""

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def _answer(self, *, with_body: bool) -> None:
        if self.path.partition("?")[0] not in PATHS:
            self.send_error(HTTPStatus.NOT_FOUND, explain="The metrics are at /metrics.")
            return
        content_type = chosen_format(self.headers.get("Accept", ""))
        body = self.server.page(content_type)
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", content_type)
        if _takes_gzip(self.headers.get("Accept-Encoding", "")):
            body = gzip.compress(body, compresslevel=1)
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Vary", "Accept, Accept-Encoding")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if with_body:
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the library's signature
        """Say nothing: a scrape every few seconds is no event."""


def _takes_gzip(accept_encoding: str) -> bool:
    codings = (item.replace(" ", "").lower() for item in accept_encoding.split(","))
    return any(coding == "gzip" or (coding.startswith("gzip;q=") and coding != "gzip;q=0") for coding in codings)

"""A small HTTP server for one page, in a daemon thread: bounded clients, time limits, gzip, GET and HEAD only."""

from __future__ import annotations

import gzip
import logging
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer
from typing import Any, Final

from otel_distro.metrics.access import Access
from otel_distro.metrics.clients import Client, Clients
from otel_distro.metrics.election import take_no_signals
from otel_distro.metrics.prometheus import chosen_format

PATHS: Final = ("/", "/metrics")
CLIENT_TIMEOUT: Final = 10.0
MOST_CLIENTS: Final = 16
_POLL_SECONDS: Final = 0.2

_logger = logging.getLogger(__name__)

Page = Callable[[str], bytes]


class MetricsServer:
    """Serves one page on one address until `close`; safe to use from any thread.

    At most 16 clients are answered at once. Each has 10 s for its request, TLS handshake included, and 10 s to take the
    answer, however it spreads its bytes: none can starve the application. `access` says who may read the page; by
    default everybody who can reach the address. Raises OSError where the address cannot be taken.
    """

    def __init__(self, page: Page, host: str = "localhost", port: int = 9464, *, access: Access | None = None) -> None:
        family, address = socket_address(host, port)
        self._access = access or Access()
        self._server = _Server(page, family, address, self._access)
        self.host = host
        self.closed = False
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._serve, name="otel-distro-metrics", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        take_no_signals()  # nor do the threads of the clients, which this one starts
        with suppress(_Stopped):
            self._server.serve_forever(poll_interval=_POLL_SECONDS)
        # Where gevent has come since, Python does not find the thread at its end, and says so, unless it has asked.
        threading.current_thread()

    @property
    def url(self) -> str:
        """Address of the page for a person or for Prometheus."""
        host = {"0.0.0.0": "localhost", "": "localhost", "::": "localhost"}.get(self.host, self.host)  # noqa: S104 -- compared
        scheme = "https" if self._access.encrypted else "http"
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{self.port}/metrics"

    def close(self) -> None:
        """Stop serving, hang up on every client and free the port."""
        self.closed = self._server.stopping = True
        # Not by the server's `shutdown`, which waits for an event: where gevent has come since, for ever.
        self._thread.join(CLIENT_TIMEOUT)
        self._server.server_close()
        self._server.clients.hang_up(late_only=False)

    def forget(self) -> None:
        """Close the inherited sockets in a forked child, where no thread serves them; the parent goes on serving."""
        self._server.socket.close()
        self._server.clients.forget()


def socket_address(host: str, port: int) -> tuple[int, tuple[Any, ...]]:
    """Return family and address of the socket that a page is served by; raises OSError where the host is none."""
    # IPv4 first: `localhost` is 127.0.0.1 for the scrapers that are configured with it.
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except UnicodeError:  # what no name can be, as in `a..b`
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known") from None
    found.sort(key=lambda entry: entry[0] != socket.AF_INET)
    family, _, _, _, address = found[0]
    # The whole of it where it has a zone: `fe80::1%eth0` is no address without.
    return family, address if any(address[3:]) else address[:2]


class _Stopped(Exception):  # noqa: N818 -- ends a loop, and is no error
    """Leaves the loop of a server that is to stop."""


class _Server(TCPServer):
    # Not HTTPServer: it asks the name service for the machine's full name, which can take many seconds.
    allow_reuse_address = True
    # Two processes must never answer in turn on one port.
    allow_reuse_port = False
    # With the library's 5 a handful of clients at one moment would make the next ones wait a second for their retry.
    request_queue_size = 4 * MOST_CLIENTS

    def __init__(self, page: Page, family: int, address: tuple[Any, ...], access: Access) -> None:
        self.stopping = False
        self.address_family = family
        self.page = page
        self.access = access
        self.clients = Clients(MOST_CLIENTS, CLIENT_TIMEOUT)
        self._warned: set[str] = set()
        super().__init__(address, BaseHTTPRequestHandler)

    def get_request(self) -> tuple[socket.socket, Any]:
        try:
            return super().get_request()
        except OSError:
            # Out of file descriptors: the client stays in the queue, and without a pause the loop would only spin.
            time.sleep(_POLL_SECONDS)
            raise

    def service_actions(self) -> None:
        if self.stopping:
            raise _Stopped
        self.clients.hang_up()

    def process_request(self, request: Any, client_address: Any) -> None:
        client = self.clients.enter(request)
        if client is None:
            self.shutdown_request(request)
            return
        try:
            threading.Thread(
                target=self._serve, args=(client, client_address), name="otel-distro-metrics-client", daemon=True
            ).start()
        except BaseException:
            self.clients.leave(client)
            raise

    def _serve(self, client: Client, address: Any) -> None:
        try:
            context = self.access.tls()
            if context:
                client.connection.settimeout(CLIENT_TIMEOUT)
                tls = context.wrap_socket(client.connection, server_side=True, do_handshake_on_connect=False)
                client.connection = tls
                tls.do_handshake()
            _Handler(client, address, self)
        except Exception:  # noqa: BLE001 -- whatever a client sends stays in its own thread
            self.handle_error(client.connection, address)
        finally:
            self.clients.leave(client)
            self.shutdown_request(client.connection)

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002 -- the library's signature
        error = sys.exc_info()[1]
        # A client that went away is no news; a page that fails is news once, not at each scrape.
        if not isinstance(error, OSError) and type(error).__name__ not in self._warned:
            self._warned.add(type(error).__name__)
            _logger.warning("the metrics page could not be made: %r", error)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = CLIENT_TIMEOUT
    # An answer always has a head, whatever the client has sent.
    default_request_version = "HTTP/1.0"

    def __init__(self, client: Client, address: Any, server: _Server) -> None:
        self._client = client
        super().__init__(client.connection, address, server)

    def version_string(self) -> str:
        return "otel-distro"

    def parse_request(self) -> bool:
        """Read the head and refuse what needs no page: False where the answer has been sent."""
        if not super().parse_request():
            return False
        if not self.server.access.allows(self.headers.get("Authorization", "")):
            challenges = [("WWW-Authenticate", challenge) for challenge in self.server.access.challenges]
            self._refuse(HTTPStatus.UNAUTHORIZED, "The page wants credentials.", *challenges)
        elif self.command not in ("GET", "HEAD"):
            self._refuse(HTTPStatus.METHOD_NOT_ALLOWED, "GET and HEAD only.", ("Allow", "GET, HEAD"))
        elif self._asked_path() not in PATHS:
            self._refuse(HTTPStatus.NOT_FOUND, "The metrics are at /metrics.")
        else:
            return True
        return False

    def _asked_path(self) -> str:
        """Return the path of the request, which may name the server as well (RFC 9112, section 3.2.2)."""
        path = self.path.partition("?")[0]
        scheme, separator, rest = path.partition("://")
        return "/" + rest.partition("/")[2] if separator and scheme.lower() in ("http", "https") else path

    def _listed(self, name: str) -> str:
        """Return a header's list; several headers of a name are one (RFC 9110, section 5.3)."""
        return ",".join(self.headers.get_all(name, ()))

    def do_GET(self) -> None:
        content_type = chosen_format(self._listed("Accept"))
        coding = []
        self._client.pause()
        try:
            body = self.server.page(content_type)
        except Exception:  # noqa: BLE001 -- the reader is told by the status, the operator by the log
            self.server.handle_error(self.connection, self.client_address)
            self._client.renew()
            self._refuse(
                HTTPStatus.INTERNAL_SERVER_ERROR, "The page could not be made; the application's log says why."
            )
            return
        if _takes_gzip(self._listed("Accept-Encoding")):
            body = gzip.compress(body, compresslevel=1)
            coding = [("Content-Encoding", "gzip")]
        self._client.renew()
        self._send(HTTPStatus.OK, content_type, body, *coding, ("Vary", "Accept, Accept-Encoding"))

    def do_HEAD(self) -> None:
        self.do_GET()

    def _refuse(self, status: HTTPStatus, text: str, *headers: tuple[str, str]) -> None:
        self._send(status, "text/plain; charset=utf-8", f"{text}\n".encode(), *headers)

    def _send(self, status: HTTPStatus, content_type: str, body: bytes, *headers: tuple[str, str]) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Connection", "close")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002 -- the library's signature
        """Answer a request that cannot be read, without an echo of what the client has sent."""
        status = HTTPStatus(code)
        self._refuse(status, f"{status.phrase}.")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the library's signature
        """Say nothing: a scrape every few seconds is no event."""


def _takes_gzip(accept_encoding: str) -> bool:
    codings = (item.replace(" ", "").lower() for item in accept_encoding.split(","))
    # A quality of 0, 0.0 and so on refuses it (RFC 9110, section 12.4.2).
    return any(coding == "gzip" or (coding.startswith("gzip;q=") and coding[7:].strip("0.")) for coding in codings)

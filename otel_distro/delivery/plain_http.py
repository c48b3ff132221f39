"""OTLP over HTTP without TLS and without a proxy, by Python's own client.

What requests and urllib3 have beside that takes a fifth of a start, and more of each request than the connection.
"""

from __future__ import annotations

import os
import select
from collections.abc import Mapping
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from socket import IPPROTO_TCP, SOCK_STREAM, TCP_NODELAY, getaddrinfo, socket
from time import monotonic
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit
from urllib.request import getproxies, proxy_bypass

_ANSWER_LIMIT: Final = 1 << 20  # bytes; an answer of OTLP has a few
_NETRC: Final = ("~/.netrc", "~/_netrc")


def is_plain(endpoint: object, netrc: str) -> bool:
    """Say whether requests would send to this endpoint as `PlainTransport` does.

    It would not by TLS, by a proxy of the environment, with a password of the URL or of a netrc file.
    """
    if not isinstance(endpoint, str) or not endpoint.isascii():
        return False
    try:
        parts = urlsplit(endpoint)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    if parts.scheme != "http" or not host or "@" in parts.netloc or not endpoint.isprintable() or " " in endpoint:
        return False
    proxies = getproxies()
    if ("http" in proxies or "all" in proxies) and not proxy_bypass(host):
        return False
    return not netrc and not any(os.path.exists(os.path.expanduser(path)) for path in _NETRC)


class PlainResult:
    """What came of one request: a status, or an error that came instead."""

    def __init__(
        self,
        status_code: int | None = None,
        reason: str | None = None,
        error: Exception | None = None,
        headers: Any = None,
        body: bytes = b"",
    ) -> None:
        self.status_code = status_code
        self.reason = reason
        self.error = error
        self._headers = headers
        self._body = body

    def content(self) -> bytes:
        """Return the answer's body."""
        return self._body

    def headers(self) -> Mapping[str, str]:
        """Return the answer's headers, by names in any case."""
        return {} if self._headers is None else self._headers


class PlainTransport:
    """What an OTLP/HTTP exporter of OpenTelemetry sends by, over one connection that stays open.

    For one thread, but for `close`. A forked child opens a connection of its own: over its parent's, bytes and answers
    of both would mix.
    """

    def __init__(self) -> None:
        self._connection: _Connection | None = None
        self._inherited: list[_Connection | None] = []
        self._process = os.getpid()
        self._busy = self._closed = False

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        data: bytes | None = None,
    ) -> PlainResult:
        """Send one request and return what came of it; never raises."""
        self._busy = True
        try:
            return self._sent(method, urlsplit(url), dict(headers or {}), timeout, data)
        except Exception as error:  # noqa: BLE001 -- the exporter says what becomes of it
            self._drop()
            return PlainResult(error=error)
        finally:
            self._busy = False
            if self._closed:
                self._drop()

    def is_connection_error(self, exception: Exception | None) -> bool:
        """Say whether the request may be sent again: nothing, or no answer of HTTP, came back."""
        return isinstance(exception, (OSError, HTTPException))

    def close(self) -> None:
        """Close the connection, or have it closed when the request that is on its way has ended."""
        self._closed = True
        if not self._busy:
            self._drop()

    def _sent(
        self, method: str, url: SplitResult, headers: dict[str, str], timeout: float | None, data: bytes | None
    ) -> PlainResult:
        connection = self._connected(url, timeout)
        path = f"{url.path or '/'}?{url.query}" if url.query else url.path or "/"
        connection.request(method, path, data, headers)
        connection.sock.begin(timeout)
        answer = connection.getresponse()
        try:
            body = answer.read(_ANSWER_LIMIT)
        except (OSError, HTTPException):  # the status has said what became of the request
            body = b""
        if not answer.isclosed():
            self._drop()
        return PlainResult(answer.status, answer.reason, headers=answer.headers, body=body)

    def _connected(self, url: SplitResult, timeout: float | None) -> _Connection:
        if self._process != os.getpid():
            self._process = os.getpid()
            # Kept: its end would wait for a lock that a thread of the parent may have held at the fork.
            self._inherited.append(self._connection)
            self._connection = None
        connection = self._connection
        if connection is not None and _has_ended(connection):
            self._drop()
            connection = None
        if connection is None:
            connection = self._connection = _Connection(url.hostname or "", url.port or 80)
        connection.timeout = timeout
        if connection.sock is not None:
            connection.sock.settimeout(timeout)
        return connection

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(OSError):
                connection.close()


class _Socket(socket):
    """A socket that has one time for a whole answer, in however small parts it comes."""

    def begin(self, timeout: float | None) -> None:
        self._deadline = None if timeout is None else monotonic() + timeout
        self.settimeout(timeout)

    def recv_into(self, *args: Any) -> int:
        if self._deadline is not None:
            left = self._deadline - monotonic()
            if left <= 0:
                raise TimeoutError("timed out")
            self.settimeout(left)
        return super().recv_into(*args)


class _Connection(HTTPConnection):
    """A connection by the sockets of the time at which this module was loaded, as the thread is that sends.

    Those of a gevent that has come since ask for an address in a thread of their own, which Python 3.12 refuses at the
    end of a process: nothing would be sent then.
    """

    sock: Any

    def connect(self) -> None:
        """Connect to the first address of the host that answers."""
        failed = OSError(f"{self.host} has no address")
        for family, kind, protocol, _, address in getaddrinfo(self.host, self.port, 0, SOCK_STREAM):
            made = _Socket(family, kind, protocol)
            try:
                made.settimeout(self.timeout)
                made.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
                made.connect(address)
            except OSError as error:
                made.close()
                failed = error
            else:
                self.sock = made
                return
        raise failed


def _has_ended(connection: HTTPConnection) -> bool:
    """Say whether the other side has closed the connection, or said what nobody has asked for."""
    if connection.sock is None:
        return False
    if not hasattr(select, "poll"):  # eventlet takes it away, and some systems have none
        return bool(select.select([connection.sock], [], [], 0)[0])
    poll = select.poll()
    poll.register(connection.sock, select.POLLIN)
    return bool(poll.poll(0))

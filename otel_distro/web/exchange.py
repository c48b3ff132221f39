"""A request and its response under way: request id in and out, what was sent, how long it took.

PEP 3333 is followed to the letter where servers rely on it: the response headers are a new list, `close` of the
application's iterable is called exactly once, and a server's own file wrapper reaches the server unwrapped.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Any, Final, TypeAlias

from opentelemetry.context import Context

from otel_distro.context import accepted_request_id, new_request_id, request_id, user_id
from otel_distro.web.current import current_request
from otel_distro.web.pep3333 import Environ, ExcInfo, Headers, StartResponse, Write
from otel_distro.web.requests import METHODS, UNMATCHED, RequestMetrics, normal_method

RouteOf: TypeAlias = Callable[[Environ], str | None]
ContextOf: TypeAlias = Callable[[Environ], Context | None]

REQUEST_ID_HEADER: Final = "X-Request-ID"
ROUTE_KEY: Final = "otel_distro.route"
_LENGTH, _ID, _OTHER = 1, 2, 0
# How applications spell the headers that matter, and those that never do.
_KINDS: Final = {
    "Content-Length": _LENGTH,
    "X-Request-ID": _ID,
    "Content-Type": _OTHER,
    "Location": _OTHER,
    "Set-Cookie": _OTHER,
    "Vary": _OTHER,
    "Cache-Control": _OTHER,
    "ETag": _OTHER,
    "Last-Modified": _OTHER,
    "Date": _OTHER,
}
_LOWERED: Final = {"content-length": _LENGTH, "x-request-id": _ID}
_warned: set[str] = set()
_logger = logging.getLogger(__name__)


class Request:
    """What the rest of the process may know of a request under way.

    Apart from `Exchange`, so that a context which outlives a response does not keep the response alive. `known` is the
    route template once somebody has told it.
    """

    __slots__ = ("_route_of", "counted", "environ", "known", "method")

    def __init__(self, environ: Environ, route_of: RouteOf, counted: bool) -> None:
        self.environ = environ
        self._route_of = route_of
        self.known: str | None = None
        self.counted = counted
        method = environ["REQUEST_METHOD"] if "REQUEST_METHOD" in environ else ""  # noqa: SIM401 -- `get` is a call
        self.method: str = method if method in METHODS else normal_method(method)

    @property
    def endpoint(self) -> str | None:
        """The route template, or None while no route has been matched.

        A framework may forget the route at the end of its own work, so the first answer is kept.
        """
        if self.known is None:
            # The first is set by an application that knows its own route and is no framework's, such as the page.
            self.known = self.environ.get(ROUTE_KEY) or self._route_of(self.environ)
        return self.known


class Exchange:
    """A request and its response under way; the iterable that the server sends from.

    Belongs to the one thread or greenlet that serves the request. The figures are recorded once: when the last byte is
    handed to the server, when the server closes the response, when the application raises, or when nobody holds the
    response any more. `body` is the application's iterable.
    """

    __slots__ = (
        "_context_of",
        "_environ",
        "_in_process",
        "_length",
        "_metrics",
        "_previous",
        "_recorded",
        "_request",
        "_server_start_response",
        "_size",
        "_start",
        "_status",
        "body",
        "request_id",
    )

    def __init__(
        self,
        environ: Environ,
        start_response: StartResponse,
        route_of: RouteOf,
        metrics: RequestMetrics | None,
        context_of: ContextOf | None,
    ) -> None:
        self._start = perf_counter()
        self._context_of = context_of
        self._environ = environ
        self._server_start_response = start_response
        self._metrics = metrics
        self._recorded = False
        self._status = 500
        self._size = 0
        self._length = -1
        self.body: Any = None
        # Every server names itself or the client's port; a test client does neither and need not close the response.
        self._in_process = "SERVER_SOFTWARE" not in environ and "REMOTE_PORT" not in environ
        request = self._request = Request(environ, route_of, metrics is not None)
        given = "HTTP_X_REQUEST_ID" in environ
        self.request_id = accepted_request_id(environ["HTTP_X_REQUEST_ID"]) if given else new_request_id()
        self._previous: Any = (current_request.set(request), request_id.set(self.request_id), user_id.set(None))
        if metrics is not None:
            try:
                metrics.in_flight(1)
            except Exception as error:  # noqa: BLE001 -- telemetry must not take the request down
                _warn(error)

    def start_response(self, status: str, headers: Headers, exc_info: ExcInfo | None = None) -> Write:
        """Note what the application answers, add the request id and hand it to the server."""
        self._length = -1
        own_id = False
        for name, value in headers:
            kind = _KINDS[name] if name in _KINDS else _LOWERED.get(name.lower(), _OTHER)
            if kind == _LENGTH:
                self._length = int(value) if value.isdecimal() else -1
            elif kind == _ID:
                own_id = True
        sent = headers if own_id else [*headers, (REQUEST_ID_HEADER, self.request_id)]
        if exc_info is None:
            write = self._server_start_response(status, sent)
        else:
            write = self._server_start_response(status, sent, exc_info)
        code = status[:3]
        try:
            self._status = int(code)
        except ValueError:
            self._status = 0

        def counting_write(data: bytes) -> object:
            self._sending(len(data))
            return write(data)

        return counting_write

    def sent_by_server(self) -> bool:
        """Record a body that the server sends by itself, by sendfile, where its length was announced."""
        if self._length < 0:
            return False
        self._size = 0 if self._request.method == "HEAD" else self._length
        self._record()
        self._leave()
        return True

    def __iter__(self) -> Iterator[bytes]:
        try:
            for chunk in self.body:
                self._size += len(chunk)
                # The last announced byte ends the request, recorded before the server has it: a client that holds
                # the whole answer finds it counted, even if the process is killed at that moment.
                if 0 <= self._length <= self._size and not self._recorded:
                    self._record()
                    if self._in_process:
                        self._leave()
                yield chunk
        except GeneratorExit:
            raise
        except BaseException:
            self.fail()
            raise
        if not self._recorded:
            self._record()
        if self._in_process:
            self._leave()

    def _sending(self, size: int) -> None:
        """Count what goes by the server's `write`."""
        self._size += size
        if 0 <= self._length <= self._size:
            self._record()
            if self._in_process:
                self._leave()

    def close(self) -> None:
        """Close the application's iterable, record the figures if nothing has yet, and leave the request's context."""
        body, self.body = self.body, ()
        try:
            close = body.close
        except AttributeError:
            close = None
        try:
            if close is not None:
                close()
        finally:
            if not self._recorded:
                self._record()
            self._leave()

    def fail(self) -> None:
        """Record a request whose application raised: 500 unless the client has seen another status already."""
        if self._size == 0:
            self._status = 500
        self._record()
        self._leave()

    def _record(self) -> None:
        if self._recorded:
            return
        self._recorded = True
        metrics = self._metrics
        if metrics is None:
            return
        try:
            metrics.in_flight(-1)
            request = self._request
            endpoint = request.known or request.endpoint or UNMATCHED
            duration = perf_counter() - self._start
            context = self._context_of(self._environ) if self._context_of is not None else None
            metrics.record(request.method, endpoint, self._status, duration, self._size, context)
        except Exception as error:  # noqa: BLE001 -- telemetry must not take the request down
            _warn(error)

    def _leave(self) -> None:
        """Give the context back as it was; not where another request has taken it over meanwhile."""
        previous, self._previous = self._previous, None
        if previous is not None and current_request.get() is self._request:
            for token in previous:
                try:
                    token.var.reset(token)
                except ValueError:  # closed in another context than it was begun in
                    old = token.old_value
                    token.var.set(None if old is token.MISSING else old)

    def __del__(self) -> None:
        # A response that was dropped unread: no context is touched, as any thread may collect it.
        try:
            if not self._recorded:
                self._record()
        except AttributeError:  # __init__ did not come to its end
            return


def _warn(error: Exception) -> None:
    """Say once for each kind of error that requests are not measured."""
    kind = type(error).__name__
    if kind not in _warned:
        _warned.add(kind)
        _logger.warning("requests are not measured: %s: %s; they are served", kind, error)

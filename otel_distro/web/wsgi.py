"""One request through a WSGI application: request id in and out, what was sent, how long it took.

PEP 3333 is followed to the letter where servers rely on it: the response headers are a new list, `close` of the
application's iterable is called exactly once, and a server's own file wrapper reaches the server unwrapped.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from time import perf_counter
from types import TracebackType
from typing import Any, Protocol, TypeAlias

from opentelemetry.context import Context

from otel_distro.context import accepted_request_id, request_id, user_id
from otel_distro.web.current import current_request
from otel_distro.web.requests import UNMATCHED, RequestMetrics, normal_method

Environ: TypeAlias = dict[str, Any]
Headers: TypeAlias = list[tuple[str, str]]
ExcInfo: TypeAlias = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
Write: TypeAlias = Callable[[bytes], object]
RouteOf: TypeAlias = Callable[[Environ], str | None]
ContextOf: TypeAlias = Callable[[Environ], Context | None]

REQUEST_ID_HEADER = "X-Request-ID"
ROUTE_KEY = "otel_distro.route"
_EXCHANGE_KEY = "otel_distro.exchange"
_warned: set[str] = set()
_logger = logging.getLogger(__name__)


class StartResponse(Protocol):
    """The callable that a WSGI server hands to the application."""

    def __call__(self, status: str, headers: Headers, exc_info: ExcInfo | None = None, /) -> Write: ...


Application: TypeAlias = Callable[[Environ, Any], Iterable[bytes]]


def serve(  # noqa: PLR0913, PLR0917 -- the request and who knows what of it
    application: Application,
    environ: Environ,
    start_response: StartResponse,
    route_of: RouteOf,
    metrics: RequestMetrics | None,
    context_of: ContextOf | None = None,
) -> Iterable[bytes]:
    """Answer one request by the application, with its request id in context and its figures in the metrics.

    `route_of` tells the route template once the application has matched it; `metrics` is None where the classic metrics
    are off; `context_of` tells the context of the request's span, which is over when the figures are recorded. An
    application mounted inside of another one is served as it is: the outermost hook counts the request.
    What the application raises goes on to the server.
    """
    if _EXCHANGE_KEY in environ:
        return application(environ, start_response)
    exchange = Exchange(environ, start_response, route_of, metrics, context_of)
    environ[_EXCHANGE_KEY] = True
    try:
        body = application(environ, exchange.start_response)
    except BaseException:
        exchange.fail()
        raise
    return exchange.send(body)


class _Request:
    """What the rest of the process may know of a request under way.

    Apart from `Exchange`, so that a context which outlives a response does not keep the response alive.
    """

    __slots__ = ("_endpoint", "_environ", "_route_of", "counted", "method")

    def __init__(self, environ: Environ, route_of: RouteOf, counted: bool) -> None:
        self._environ = environ
        self._route_of = route_of
        self._endpoint: str | None = None
        self.counted = counted
        self.method = normal_method(environ.get("REQUEST_METHOD", ""))

    @property
    def endpoint(self) -> str | None:
        """The route template, or None while no route has been matched.

        A framework may forget the route at the end of its own work, so the first answer is kept.
        """
        if self._endpoint is None:
            # The first is set by an application that knows its own route and is no framework's, such as the page.
            self._endpoint = self._environ.get(ROUTE_KEY) or self._route_of(self._environ)
        return self._endpoint


class Exchange:
    """A request and its response under way; the iterable that the server sends from.

    Belongs to the one thread or greenlet that serves the request. The figures are recorded once: when the last byte is
    handed to the server, when the server closes the response, when the application raises, or when nobody holds the
    response any more.
    """

    __slots__ = (
        "_body",
        "_context_of",
        "_environ",
        "_in_process",
        "_iterator",
        "_length",
        "_metrics",
        "_previous",
        "_recorded",
        "_request",
        "_server_start_response",
        "_size",
        "_start",
        "_status",
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
        self._context_of = context_of
        self._start = perf_counter()
        self._environ = environ
        self._server_start_response = start_response
        self._metrics = metrics
        self._recorded = False
        self._status = 500
        self._size = 0
        self._length = -1
        # Every server names itself or the client's port; a test client does neither and need not close the response.
        self._in_process = "SERVER_SOFTWARE" not in environ and "REMOTE_PORT" not in environ
        self._request = _Request(environ, route_of, metrics is not None)
        self.request_id = accepted_request_id(environ.get("HTTP_X_REQUEST_ID"))
        self._previous: tuple[Any, ...] | None = (current_request.get(), request_id.get(), user_id.get())
        current_request.set(self._request)
        request_id.set(self.request_id)
        user_id.set(None)
        if metrics is not None:
            try:
                metrics.started()
            except Exception as error:  # noqa: BLE001 -- telemetry must not take the request down
                _warn(error)

    def start_response(self, status: str, headers: Headers, exc_info: ExcInfo | None = None) -> Write:
        """Note what the application answers, add the request id and hand it to the server."""
        self._length = -1
        own_id = False
        for name, value in headers:
            lowered = name.lower()
            if lowered == "content-length":
                self._length = int(value) if value.isascii() and value.isdigit() else -1
            elif lowered == "x-request-id":
                own_id = True
        sent = headers if own_id else [*headers, (REQUEST_ID_HEADER, self.request_id)]
        if exc_info is None:
            write = self._server_start_response(status, sent)
        else:
            write = self._server_start_response(status, sent, exc_info)
        code = status[:3]
        self._status = int(code) if code.isascii() and code.isdigit() else 0

        def counting_write(data: bytes) -> object:
            self._sending(len(data))
            return write(data)

        return counting_write

    def send(self, body: Iterable[bytes]) -> Iterable[bytes]:
        """Return what the server is to iterate: this exchange, or the server's own file wrapper left as it is."""
        wrapper = self._environ.get("wsgi.file_wrapper")
        if isinstance(wrapper, type) and isinstance(body, wrapper) and self._length >= 0:
            # The server sends it by sendfile and never iterates: what is announced is what is sent.
            self._size = 0 if self._request.method == "HEAD" else self._length
            self._record()
            self._leave()
            return body
        self._body: Any = body
        self._iterator: Iterator[bytes] = iter(body)
        return self

    def __iter__(self) -> Exchange:
        return self

    def __next__(self) -> bytes:
        try:
            chunk = next(self._iterator)
        except StopIteration:
            self._record()
            if self._in_process:
                self._leave()
            raise
        except BaseException:
            self.fail()
            raise
        self._sending(len(chunk))
        return chunk

    def _sending(self, size: int) -> None:
        """Count what the server is about to send; the last announced byte ends the request.

        Recorded before the server has it: a client that holds the whole answer finds it counted, even if the process is
        killed at that moment.
        """
        self._size += size
        if 0 <= self._length <= self._size:
            self._record()
            if self._in_process:
                self._leave()

    def close(self) -> None:
        """Close the application's iterable, record the figures if nothing has yet, and leave the request's context."""
        body, self._body = self._body, None
        try:
            if hasattr(body, "close"):
                body.close()
        finally:
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
        if self._metrics is not None:
            try:
                self._metrics.finished()
                endpoint = self._request.endpoint or UNMATCHED
                duration = perf_counter() - self._start
                context = self._context_of(self._environ) if self._context_of is not None else None
                self._metrics.record(self._request.method, endpoint, self._status, duration, self._size, context)
            except Exception as error:  # noqa: BLE001 -- telemetry must not take the request down
                _warn(error)

    def _leave(self) -> None:
        """Give the context back as it was; not where another request has taken it over meanwhile."""
        previous, self._previous = self._previous, None
        if previous is not None and current_request.get() is self._request:
            current_request.set(previous[0])
            request_id.set(previous[1])
            user_id.set(previous[2])

    def __del__(self) -> None:
        # A response that was dropped unread: no context is touched, as any thread may collect it.
        try:
            self._record()
        except AttributeError:  # __init__ did not come to its end
            return


def _warn(error: Exception) -> None:
    """Say once for each kind of error that requests are not measured."""
    kind = type(error).__name__
    if kind not in _warned:
        _warned.add(kind)
        _logger.warning("requests are not measured: %s: %s; they are served", kind, error)

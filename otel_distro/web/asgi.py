"""One request through an ASGI application: its id in and out, what was sent, and the one record of it.

The ASGI specification (asgi.readthedocs.io, HTTP and WebSocket message format 2.5) is followed to the letter where
servers rely on it: a message that is changed is a new one, and what the server gives goes on as it is.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from time import perf_counter
from typing import Any, Final, NamedTuple, TypeAlias

from opentelemetry.context import Context
from opentelemetry.trace import INVALID_SPAN, NonRecordingSpan, get_current_span, set_span_in_context

from otel_distro.context import (
    ERROR_IDS,
    accepted_request_id,
    current_request,
    current_user,
    new_request_id,
    request_id,
    user_id,
)
from otel_distro.internals import current_span_ids
from otel_distro.tracing import DormantSpan
from otel_distro.web.exchange import set_back, warn_of
from otel_distro.web.requests import METHODS, NO_BODY, UNMATCHED, RequestMetrics, normal_method

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
# An application's `__call__`, with the application first.
Serve: TypeAlias = Callable[[Any, Scope, Receive, Send], Awaitable[None]]

EXCHANGE_KEY: Final = "otel_distro.exchange"
_REQUEST_ID: Final = b"x-request-id"
_UNRECORDED: Final = (NonRecordingSpan, DormantSpan)
# Extensions by which a server sends a file by itself: it says how long it is in the headers alone.
_WHOLE_FILES: Final = ("http.response.pathsend", "http.response.zerocopysend")
# Digits of a length in bytes: more are none.
_LONGEST: Final = 20
# As applications spell what is of no interest here.
_OTHERS: Final = frozenset((b"content-type", b"location", b"set-cookie", b"vary", b"cache-control", b"etag", b"date"))
_span_ids: Final = current_span_ids()
_NO_SPAN: Final = set_span_in_context(INVALID_SPAN, Context())


class AsgiHook(NamedTuple):
    """How the requests of an application are measured.

    `route_of` tells the template of the route that was matched, or None; `metrics` is None where the classic metrics
    are off. `unanswered` is the status of what comes to its end without an answer and without an error.
    """

    route_of: Callable[[AsgiExchange], str | None]
    metrics: RequestMetrics | None
    unanswered: int = 500


class AsgiExchange:
    """A request or a WebSocket under way: what the rest of the process may know of it, and what was sent so far.

    Belongs to the one task that serves it. `known` is the route template once somebody has told it, `prefix` that of
    the mounted applications around it; `status` what was announced, 0 before that; `size` the bytes of the body so
    far; `user` whom `set_user` has named last, in whatever task or thread. A WebSocket has ids for its log lines and no
    figures.
    """

    __slots__ = (
        "_hook",
        "_length",
        "_send",
        "_start",
        "_tokens",
        "counted",
        "known",
        "method",
        "place",
        "prefix",
        "recorded",
        "request_id",
        "scope",
        "size",
        "span_ids",
        "status",
        "user",
    )

    def __init__(self, scope: Scope, send: Send, hook: AsgiHook) -> None:
        self._start = perf_counter()
        self._hook = hook
        self._send = send
        self._length = -1
        self.scope = scope
        self.known: str | None = None
        self.prefix = ""
        self.place: str | None = None
        self.size = 0
        self.span_ids: tuple[int, int, int] | None = None
        self.status = 0
        self.user: str | None = None
        method = scope.get("method", "")
        self.method: str = method if method in METHODS else normal_method(method)
        self.counted = hook.metrics is not None and scope["type"] == "http"
        self.recorded = not self.counted
        self.request_id = _request_id_of(scope)
        self._tokens: Any = (current_request.set(self), request_id.set(self.request_id), user_id.set(self))
        if self.counted and hook.metrics is not None:
            try:
                hook.metrics.started()
            except Exception as error:  # noqa: BLE001 -- telemetry must not take the request down
                warn_of(error)

    @property
    def endpoint(self) -> str | None:
        """The route template, or None while no route has been matched."""
        if self.known is None:
            self.known = self._hook.route_of(self)
        return self.known

    def send(self, message: Message) -> Awaitable[None]:
        """Note what the application sends, add the request id and hand it to the server."""
        kind = message["type"]
        if kind == "http.response.body":
            self._sent(message)
        elif kind == "http.response.start":
            message = self._announced(message)
        elif kind in _WHOLE_FILES and self._length >= 0:
            self.size = self._length
            self.record()
        return self._send(message)

    def _announced(self, message: Message) -> Message:
        headers, own_id = list(message.get("headers") or ()), False
        for name, value in headers:
            if name in _OTHERS:
                continue
            lower = name.lower()
            if lower == b"content-length":
                self._length = int(value) if value.isdigit() and len(value) < _LONGEST else -1
            elif lower == _REQUEST_ID:
                own_id = True
        self.status = int(message["status"])
        if self.status >= 500:
            # A span may be over when the error comes this far.
            self.span_ids = _span_ids()
        if not own_id:
            headers.append((_REQUEST_ID, self.request_id.encode("ascii")))
        return {**message, "headers": headers}

    def _sent(self, message: Message) -> None:
        if "body" in message:
            self.size += len(message["body"])
        # Counted before its last byte leaves: a client that compares may come in between.
        if "more_body" not in message or not message["more_body"] or 0 <= self._length <= self.size:
            self.record()

    def record(self) -> None:
        """Record the figures, the first time that this is called."""
        if self.recorded:
            return
        self.recorded = True
        metrics = self._hook.metrics
        if metrics is None:
            return
        try:
            duration = perf_counter() - self._start
            endpoint = self.endpoint or UNMATCHED
            around = _NO_SPAN if type(get_current_span()) in _UNRECORDED else None
            size = 0 if self.method == "HEAD" or self.status in NO_BODY else self.size
            metrics.answered(self.method, endpoint, self.status or 500, duration, size, around)
        except Exception as error:  # noqa: BLE001 -- telemetry must not take the request down
            warn_of(error)

    def leave(self) -> None:
        """Give the context back as it was, if another request has not taken it over."""
        if current_request.get() is self:
            try:
                current_request.reset(self._tokens[0])
                request_id.reset(self._tokens[1])
                user_id.reset(self._tokens[2])
            except ValueError:  # ended in another context than it was begun in
                set_back(self._tokens)


def serving(application: Serve, hook: AsgiHook) -> Serve:
    """Return the `__call__` that answers each request with its id in context and its figures measured.

    `application` is the one that does the work. An application mounted inside of another one is served as it is: the
    outermost hook counts the request. What it raises goes on to the server.
    """

    async def serve(self: Any, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket") or EXCHANGE_KEY in scope:
            await application(self, scope, receive, send)
            return
        exchange = AsgiExchange(scope, send, hook)
        scope[EXCHANGE_KEY] = exchange
        try:
            await application(self, scope, receive, exchange.send)
            if exchange.status == 0:
                exchange.status = hook.unanswered
        except BaseException as error:
            # The server logs it when the request is over here. An error may have been raised in an earlier request too.
            ids = exchange.span_ids or _span_ids()
            error.__dict__[ERROR_IDS] = [exchange.request_id, current_user(), *ids]
            raise
        finally:
            if not exchange.recorded:
                # What came to no end: 500 by an error, unless the client has seen another status already.
                exchange.record()
            exchange.leave()
            # The two would keep each other until the garbage collector comes.
            scope.pop(EXCHANGE_KEY, None)

    return serve


def _request_id_of(scope: Scope) -> str:
    for name, value in scope.get("headers") or ():
        if name == _REQUEST_ID:
            return accepted_request_id(value.decode("latin-1"))
    return new_request_id()

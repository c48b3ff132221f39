"""A request under way: its id in and out, what was announced and sent, and the one record of it.

PEP 3333 is followed to the letter where servers rely on it: the response headers are a new list, and what the server
gives goes on as it is. `bodies` has what the server sends from where a body is counted as it goes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from http import HTTPStatus
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from opentelemetry.context import Context
from opentelemetry.trace import set_span_in_context

from otel_distro import internals
from otel_distro.context import accepted_request_id, current_request, new_request_id, request_id, user_id, waiting_ids
from otel_distro.web.requests import METHODS, NO_BODY, UNMATCHED, RequestMetrics, normal_method

if TYPE_CHECKING:
    from otel_distro.web.pep3333 import Environ, ExcInfo, Headers, StartResponse, Write

RouteOf: TypeAlias = "Callable[[Environ], str | None]"

REQUEST_ID_HEADER: Final = "X-Request-ID"
ROUTE_KEY: Final = "otel_distro.route"
# Under which a context has its span: by the way of the API it takes two calls and a copy.
_SPAN: Final = internals.find("opentelemetry.trace.propagation", "_SPAN_KEY")
# Bytes: no body has more, whatever its headers say.
LONGEST: Final = 2**63
# As applications spell what is of no interest here.
_OTHERS: Final = frozenset(
    ("Content-Type", "Location", "Set-Cookie", "Vary", "Cache-Control", "ETag", "Last-Modified", "Date")
)
# What is left of a body that was closed.
_CLOSED: Final[Any] = ()
# As werkzeug writes them; any other is looked at.
_CODES: Final = {f"{status.value} {status.phrase.upper()}": status.value for status in HTTPStatus}
_warned: set[str] = set()
_logger = logging.getLogger(__name__)


class Hook(NamedTuple):
    """How the requests of an application are measured.

    `route_of` tells the route template once the application has matched it; `metrics` is None where the classic metrics
    are off. `span_key` names what the environment has the request's span under, which is over when the figures are
    recorded, and `unrecorded` the types of those that no exemplar is to name. `whole_body` is the type of what a
    framework returns that has told beforehand, in `Exchange.whole`, how many bytes are in it.
    """

    route_of: RouteOf
    metrics: RequestMetrics | None
    span_key: str = ""
    unrecorded: tuple[type, ...] = ()
    whole_body: type | None = None


class Exchange:
    """A request under way: what the rest of the process may know of it, and what its answer has told so far.

    Belongs to the one thread or greenlet that serves the request, though contexts may outlive it, which is why it holds
    no `body` but one that is whole and counted already, which the server sends from here. `known` is the route template
    once somebody has told it; `length` what the headers announce, -1 without; `size` how many bytes of a body were
    handed over; `whole` how many bytes the body has where a framework knows them all before the server has any, -1
    where it does not.
    """

    __slots__ = (
        "_hook",
        "_server_start_response",
        "_socket",
        "_start",
        "_status",
        "_tokens",
        "_user",
        "_write",
        "body",
        "environ",
        "known",
        "length",
        "method",
        "recorded",
        "request_id",
        "size",
        "user",
        "whole",
    )
    user: str | None

    def __init__(self, environ: Environ, start_response: StartResponse, hook: Hook) -> None:
        self._start = perf_counter()
        self._hook = hook
        self._server_start_response: Any = start_response
        self._status = 500
        self.environ = environ
        self.known: str | None = None
        self.length = self.whole = -1
        self.size = 0
        # What takes the connection over as a WebSocket answers nothing, and has no figures.
        self._socket = self.recorded = "HTTP_UPGRADE" in environ and environ["HTTP_UPGRADE"].lower() == "websocket"
        self.body: Any = _CLOSED
        method = environ["REQUEST_METHOD"] if "REQUEST_METHOD" in environ else ""  # noqa: SIM401 -- `get` is a call
        self.method: str = method if method in METHODS else normal_method(method)
        if "HTTP_X_REQUEST_ID" in environ:
            own = accepted_request_id(environ["HTTP_X_REQUEST_ID"])
        else:
            try:
                own = waiting_ids.pop()
            except IndexError:
                own = new_request_id()
        self.request_id = own
        self._tokens: Any = (current_request.set(self), request_id.set(own))
        # Nearly always there is none, before and after: asking costs less than setting.
        user = self._user = user_id.get()
        if user is not None:
            user_id.set(None)
        if hook.metrics is not None and not self._socket:
            try:
                hook.metrics.started()
            except Exception as error:  # noqa: BLE001 -- telemetry must not take the request down
                warn_of(error)

    @property
    def counted(self) -> bool:
        """Whether the hook itself records this request in the classic metrics."""
        return self._hook.metrics is not None

    @property
    def in_process(self) -> bool:
        """Whether this is for a test client, which need not close the response.

        A server names itself or the client's port, or says that there may be other processes, as those of ASGI do; a
        test client does none of it.
        """
        environ = self.environ
        named = "SERVER_SOFTWARE" in environ or "REMOTE_PORT" in environ
        return not named and not environ.get("wsgi.multiprocess")

    @property
    def endpoint(self) -> str | None:
        """The route template, or None while no route has been matched.

        A framework may forget the route at the end of its own work, so the first answer is kept.
        """
        if self.known is None:
            # The first is set by an application that knows its own route and is no framework's, such as the page.
            self.known = self.environ.get(ROUTE_KEY) or self._hook.route_of(self.environ)
        return self.known

    def start_response(self, status: str, headers: Headers, exc_info: ExcInfo | None = None) -> Write:
        """Note what the application answers, add the request id and hand it to the server."""
        length, own_id = -1, False
        for name, value in headers:
            if name in _OTHERS:
                continue
            if name == "Content-Length" or name.lower() == "content-length":
                try:
                    length = int(value) if value.isdecimal() else -1
                except ValueError:  # more digits than Python reads
                    length = -1
                if length > LONGEST:
                    length = -1
            elif name.lower() == "x-request-id":
                own_id = True
        self.length = length
        if self._socket:
            self._is_request()
        sent = headers if own_id else [*headers, (REQUEST_ID_HEADER, self.request_id)]
        if exc_info is None:
            self._write = self._server_start_response(status, sent)
        else:
            self._write = self._server_start_response(status, sent, exc_info)
        self._status = _CODES[status] if status in _CODES else _code_of(status)
        return self._counting_write

    def _counting_write(self, data: bytes) -> object:
        """Send by the server's `write`."""
        self.size += len(data)
        if 0 <= self.length <= self.size:
            self.record()
            if self.in_process:
                self.leave()
        return self._write(data)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.body)

    def sent_by_server(self) -> bool:
        """Record a body that the server sends by itself, by sendfile, where its length was announced."""
        if self.length < 0:
            return False
        self.size = self.length
        self.record()
        self.leave()
        return True

    def _is_request(self) -> None:
        """Measure what asked for a WebSocket and is answered as every other request."""
        self._socket = self.recorded = False
        if self._hook.metrics is not None:
            try:
                self._hook.metrics.started()
            except Exception as error:  # noqa: BLE001 -- telemetry must not take the request down
                warn_of(error)

    def fail(self, error: BaseException) -> None:
        """Record a request whose application raised: 500 unless the client has seen another status already."""
        # Servers take StopIteration for a connection that the application has taken over; others end with the worker.
        if self._socket and isinstance(error, Exception) and not isinstance(error, StopIteration):
            self._is_request()
        if self.size == 0:
            self._status = 500
        self.record()
        self.leave()

    def record(self) -> None:
        """Record the figures, the first time that this is called."""
        if self.recorded:
            return
        self.recorded = True
        _, metrics, span_key, unrecorded, _ = self._hook
        if metrics is None:
            return
        environ = self.environ
        try:
            endpoint = self.known or self.endpoint or UNMATCHED
            duration = perf_counter() - self._start
            context = None
            if span_key in environ:
                span = environ[span_key]
                if type(span) not in unrecorded and span is not None:
                    context = Context({_SPAN: span}) if _SPAN else set_span_in_context(span, Context())
            size = 0 if self.method == "HEAD" or self._status in NO_BODY else self.size
            metrics.answered(self.method, endpoint, self._status, duration, size, context)
        except Exception as error:  # noqa: BLE001 -- telemetry must not take the request down
            warn_of(error)

    def close(self) -> None:
        """Close a body that is whole and give the context back as it was, if another request has not taken it over."""
        body, self.body = self.body, _CLOSED
        try:
            if body is not _CLOSED:
                self._server_start_response = self._write = None
                body.close()
        finally:
            tokens, self._tokens = self._tokens, None
            if tokens is not None and current_request.get() is self:
                try:
                    current_request.reset(tokens[0])
                    request_id.reset(tokens[1])
                except ValueError:  # closed in another context than it was begun in
                    set_back(tokens)
                if user_id.get() is not self._user:
                    user_id.set(self._user)

    leave = close

    def forget_server(self) -> None:
        """Let go what the server gave, as contexts may keep this."""
        self._server_start_response = self._write = None


def set_back(tokens: Any) -> None:
    """Give context variables the values that they had, from another context than the one they were set in."""
    for token in tokens:
        old = token.old_value
        token.var.set(None if old is token.MISSING else old)


def _code_of(status: str) -> int:
    try:
        return int(status[:3])
    except ValueError:
        return 0


def warn_of(error: Exception) -> None:
    """Say once for each kind of error that requests are not measured."""
    kind = type(error).__name__
    if kind not in _warned:
        _warned.add(kind)
        _logger.warning("requests are not measured: %s: %s; they are served", kind, error)

"""One request through a WSGI application: what the server calls, and what it gets to send."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from otel_distro.web.exchange import ContextOf, Exchange, RouteOf
from otel_distro.web.pep3333 import Environ, StartResponse
from otel_distro.web.requests import RequestMetrics

EXCHANGE_KEY: Final = "otel_distro.exchange"
# The attribute by which the contrib instrumentation marks an application that it has taken.
SPANS_MARK: Final = "_is_instrumented_by_opentelemetry"


def serving(
    application: Callable[[Any, Environ, Any], Iterable[bytes]],
    route_of: RouteOf,
    metrics: RequestMetrics | None,
    context_of: ContextOf | None = None,
    before: Callable[[Any], None] | None = None,
) -> Callable[[Any, Environ, StartResponse], Iterable[bytes]]:
    """Return the method of an application that answers each request with its id in context and its figures measured.

    `application` is the method that does the work. `route_of` tells the route template once the application has matched
    it; `metrics` is None where the classic metrics are off; `context_of` tells the context of the request's span, which
    is over when the figures are recorded; `before` is called with the application first. An application mounted inside
    of another one is served as it is: the outermost hook counts the request. What it raises goes on to the server.
    """

    def serve(self: Any, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if before is not None and SPANS_MARK not in self.__dict__:
            before(self)
        if EXCHANGE_KEY in environ:
            return application(self, environ, start_response)
        exchange = Exchange(environ, start_response, route_of, metrics, context_of)
        environ[EXCHANGE_KEY] = True
        try:
            body = application(self, environ, exchange.start_response)
        except BaseException:
            exchange.fail()
            raise
        if "wsgi.file_wrapper" in environ:
            wrapper = environ["wsgi.file_wrapper"]
            if isinstance(wrapper, type) and isinstance(body, wrapper) and exchange.sent_by_server():
                return body
        exchange.body = body
        return exchange

    return serve

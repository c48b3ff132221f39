"""One request through a WSGI application: what the server calls, and what it gets to send."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

from otel_distro.web.bodies import CountedBody
from otel_distro.web.exchange import Exchange, Hook

if TYPE_CHECKING:
    from otel_distro.web.pep3333 import Environ, StartResponse

EXCHANGE_KEY: Final = "otel_distro.exchange"
# The attribute by which the contrib instrumentation marks an application that it has taken.
SPANS_MARK: Final = "_is_instrumented_by_opentelemetry"


def serving(
    application: Callable[[Any, Environ, Any], Iterable[bytes]] | None,
    hook: Hook,
    before: Callable[[Any], None] | None = None,
) -> Callable[[Any, Environ, StartResponse], Iterable[bytes]]:
    """Return the method of an application that answers each request with its id in context and its figures measured.

    `application` is the method that does the work, or None where that is its `wsgi_app`, which saves a call; `before`
    is called with the application first. An application mounted inside of another one is served as it is: the outermost
    hook counts the request. What it raises goes on to the server.
    """
    inner, whole_body = application or _wsgi_app, hook.whole_body

    def serve(self: Any, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if before is not None and SPANS_MARK not in self.__dict__:
            before(self)
        if EXCHANGE_KEY in environ:
            return inner(self, environ, start_response)
        exchange = Exchange(environ, start_response, hook)
        environ[EXCHANGE_KEY] = True
        try:
            body: Iterable[bytes]
            if application is None:
                body = self.wsgi_app(environ, exchange.start_response)
            else:
                body = application(self, environ, exchange.start_response)
        except BaseException as error:
            exchange.fail(error)
            raise
        size = exchange.length
        # Known to the last byte: counted now, before the server has any. A test client need not close it.
        if (
            size == exchange.whole >= 0 == exchange.size
            and type(body) is whole_body
            and exchange.method != "HEAD"
            and ("SERVER_SOFTWARE" in environ or not exchange.in_process)
        ):
            exchange.size = size
            exchange.record()
            exchange.body = body
            return exchange
        if "wsgi.file_wrapper" in environ:
            wrapper = environ["wsgi.file_wrapper"]
            if isinstance(wrapper, type) and isinstance(body, wrapper) and exchange.sent_by_server():
                return body
        return CountedBody(exchange, body)

    return serve


def _wsgi_app(application: Any, environ: Environ, start_response: Any) -> Iterable[bytes]:
    body: Iterable[bytes] = application.wsgi_app(environ, start_response)
    return body

"""The request hook of Flask: every application of the process, whenever it was made."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

from flask import app as flask_app
from flask import current_app

# Not from the package: the contrib instrumentation puts a subclass of its own there.
from flask.app import Flask
from opentelemetry.trace import NonRecordingSpan
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.routing import RequestRedirect
from werkzeug.wsgi import ClosingIterator

from otel_distro.context import current_request
from otel_distro.tracing import DormantSpan
from otel_distro.web.exchange import Exchange, Hook
from otel_distro.web.requests import request_metrics
from otel_distro.web.wsgi import SPANS_MARK, serving

if TYPE_CHECKING:
    from otel_distro.web.pep3333 import Environ

# Where that instrumentation keeps the request's span.
_SPAN_KEY = "opentelemetry-flask.span_key"
_UNRECORDED: Final = (NonRecordingSpan, DormantSpan)
_logger = logging.getLogger(__name__)

_originals: dict[str, Any] = {}
# Our `Flask.wsgi_app` of each installation, which applications may keep beyond it, and what it stands for.
_stood_for: Final[dict[Any, Any]] = {}


def install(*, classic_metrics: bool, instrument_app: Callable[[Flask], None] | None = None) -> None:
    """Serve every Flask application of this process through the hook; a second call replaces the first.

    The hook sits on `Flask.__call__`: it sees applications made before and after, the test client, and what the
    middleware in `app.wsgi_app` sends; and on `Flask.wsgi_app`, for who gives that alone to a middleware, or to the
    server. `classic_metrics` chooses whether the four classic metrics are recorded; `instrument_app` makes an
    application that was there before produce spans, at its first request.
    """
    uninstall()
    original: Any = Flask.__call__
    wsgi_app: Any = Flask.wsgi_app
    dispatch: Any = Flask.full_dispatch_request
    metrics = request_metrics() if classic_metrics else None
    lock = threading.Lock()

    def instrument(app: Flask) -> None:
        if instrument_app is not None:
            _instrument_once(app, instrument_app, lock)

    before = None if instrument_app is None else instrument
    hook = Hook(route_of, metrics, _SPAN_KEY, _UNRECORDED, ClosingIterator)
    hooked_call: Any = serving(
        None if getattr(original, "__globals__", None) is vars(flask_app) else original, hook, before
    )
    hooked_wsgi_app: Any = serving(wsgi_app, hook, before)
    _stood_for[hooked_wsgi_app] = wsgi_app

    def hooked_dispatch(self: Flask, *args: Any) -> Any:
        current = current_request.get()
        if type(current) is not Exchange:
            return dispatch(self, *args)
        # The route is known from here on; Flask forgets it before a late `start_response` or an exception comes out.
        if current.known is None:
            try:
                current.known = current.environ["werkzeug.request"].url_rule.rule
            except (KeyError, AttributeError):  # no route; there may be one nearby
                _ = current.endpoint
        response = dispatch(self, *args)
        try:
            parts = response.response
        except AttributeError:  # a class of the application's own
            return response
        if type(parts) is list and len(parts) == 1 and type(parts[0]) is bytes:
            current.whole = len(parts[0])
        return response

    _originals.update(__call__=original, wsgi_app=wsgi_app, full_dispatch_request=dispatch)
    Flask.__call__ = hooked_call  # type: ignore[method-assign]
    Flask.wsgi_app = hooked_wsgi_app  # type: ignore[method-assign]
    Flask.full_dispatch_request = hooked_dispatch  # type: ignore[method-assign]
    # Where there is none, the contrib instrumentation sets the mark before its work as well as after it: a request of
    # another thread would go on meanwhile, and Flask takes no more functions of an application that serves.
    setattr(Flask, SPANS_MARK, False)


def _instrument_once(app: Flask, instrument_app: Callable[[Flask], None], lock: threading.Lock) -> None:
    with lock:
        if SPANS_MARK in app.__dict__:
            return
        try:
            instrument_app(app)
        except Exception as error:  # noqa: BLE001 -- telemetry must not take the request down
            _logger.warning("application %r gets no spans: %s: %s", app.name, type(error).__name__, error)
            # What is begun of it would warn at each answer that there is no span.
            app.wsgi_app = app.__dict__.pop("_original_wsgi_app", app.wsgi_app)  # type: ignore[method-assign]
        app.__dict__.setdefault(SPANS_MARK, False)


def uninstall() -> None:
    """Give Flask the methods back that it had before `install`."""
    while _originals:
        name, method = _originals.popitem()
        setattr(Flask, name, method)
    if SPANS_MARK in vars(Flask):
        delattr(Flask, SPANS_MARK)


def within(wsgi_app: Any) -> Any:
    """Return what does the work of an application's `wsgi_app` within a request that the hook has begun."""
    original = _stood_for.get(getattr(wsgi_app, "__func__", None))
    return wsgi_app if original is None else original.__get__(wsgi_app.__self__)


def route_of(environ: Environ) -> str | None:
    """Return the template of the route that Flask matched for this request, or None where none did.

    Werkzeug leaves the request in the environment, and Flask the rule in the request. A path whose route has other
    methods (405), or the same path with a slash (308), belongs to that route.
    """
    request = environ.get("werkzeug.request")
    rule = getattr(request, "url_rule", None)
    if rule is not None:
        return str(rule.rule)
    error = getattr(request, "routing_exception", None)
    if isinstance(error, (MethodNotAllowed, RequestRedirect)):
        return _route_nearby(request, error)
    return None


def _route_nearby(request: Any, error: HTTPException) -> str | None:
    """Match again as the routing error says it would have matched."""
    try:
        adapter = current_app.create_url_adapter(request)
        if adapter is None:
            return None
        path = None
        method = request.method
        if isinstance(error, RequestRedirect):
            path = unquote(urlsplit(error.new_url).path).removeprefix(adapter.script_name.rstrip("/"))
        elif isinstance(error, MethodNotAllowed) and error.valid_methods:
            method = next(iter(error.valid_methods))
        rule, _ = adapter.match(path_info=path, method=method, return_rule=True)
    except Exception:  # noqa: BLE001 -- a converter of the application's own, which Flask itself has not asked
        return None
    return str(rule.rule)

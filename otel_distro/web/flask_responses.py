"""A Flask application from the outside: semantic-convention metrics, and what its answer tells the span."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import lru_cache
from time import perf_counter, time_ns
from types import FunctionType
from typing import Any, Final, TypeAlias
from weakref import WeakKeyDictionary

from flask import request
from flask.app import Flask
from opentelemetry import trace
from opentelemetry.instrumentation import propagators
from opentelemetry.instrumentation.wsgi import default_response_propagation_setter
from opentelemetry.metrics import NoOpUpDownCounter
from opentelemetry.trace import SpanKind, Status, StatusCode

from otel_distro.internals import spans as internals
from otel_distro.web import environ as request_environ
from otel_distro.web.captured import response_headers as wanted_headers
from otel_distro.web.flask import within
from otel_distro.web.wsgi import EXCHANGE_KEY

# What was read for the metrics, and of which application: its span takes it from there.
ATTRIBUTES_KEY: Final = "otel_distro.attributes"
# What a request has begun: two tokens of the context, and a span that is None once it is over.
BEGUN_KEY: Final = "otel_distro.begun"
End: TypeAlias = Callable[[list[Any], BaseException | None], None]
# The provider that may sleep, of what begins the spans of an application. Not an attribute of the function: Flask looks
# longer at functions that have any.
sleepers: Final[WeakKeyDictionary[Any, Any]] = WeakKeyDictionary()
# The contrib instrumentation's, so that its warnings come from where they did.
_logger = logging.getLogger("opentelemetry.instrumentation.flask")
_own_logger = logging.getLogger(__name__)
_UNSET: Final[Any] = object()
_response_propagator: Final[Callable[[], Any]] = propagators.get_global_response_propagator


class Read:
    """What reads a request's attributes, and gives none where they cannot be read: the request goes on."""

    def __init__(self, mode: Any) -> None:
        old, new = request_environ.conventions(mode)
        self._read = request_environ.attributes_reader(old=old, new=new)
        self._warned = False

    def __call__(self, environ: dict[str, Any]) -> request_environ.Attributes:
        """Return the attributes, which belong to the caller."""
        try:
            return self._read(environ)
        except Exception as error:  # noqa: BLE001 -- telemetry must not take the request down
            if not self._warned:
                self._warned = True
                _own_logger.warning("requests without attributes: %s: %s", type(error).__name__, error)
            return {}


def factory(keys: internals.FlaskInstrumentation, end: End) -> Callable[..., Any]:
    """Return what stands for the contrib instrumentation's `_rewrapped_app`."""

    def rewrapped_app(  # noqa: PLR0913, PLR0917 -- the contrib package's signature
        wsgi_app: Any,
        active_requests_counter: Any,
        duration_histogram_old: Any = None,
        response_hook: Any = None,
        excluded_urls: Any = None,
        sem_conv_opt_in_mode: Any = None,
        duration_histogram_new: Any = None,
    ) -> Callable[..., Any]:
        measure = _Measures(active_requests_counter, duration_histogram_old, duration_histogram_new)
        response = _Response(keys.span_key, response_hook, excluded_urls, sem_conv_opt_in_mode)
        return _served(wsgi_app, measure, response, keys, end)

    return rewrapped_app


def _served(
    wsgi_app: Any, measures: _Measures, response: _Response, keys: internals.FlaskInstrumentation, end: End
) -> Callable[..., Any]:
    # With middleware of the application in between, the span has to read what the middleware has made of it.
    app = wsgi_app.__self__ if getattr(wsgi_app, "__func__", None) is Flask.wsgi_app else None
    read, inner = Read(response.mode), within(wsgi_app)
    start_key, span_key, measured = keys.start_key, keys.span_key, measures.wanted
    # The provider of the tracer that begins the spans, where it may sleep; the application gets it after this.
    provider: Any = _UNSET if app is not None and not measured and response.hook is None else None

    def wrapped_app(environ: dict[str, Any], start_response: Any) -> Any:
        nonlocal provider
        answer = inner if EXCHANGE_KEY in environ else wsgi_app
        try:
            if provider is not None:
                if provider is _UNSET:
                    begins = getattr(app, "_before_request", None)
                    provider = sleepers.get(begins) if type(begins) is FunctionType else None
                if provider is not None and not provider.awake and _response_propagator() is None:
                    return answer(environ, start_response)
            environ[start_key] = time_ns()
            if not measured:
                return answer(environ, _Exchange(start_response, response, {}).start_response)
            start = perf_counter()
            attributes = read(environ)
            exchange = _Exchange(start_response, response, attributes)
            if app is not None:
                environ[ATTRIBUTES_KEY] = (app, attributes)
            active = measures.started(attributes)
            try:
                answered = answer(environ, exchange.start_response)
                if exchange.traced:
                    measures.answered(perf_counter() - start, exchange, environ.get(span_key))
                return answered
            finally:
                measures.active.add(-1, active)
        except BaseException as error:
            # What the application does at a request's end may raise: Flask has not called ours then, nor will it.
            begun = environ.get(BEGUN_KEY)
            if begun is not None and begun[2] is not None:
                end(begun, error)
            raise

    return wrapped_app


class _Exchange:
    """One request under way, for as long as the application is called."""

    __slots__ = ("_response", "_start_response", "attributes", "rule", "traced")

    def __init__(self, start_response: Any, response: _Response, attributes: request_environ.Attributes) -> None:
        self._start_response, self._response = start_response, response
        self.attributes, self.traced = attributes, True
        self.rule: Any = None

    def start_response(self, status: str, headers: list[tuple[str, str]], *args: Any, **kwargs: Any) -> Any:
        try:
            current: Any = request._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001 -- werkzeug documents it
        except RuntimeError:
            # Middleware answers, before or after Flask.
            self.traced = False
        else:
            excluded = self._response.excluded
            self.traced = excluded is None or not excluded(current)
            if self.traced:
                self.rule = current.url_rule
                self._response.note(current.environ, status, headers, self.attributes)
        return self._start_response(status, headers, *args, **kwargs)


class _Response:
    """What an application's answers tell their spans."""

    def __init__(self, span_key: str, hook: Any, excluded_urls: Any, mode: Any) -> None:
        self.hook = hook
        self.excluded = internals.excludes(excluded_urls)
        self.mode = mode
        self._span_key = span_key
        old, self._new = request_environ.conventions(mode)
        self._status_names = (
            *(("http.status_code",) if old else ()),
            *(("http.response.status_code",) if self._new else ()),
        )
        self._headers: Any = _UNSET

    def note(
        self,
        environ: dict[str, Any],
        status: str,
        headers: list[tuple[str, str]],
        attributes: request_environ.Attributes,
    ) -> None:
        """Put the status and the wanted headers into the span, the status into the metrics' attributes."""
        propagator = _response_propagator()
        if propagator:
            propagator.inject(headers, setter=default_response_propagation_setter)
        span = environ.get(self._span_key)
        if span:
            told, state = _told(status, self._status_names, self._new)
            attributes.update(told)
            if span.is_recording():
                span.set_attributes(told)
                if state is not None:
                    span.set_status(state)
                if self._headers is _UNSET:
                    # The variables count as they are at the first request.
                    self._headers = wanted_headers()
                if self._headers is not None and span.kind == SpanKind.SERVER:
                    captured = self._headers(headers)
                    if captured:
                        span.set_attributes(captured)
        else:
            _logger.warning("Flask environ's OpenTelemetry span missing at _start_response(%s)", status)
        if self.hook is not None:
            self.hook(span, status, headers)


@lru_cache(maxsize=256)  # as many as applications have statuses
def _told(status: str, names: tuple[str, ...], new: bool) -> tuple[dict[str, Any], Status | None]:
    text = status.partition(" ")[0]
    try:
        code = int(text)
    except ValueError:
        code = -1
    if code < 0:
        return ({"error.type": text} if new else {}), Status(StatusCode.ERROR, f"Non-integer HTTP status: {text}")
    told: dict[str, Any] = dict.fromkeys(names, code)
    if 100 <= code <= 499:
        return told, None
    if new:
        told["error.type"] = text
    return told, Status(StatusCode.ERROR)


class _Measures:
    """The semantic-convention metrics of an application; `wanted` is False where no provider takes them."""

    def __init__(self, active: Any, old: Any, new: Any) -> None:
        self.active = active
        self.wanted = not isinstance(active, NoOpUpDownCounter)
        self._old, self._new = old, new
        names: frozenset[str] = frozenset()
        if old:
            names |= request_environ.ACTIVE_OLD
        if new:
            names |= request_environ.ACTIVE_NEW
        self._active_names = names

    def started(self, attributes: request_environ.Attributes) -> request_environ.Attributes:
        """Count one more request in flight; return what it is counted by."""
        names = self._active_names
        found = {name: value for name, value in attributes.items() if name in names}
        self.active.add(1, found)
        return found

    def answered(self, seconds: float, exchange: _Exchange, span: Any) -> None:
        """Record how long an answer took; `span` is what exemplars name."""
        # The function of the module, as the contrib instrumentation asks for it.
        context = trace.set_span_in_context(span)
        items, rule = exchange.attributes.items(), exchange.rule
        if self._old:
            found = {name: value for name, value in items if name in request_environ.DURATION_OLD}
            if rule:
                found["http.target"] = str(rule)
            self._old.record(max(round(seconds * 1000), 0), found, context=context)
        if self._new:
            found = {name: value for name, value in items if name in request_environ.DURATION_NEW}
            if rule:
                found["http.route"] = str(rule)
            self._new.record(max(seconds, 0), found, context=context)

"""The span of a Flask request: begun before the view, ended when Flask is done with the request."""

from __future__ import annotations

import logging
import weakref
from collections.abc import Callable
from importlib.metadata import version
from typing import Any, Final

from flask.globals import request_ctx
from opentelemetry import context as context_api
from opentelemetry import propagate, trace
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import Context
from opentelemetry.instrumentation.wsgi import get_default_span_name, wsgi_getter
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.propagators.textmap import TextMapPropagator
from opentelemetry.trace import INVALID_SPAN, Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.http import sanitize_method

from otel_distro import internals
from otel_distro.tracing import DormantTracer
from otel_distro.web.captured import request_headers
from otel_distro.web.environ import STANDARD_METHODS
from otel_distro.web.flask_responses import ATTRIBUTES_KEY, Read

_COMMENTER_KEY: Final = "SQLCOMMENTER_ORM_TAGS_AND_VALUES"
_UNSET: Final[Any] = object()
_EMPTY: Final = Context()
_current_request_context: Final[Callable[[], Any]] = request_ctx._get_current_object  # type: ignore[attr-defined]  # noqa: SLF001 -- werkzeug documents it
_logger = logging.getLogger("opentelemetry.instrumentation.flask")


def begin_factory(keys: internals.FlaskInstrumentation, current: internals.CurrentContext) -> Callable[..., Any]:
    """Return what stands for the contrib instrumentation's `_wrapped_before_request`."""

    def wrapped_before_request(
        request_hook: Any = None,
        tracer: Any = None,
        excluded_urls: Any = None,
        enable_commenter: bool = True,
        commenter_options: Any = None,
        sem_conv_opt_in_mode: Any = None,
    ) -> Callable[[], None]:
        comment = _commenter(commenter_options or {}) if enable_commenter else None
        start = _Start(tracer, request_hook, sem_conv_opt_in_mode, keys.start_key, current)
        return _begin(keys, current, internals.excludes(excluded_urls), start, comment)

    return wrapped_before_request


def _begin(
    keys: internals.FlaskInstrumentation,
    current: internals.CurrentContext,
    excluded: Callable[[str], bool] | None,
    start: _Start,
    comment: Callable[[Any], dict[str, str]] | None,
) -> Callable[[], None]:
    get, set_current, span_in_context = current.get, current.set, current.span_key

    def before_request() -> None:
        context = _current_request_context()
        request = context.request
        if excluded is not None and excluded(request.url):
            return
        environ = request.environ
        token = None
        parent = get()
        kind = SpanKind.INTERNAL
        if span_in_context not in parent or trace.get_current_span(parent) is INVALID_SPAN:
            parent = _extracted(environ)
            token = set_current(parent)
            kind = SpanKind.SERVER
        span = start.span(context, request, environ, parent, kind)
        # The hook may have put something into the context.
        inside = {**(parent if start.hook is None else get()), span_in_context: span}
        if comment is not None:
            inside[_COMMENTER_KEY] = comment(request)
        environ[keys.activation_key] = set_current(Context(inside))
        environ[keys.context_key] = weakref.ref(context)
        environ[keys.span_key] = span
        environ[keys.token_key] = token

    marked: Any = before_request
    marked.asleep = start.provider
    return before_request


class _Start:
    """How an application's spans start; the variables count as they are at the first request."""

    def __init__(
        self, tracer: Any, hook: Any, mode: Any, start_key: str, current: internals.CurrentContext
    ) -> None:
        self.hook = hook
        self._tracer = tracer
        self._start_key = start_key
        self._span_key = current.span_key
        self._read = Read(mode)
        self._headers: Any = _UNSET
        dormant = isinstance(tracer, DormantTracer)
        self.provider: Any = tracer.provider if dormant else None
        # As long as nobody records, nothing has to be known of a span that no sampler asks about.
        self._blank = dormant and tracer.samples_all

    def span(self, context: Any, request: Any, environ: dict[str, Any], parent: Any, kind: SpanKind) -> Any:
        """Start the span of a request, call the hook, and give it what it is to carry."""
        if self._blank and not self.provider.awake and self._span_key not in parent:
            span: Any = self._tracer.root()
            if self.hook:
                self.hook(span, environ)
            return span
        rule = request.url_rule
        known = environ[ATTRIBUTES_KEY] if ATTRIBUTES_KEY in environ else None  # noqa: SIM401 -- `get` is a call
        if known is not None and known[0] is context.app:
            attributes = dict(known[1])
        else:
            attributes = self._read(environ)
        if rule:
            attributes["http.route"] = rule.rule
        span = self._tracer.start_span(
            name=_name(environ, rule),
            context=parent,
            kind=kind,
            start_time=environ.get(self._start_key),
            attributes=attributes,
        )
        if self.hook:
            self.hook(span, environ)
        if span.is_recording():
            # A sampler, a processor or the hook has changed them: what the request says comes last.
            if internals.kept_attributes(span) != attributes:
                span.set_attributes(attributes)
            if self._headers is _UNSET:
                self._headers = request_headers()
            if self._headers is not None and span.kind == SpanKind.SERVER:
                captured = self._headers(environ)
                if captured:
                    span.set_attributes(captured)
        return span


def _name(environ: dict[str, Any], rule: Any) -> str:
    method = environ.get("REQUEST_METHOD", "")
    if rule is None:
        name: str = get_default_span_name(environ)
        return name
    if method not in STANDARD_METHODS:
        method = sanitize_method(method.strip())
        if method == "_OTHER":
            method = "HTTP"
    return f"{method} {rule.rule}"


_usual: dict[str, Any] = {}


def _extracted(environ: dict[str, Any]) -> Context:
    """Return the context that came with a request, without asking propagators that would find no header of theirs."""
    propagator = propagate.get_global_textmap()
    if propagator is not _usual.get("propagator"):
        _usual["propagator"], _usual["w3c"] = propagator, _is_w3c(propagator)
    if _usual["w3c"] and "HTTP_TRACEPARENT" not in environ and "HTTP_BAGGAGE" not in environ:
        return _EMPTY
    return propagator.extract(environ, getter=wsgi_getter)


def _is_w3c(propagator: TextMapPropagator) -> bool:
    kinds = (TraceContextTextMapPropagator, W3CBaggagePropagator)
    return type(propagator) is CompositePropagator and all(
        type(part) in kinds for part in getattr(propagator, "_propagators", (None,))
    )


def _commenter(options: dict[str, Any]) -> Callable[[Any], dict[str, str]]:
    """Return what tells the SQL commenter about a request."""
    framework = {"framework": f"flask:{version('flask')}"} if options.get("framework", True) else {}
    controller, route = options.get("controller", True), options.get("route", True)

    def comment(request: Any) -> dict[str, str]:
        info = {**framework}
        rule = request.url_rule
        if rule is not None:
            if controller and rule.endpoint:
                info["controller"] = rule.endpoint
            if route and rule.rule:
                info["route"] = rule.rule
        return info

    return comment


def end_factory(keys: internals.FlaskInstrumentation, current: internals.CurrentContext) -> Callable[..., Any]:
    """Return what stands for the contrib instrumentation's `_wrapped_teardown_request`."""

    def wrapped_teardown_request(excluded_urls: Any = None) -> Callable[[BaseException | None], None]:
        excluded = internals.excludes(excluded_urls)

        def teardown_request(error: BaseException | None) -> None:
            context = _current_request_context()
            request = context.request
            if excluded is not None and excluded(request.url):
                return
            environ = request.environ
            if keys.activation_key not in environ or environ[keys.context_key]() is not context:
                # Begun without `before_request`, or a copy of the request's context in another thread.
                return
            activation, token = environ.pop(keys.activation_key), environ.pop(keys.token_key)
            try:
                _end(current, environ[keys.span_key], activation, error)
                if token is not None:
                    _reset(current, token)
            except (RuntimeError, AttributeError, ValueError) as problem:
                _logger.debug("Error during request teardown: %s", problem, exc_info=True)

        return teardown_request

    return wrapped_teardown_request


def _end(current: internals.CurrentContext, span: Any, activation: Any, error: BaseException | None) -> None:
    _reset(current, activation)
    try:
        if isinstance(error, Exception) and isinstance(span, Span) and span.is_recording():
            span.record_exception(error)
            span.set_status(Status(StatusCode.ERROR, f"{type(error).__name__}: {error}"))
    finally:
        span.end()


def _reset(current: internals.CurrentContext, token: Any) -> None:
    try:
        current.reset(token)
    except Exception:  # noqa: BLE001 -- it was set in another context; the public way says so in the log
        context_api.detach(token)

"""The span of a Flask request: begun before the view, ended when Flask is done with the request."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Final, NamedTuple

from flask import globals  # noqa: A004 -- its name in Flask
from opentelemetry import context as context_api
from opentelemetry import propagate, trace
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import Context
from opentelemetry.instrumentation.flask import flask_version
from opentelemetry.instrumentation.wsgi import wsgi_getter
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.propagators.textmap import TextMapPropagator
from opentelemetry.trace import INVALID_SPAN, Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from otel_distro.internals import spans as internals
from otel_distro.tracing import DormantSpan, DormantTracer
from otel_distro.web.captured import request_headers
from otel_distro.web.environ import span_name
from otel_distro.web.flask_responses import ATTRIBUTES_KEY, BEGUN_KEY, End, Read, sleepers

_COMMENTER_KEY: Final = "SQLCOMMENTER_ORM_TAGS_AND_VALUES"
_UNSET: Final[Any] = object()
_EMPTY: Final = Context()
# The context variable itself, where this Flask has it, saves two calls; what the proxy does is documented by werkzeug.
_variable: Final[Any] = vars(globals).get("_cv_request")
_proxied: Final[Any] = globals.request_ctx
_current_request_context: Final[Callable[[], Any]] = (
    _variable.get if isinstance(_variable, ContextVar) else _proxied._get_current_object  # noqa: SLF001 -- see above
)
_logger = logging.getLogger("opentelemetry.instrumentation.flask")


class Comment(NamedTuple):
    """What the SQL commenter is told about a request."""

    framework: dict[str, str]
    controller: bool
    route: bool

    @classmethod
    def of(cls, options: dict[str, Any]) -> Comment:
        """Read the instrumentor's `commenter_options`."""
        framework = {"framework": f"flask:{flask_version}"} if options.get("framework", True) else {}
        return cls(framework, bool(options.get("controller", True)), bool(options.get("route", True)))


def begin_factory(keys: internals.FlaskInstrumentation, current: internals.CurrentContext) -> Callable[..., Any]:
    """Return what stands for the contrib instrumentation's `_wrapped_before_request`."""

    def wrapped_before_request(  # noqa: PLR0913, PLR0917 -- the contrib package's signature
        request_hook: Any = None,
        tracer: Any = None,
        excluded_urls: Any = None,
        enable_commenter: bool = True,
        commenter_options: Any = None,
        sem_conv_opt_in_mode: Any = None,
    ) -> Callable[[], None]:
        comment = Comment.of(commenter_options or {}) if enable_commenter else None
        start = _Start(tracer, request_hook, sem_conv_opt_in_mode, keys.start_key)
        return _begin(keys, current, internals.excludes(excluded_urls), start, comment)

    return wrapped_before_request


def _begin(  # noqa: C901 -- the function in it, where a call costs more than a branch
    keys: internals.FlaskInstrumentation,
    current: internals.CurrentContext,
    excluded: Callable[[Any], bool] | None,
    start: _Start,
    comment: Comment | None,
) -> Callable[[], None]:
    get, set_current, span_in_context, span_key = current.get, current.set, current.span_key, keys.span_key
    provider, blank = start.provider, start.blank
    controller, route = comment is not None and comment.controller, comment is not None and comment.route
    # An enumeration is slow to look into.
    internal, server = SpanKind.INTERNAL, SpanKind.SERVER
    w3c: list[Any] = [None]
    new, tracer, put = DormantSpan.__new__, start.tracer, dict.__setitem__

    def before_request() -> None:
        context = _current_request_context()
        request = context.request
        if excluded is not None and excluded(request):
            return
        environ = request.environ
        token = None
        parent = outer = get()
        kind = internal
        if span_in_context not in parent or trace.get_current_span(parent) is INVALID_SPAN:
            kind = server
            usual = "HTTP_TRACEPARENT" not in environ and "HTTP_BAGGAGE" not in environ
            usual = usual and propagate.get_global_textmap() is w3c[0]
            parent = _EMPTY if usual else _extracted(environ, w3c)
        if blank and not provider.awake and span_in_context not in parent:
            span: Any = new(DormantSpan)  # what `DormantSpan(ids)` does, without its call
            span.ids = tracer.id_generator
        else:
            if kind is server and (parent or outer):  # of two empty ones either will do
                token = set_current(parent)
            span = start.span(context, request, environ, parent, kind)
            # The hook, or a processor, may have put something into the context.
            parent = get()
            if parent is not outer and kind is server and token is None:
                set_current(outer)  # so that it goes with the span's own context
        # A context takes nothing once it is made: so it does by the way of every other dictionary.
        inside = Context(parent)
        put(inside, span_in_context, span)
        if comment is not None:
            rule = request.url_rule
            told = comment.framework.copy()
            if rule is not None:
                if controller:
                    told["controller"] = rule.endpoint
                if route:
                    told["route"] = rule.rule
            put(inside, _COMMENTER_KEY, told)
        environ[span_key] = span
        # The context of the request itself has it: a copy of it, in another thread, has not.
        context.otel_distro_begun = environ[BEGUN_KEY] = [token, set_current(inside), span]

    if provider is not None:
        sleepers[before_request] = provider
    return before_request


class _Start:
    """How an application's spans start; the variables count as they are at the first request."""

    def __init__(self, tracer: Any, hook: Any, mode: Any, start_key: str) -> None:
        self.hook = hook
        self.tracer = tracer
        self._start_key = start_key
        self._read = Read(mode)
        self._headers: Any = _UNSET
        dormant = isinstance(tracer, DormantTracer)
        self.provider: Any = tracer.provider if dormant else None
        # As long as nobody records, nothing has to be known of a span that no sampler and no hook asks about.
        self.blank = dormant and tracer.samples_all and not hook

    def span(self, context: Any, request: Any, environ: dict[str, Any], parent: Any, kind: SpanKind) -> Any:
        """Start the span of a request, call the hook, and give it what it is to carry."""
        rule = request.url_rule
        known = environ[ATTRIBUTES_KEY] if ATTRIBUTES_KEY in environ else None  # noqa: SIM401 -- `get` is a call
        mine = known is not None and known[0] is context.app
        attributes = dict(known[1]) if known is not None and mine else self._read(environ)
        if rule:
            attributes["http.route"] = rule.rule
        span: Any = self.tracer.start_span(
            name=span_name(environ, rule),
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


def _extracted(environ: dict[str, Any], w3c: list[Any]) -> Context:
    """Return the context that came with a request; note a propagator that needs the W3C's headers to find any."""
    propagator = propagate.get_global_textmap()
    w3c[0] = propagator if _is_w3c(propagator) else None
    return propagator.extract(environ, getter=wsgi_getter) or _EMPTY  # one without parts gives None


def _is_w3c(propagator: TextMapPropagator) -> bool:
    kinds = (TraceContextTextMapPropagator, W3CBaggagePropagator)
    return type(propagator) is CompositePropagator and all(
        type(part) in kinds for part in getattr(propagator, "_propagators", (None,))
    )


def ending(current: internals.CurrentContext) -> End:
    """Return what ends what a request has begun, by what came out of the application."""
    reset = current.reset

    def end(begun: list[Any], error: BaseException | None) -> None:
        token, activation, span = begun
        begun[2] = None  # it is over
        try:
            try:
                reset(activation)
            except Exception:  # noqa: BLE001 -- it was set in another context; the public way says so in the log
                context_api.detach(activation)
            if error is not None:
                _end_by(span, error)
            elif type(span) is not DormantSpan:
                span.end()
            if token is not None:
                context_api.detach(token)
        except (RuntimeError, AttributeError, ValueError) as problem:
            _logger.debug("Error during request teardown: %s", problem, exc_info=True)

    return end


def end_factory(end: End) -> Callable[..., Any]:
    """Return what stands for the contrib instrumentation's `_wrapped_teardown_request`."""

    def wrapped_teardown_request(
        excluded_urls: Any = None,  # noqa: ARG001 -- the contrib package's signature
    ) -> Callable[[BaseException | None], None]:
        def teardown_request(error: BaseException | None) -> None:
            context = _current_request_context()
            try:
                begun = context.otel_distro_begun
            except AttributeError:
                # Excluded, begun without `before_request`, or a copy of the request's context in another thread.
                return
            del context.otel_distro_begun
            if begun[2] is not None:  # a second end, where another function of the first one has raised
                end(begun, error)

        return teardown_request

    return wrapped_teardown_request


def _end_by(span: Any, error: BaseException) -> None:
    """End a span by what came out of the application."""
    try:
        if isinstance(error, Exception) and isinstance(span, Span) and span.is_recording():
            span.record_exception(error)
            span.set_status(Status(StatusCode.ERROR, f"{type(error).__name__}: {error}"))
    finally:
        span.end()

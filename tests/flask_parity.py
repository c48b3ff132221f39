"""One Flask application instrumented twice, the contrib package's way and ours, and what each tells of requests."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

import flask
from flask import Blueprint, Response, request
from opentelemetry import baggage, context, propagate, trace
from opentelemetry.instrumentation._semconv import _OpenTelemetrySemanticConventionStability
from opentelemetry.instrumentation.flask import FlaskInstrumentor
from opentelemetry.instrumentation.propagators import set_global_response_propagator
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, Sampler
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix

from otel_distro.internals import recorded
from otel_distro.tracing import DormantTracerProvider
from otel_distro.web import flask_instrumentation

Environ = dict[str, Any]
_instrument: Any = FlaskInstrumentor.instrument_app
_set_response_propagator: Any = set_global_response_propagator


class CountedIds(IdGenerator):
    """Ids that are the same for the same spans."""

    def __init__(self) -> None:
        self._last = 0

    def generate_span_id(self) -> int:
        self._last += 1
        return self._last

    def generate_trace_id(self) -> int:
        self._last += 1
        return self._last + 2**100

    def is_trace_id_random(self) -> bool:
        return False


class Marker(SpanProcessor):
    """Changes what a span starts with."""

    def on_start(self, span: Any, parent_context: Any = None) -> None:
        span.set_attribute("http.route", "of the processor")
        span.set_attribute("marked", baggage.get_baggage("tenant") or "none")


@dataclass(frozen=True)
class Setup:
    """How an application and its instrumentation are set up."""

    opt_in: str = "default"
    variables: dict[str, str] = field(default_factory=dict)
    excluded_urls: str | None = None
    request_hook: bool = False
    response_hook: bool = False
    commenter: bool = True
    commenter_options: dict[str, bool] | None = None
    sampler: Sampler = ALWAYS_ON
    limits: SpanLimits = field(default_factory=SpanLimits)
    marker: bool = False
    metrics: bool = True
    dormant: bool = False
    testing: bool = False
    inside: str = ""
    outside: str = ""
    late: bool = False
    propagator: Any = None
    response_propagator: Any = None
    under_span: bool = False


def told(setup: Setup, requests: list[Environ], *, ours: bool) -> dict[str, Any]:
    """Send the requests through an application of one kind; return all that can be seen from the outside."""
    seen: list[Any] = []
    exporter, reader = InMemorySpanExporter(), InMemoryMetricReader()
    resource = Resource({})
    kind = DormantTracerProvider if setup.dormant or ours else TracerProvider
    tracers = kind(setup.sampler, resource, shutdown_on_exit=False, id_generator=CountedIds(), span_limits=setup.limits)
    if setup.marker and not setup.dormant:
        tracers.add_span_processor(Marker())
    if not setup.dormant:
        tracers.add_span_processor(SimpleSpanProcessor(exporter))
    meters: Any = MeterProvider([reader], resource, shutdown_on_exit=False) if setup.metrics else NoOpMeterProvider()
    with _surroundings(setup, ours=ours):
        app = _application(setup, seen, tracers.get_tracer("inner"), tracers, meters)
        if setup.under_span:
            with trace.use_span(tracers.get_tracer("outer").start_span("outer"), end_on_exit=True):
                answers = [_answer(app, dict(environ)) for environ in requests]
        else:
            answers = [_answer(app, dict(environ)) for environ in requests]
        after = dict(context.get_current())
    return {
        "answers": answers,
        "seen": seen,
        "context after": after,
        "spans": [_span(span) for span in exporter.get_finished_spans()],
        "metrics": sorted(_metrics(reader)) if setup.metrics else [],
    }


@contextmanager
def _surroundings(setup: Setup, *, ours: bool) -> Iterator[None]:
    textmap = propagate.get_global_textmap()
    if ours:
        flask_instrumentation.install()
        recorded.install()
    stability: Any = _OpenTelemetrySemanticConventionStability
    try:
        with patch.dict(os.environ, {**setup.variables, "OTEL_SEMCONV_STABILITY_OPT_IN": setup.opt_in}):
            stability._initialized = False
            stability._initialize()
            if setup.propagator is not None:
                propagate.set_global_textmap(setup.propagator)
            _set_response_propagator(setup.response_propagator)
            yield
    finally:
        stability._initialized = False
        propagate.set_global_textmap(textmap)
        _set_response_propagator(None)
        flask_instrumentation.uninstall()
        recorded.uninstall()


def _application(setup: Setup, seen: list[Any], tracer: Any, tracers: Any, meters: Any) -> Any:
    def look(what: str) -> None:
        carrier: dict[str, str] = {}
        propagate.inject(carrier)
        current = context.get_current()
        seen.append((what, carrier, current.get("SQLCOMMENTER_ORM_TAGS_AND_VALUES"), dict(baggage.get_all())))

    def request_hook(span: Any, environ: Environ) -> None:
        look("request hook")
        span.set_attribute("hooked", environ.get("PATH_INFO", ""))
        span.set_attribute("http.route", "of the hook")
        context.attach(baggage.set_baggage("hook", "was here"))

    def response_hook(span: Any, status: str, headers: list[tuple[str, str]]) -> None:
        look("response hook")
        if span is not None:
            span.set_attribute("answered", f"{status} {len(headers)}")

    options: dict[str, Any] = {
        "tracer_provider": tracers,
        "meter_provider": meters,
        "excluded_urls": setup.excluded_urls,
        "enable_commenter": setup.commenter,
        "commenter_options": setup.commenter_options,
        "request_hook": request_hook if setup.request_hook else None,
        "response_hook": response_hook if setup.response_hook else None,
    }
    app = shop(look, tracer, setup.testing)
    _wrap(app, setup.inside, seen, options)
    if not setup.late:
        _instrument(app, **options)
    app.before_request(lambda: _interrupt("before"))
    if setup.late:
        _instrument(app, **options)
    _wrap(app, setup.outside, seen, options)
    return app


def _interrupt(where: str) -> str | None:
    if where in request.args:
        if request.args[where] == "answer":
            return f"answered by {where}"
        raise KeyError(where)
    return None


def shop(look: Callable[[str], None], tracer: Any, testing: bool) -> flask.Flask:
    """Return an application with every kind of end that a request can take."""
    app = flask.Flask("parity", static_folder=None)
    app.testing = testing
    app.logger.disabled = True
    app.add_url_rule("/items/<int:number>", "item", lambda number: {"number": number}, methods=["GET", "PUT", "DELETE"])
    app.add_url_rule("/any/<path:rest>", "any", lambda rest: rest, methods=["GET", "POST", "PATCH", "HACK"])
    app.add_url_rule("/slash/", "slash", lambda: "slash")
    app.add_url_rule("/redirect", "redirect", lambda: flask.redirect("/items/1"))
    app.add_url_rule("/abort/<int:code>", "abort", flask.abort)
    app.add_url_rule(
        "/status/<int:code>", "status", lambda code: ("", code, {"X-Custom": "a", "Set-Cookie": "secret=1"})
    )

    @app.get("/")
    def root() -> str:
        look("root")
        return "root"

    @app.get("/boom")
    def boom() -> str:
        raise ValueError("boom ü")

    @app.get("/stream")
    def stream() -> Response:
        def parts() -> Iterator[bytes]:
            look("first part")
            yield b"one"
            look("second part")
            yield b"two"

        return Response(flask.stream_with_context(parts()))

    @app.get("/child")
    def child() -> str:
        with tracer.start_as_current_span("child"):
            look("child")
        trace.get_current_span().set_attribute("of.the.view", 1)
        return "child"

    @app.errorhandler(409)
    def conflict(error: Any) -> tuple[str, int]:
        return "handled", 409

    orders = Blueprint("orders", __name__, url_prefix="/orders")
    orders.before_request(lambda: _interrupt("blueprint"))
    orders.add_url_rule("/<name>", "order", lambda name: name)
    app.register_blueprint(orders)

    @app.after_request
    def after(response: Response) -> Response:
        _interrupt("after")
        response.headers.add("X-Custom", "b")
        return response

    @app.teardown_request
    def teardown(error: BaseException | None) -> None:
        if "teardown" in request.args:
            raise RuntimeError("teardown")

    return app


def _wrap(app: flask.Flask, middleware: str, seen: list[Any], options: dict[str, Any]) -> None:
    if middleware == "proxy":
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1, x_host=1, x_port=1)  # type: ignore[method-assign]
    elif middleware == "mounted":
        inner = flask.Flask("mounted", static_folder=None)
        inner.logger.disabled = True
        inner.add_url_rule("/deep/<x>", "deep", lambda x: x)
        _instrument(inner, **options)
        app.wsgi_app = DispatcherMiddleware(app.wsgi_app, {"/mounted": inner})  # type: ignore[method-assign]
    elif middleware == "answering":
        application = app.wsgi_app

        def answering(environ: Environ, start_response: Any) -> Any:
            if environ.get("PATH_INFO") == "/":
                start_response("204 No Content", [])
                return []
            return application(environ, start_response)

        app.wsgi_app = answering  # type: ignore[method-assign]


def _answer(app: Any, environ: Environ) -> Any:
    answer: list[Any] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], None]:
        answer.extend((status, headers))
        return answer.append

    try:
        body = app(environ, start_response)
        try:
            answer.append(b"".join(body))
        finally:
            if hasattr(body, "close"):
                body.close()
    except Exception as error:  # noqa: BLE001 -- what comes out has to be the same
        answer.append((type(error).__name__, str(error)))
    return answer


def _span(span: Any) -> dict[str, Any]:
    assert span.start_time <= span.end_time
    return {
        "name": span.name,
        "kind": span.kind,
        "context": span.context,
        "state": list(span.context.trace_state.items()),
        "parent": span.parent,
        "attributes": list(span.attributes.items()),
        "dropped": span.dropped_attributes,
        "events": [(event.name, _event(dict(event.attributes or {}))) for event in span.events],
        "links": span.links,
        "status": (span.status.status_code, span.status.description),
        "scope": span.instrumentation_scope,
    }


def _event(attributes: dict[str, Any]) -> dict[str, Any]:
    # The frames of the two ways are in it.
    if "exception.stacktrace" in attributes:
        attributes["exception.stacktrace"] = attributes["exception.stacktrace"].splitlines()[-1]
    return attributes


def _metrics(reader: InMemoryMetricReader) -> Iterator[str]:
    found = reader.get_metrics_data()
    for resource in found.resource_metrics if found else ():
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                points: Any = metric.data.data_points
                for point in points:
                    shown = (
                        (point.count, point.explicit_bounds, bool(point.exemplars))
                        if hasattr(point, "count")
                        else (point.value,)
                    )
                    labels = sorted((point.attributes or {}).items(), key=str)
                    home = (scope.scope.name, scope.scope.version, scope.schema_url)
                    yield repr((home, metric.name, metric.unit, metric.description, labels, shown))

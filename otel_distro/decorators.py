"""The decorators: `monitor_request` counts a handler's calls as requests, `track_performance` times any function."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import cache, wraps
from time import perf_counter
from types import TracebackType
from typing import Any, Final, cast, overload

from opentelemetry import context, trace
from opentelemetry.trace import Span, Status, StatusCode, Tracer

import otel_distro
from otel_distro.context import current_request
from otel_distro.metrics.declared import histogram
from otel_distro.metrics.instruments import SCOPE
from otel_distro.metrics.labelled import Histogram, label_text
from otel_distro.metrics.rejected import warn_once
from otel_distro.metrics.timing import Begin, F, TimedCall, is_kind, timed
from otel_distro.web.requests import UNMATCHED, normal_method, request_metrics
from otel_distro.web.results import Answer, answer_of, status_of_exception

FUNCTION_BUCKETS: Final = (0.001, 0.01, 0.1, 0.5, 1.0, 5.0)


@overload
def monitor_request(func: F) -> F: ...
@overload
def monitor_request(func: None = None) -> Callable[[F], F]: ...
def monitor_request(func: F | None = None) -> F | Callable[[F], F]:
    """Record each call of a handler in the four request metrics, unless the request hook records the request itself.

    The labels `method` and `endpoint` come from the call's keyword arguments of these names (which the handler gets as
    they are), else from the current request, else they are GET and `/`. Keyword arguments become labels as they are,
    so an `endpoint` should be a route and not a path. Status and size come from what is returned: see
    `otel_distro.web.results.answer_of`. Seconds are those of the call: a streamed body is not waited for, and is of
    size 0.

    Whatever the handler raises, cancellation included, counts as 500 (an HTTP exception as its own status) and goes on.
    Sync and async functions and methods; bare or with empty parentheses; safe in any thread, task and forked process.
    """
    if func is None:
        return monitor_request
    if isinstance(func, (staticmethod, classmethod)):
        return cast(F, type(func)(monitor_request(func.__func__)))
    if not _is_function(func, "monitor_request"):
        return func
    function: Callable[..., Any] = func

    @wraps(function)
    async def answer_async(*args: Any, **kwargs: Any) -> Any:
        if _counted_by_hook():
            return await function(*args, **kwargs)
        with _MonitoredCall(kwargs) as call:
            result = await function(*args, **kwargs)
            call.answered(result)
        return result

    @wraps(function)
    def answer(*args: Any, **kwargs: Any) -> Any:
        if _counted_by_hook():
            return function(*args, **kwargs)
        with _MonitoredCall(kwargs) as call:
            result = function(*args, **kwargs)
            call.answered(result)
        return result

    return cast(F, answer_async if is_kind(function, inspect.iscoroutinefunction) else answer)


def _counted_by_hook() -> bool:
    current = current_request.get()
    return current is not None and current.counted


class _MonitoredCall:
    """One call of a handler that counts as one request."""

    __slots__ = ("_answer", "_end", "_endpoint", "_method", "_start")

    def __init__(self, kwargs: dict[str, Any]) -> None:
        method, endpoint = kwargs.get("method"), kwargs.get("endpoint")
        if method is None or endpoint is None:
            current_method, current_endpoint = _current_labels()
            method = current_method if method is None else method
            endpoint = current_endpoint if endpoint is None else endpoint
        self._method = normal_method(label_text(method))
        self._endpoint = label_text(endpoint)
        self._answer = Answer(500, 0)
        self._end = 0.0

    def __enter__(self) -> _MonitoredCall:  # noqa: PYI034 -- typing.Self is younger than Python 3.10
        request_metrics().started()
        self._start = perf_counter()
        return self

    def answered(self, result: object) -> None:
        """Note what the handler returned; the clock stops before it is looked at."""
        self._end = perf_counter()
        self._answer = answer_of(result)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        end = self._end or perf_counter()
        status, size = self._answer
        if error is not None:
            status, size = status_of_exception(error), 0
        request_metrics().answered(self._method, self._endpoint, status, end - self._start, size)


def _current_labels() -> tuple[str, str]:
    current = current_request.get()
    if current is not None:
        return current.method, current.endpoint or UNMATCHED
    # Flask is asked only where the application has imported it.
    flask: Any = sys.modules.get("flask")
    with suppress(Exception):
        if flask is not None and flask.has_request_context():
            rule = flask.request.url_rule
            return flask.request.method, UNMATCHED if rule is None else rule.rule
    return "GET", "/"


@overload
def track_performance(func: F, *, name: str | None = None, module: str | None = None) -> F: ...
@overload
def track_performance(
    func: str | None = None, *, name: str | None = None, module: str | None = None
) -> Callable[[F], F]: ...
def track_performance(
    func: F | str | None = None, *, name: str | None = None, module: str | None = None
) -> F | Callable[[F], F]:
    """Record each call of a function in `function_duration_seconds`, and as a span where tracing is on.

    The labels are `function_name` (the qualified name: `Cart.total` for a method, a function inside of a function by
    its own name) and `module`; `name` and `module` replace them, and a text alone is the name. Seconds are those until
    the function returns or raises; a coroutine's until it is awaited to its end; a generator's from its first value
    asked for until it is exhausted, closed or raises. What the function raises goes on, and stands on the span; its
    arguments never do.

    Functions, coroutine functions, generators of both kinds, methods, and static and class methods in any order of the
    decorators; bare or with arguments; safe in any thread, task and forked process.
    """
    if func is None or isinstance(func, str):
        return lambda function: track_performance(function, name=name or func, module=module)
    if isinstance(func, (staticmethod, classmethod)):
        return cast(F, type(func)(track_performance(func.__func__, name=name, module=module)))
    if not _is_function(func, "track_performance"):
        return func
    own_name = getattr(func, "__qualname__", type(func).__qualname__).rpartition("<locals>.")[2]
    labels = label_text(name or own_name), label_text(module or getattr(func, "__module__", None) or "")
    return timed(func, _begin(*labels))


def _begin(name: str, module: str) -> Begin:
    observe = _function_duration().labels(name, module).observe
    attributes = {"code.function.name": f"{module}.{name}"}

    def begin() -> TimedCall:
        tracer = _tracer()
        return TimedCall(observe) if tracer is None else _TracedCall(observe, tracer, name, attributes)

    return begin


class _TracedCall(TimedCall):
    """A timed call with a span, which is current only while the call runs; nothing of tracing raises into it."""

    __slots__ = ("_span", "_token")

    def __init__(self, observe: Callable[[float], None], tracer: Tracer, name: str, attributes: dict[str, str]) -> None:
        try:
            self._span: Span = tracer.start_span(name, attributes=attributes)
        except Exception:  # noqa: BLE001 -- samplers and span processors are the user's, and may raise anything
            self._span = trace.NonRecordingSpan(trace.get_current_span().get_span_context())
        super().__init__(observe)

    def resume(self) -> None:
        self._token = context.attach(trace.set_span_in_context(self._span))

    def suspend(self) -> None:
        context.detach(self._token)

    def end(self, error: BaseException | None) -> None:
        # The measurement is made while the span is current, so that it can be the exemplar.
        self.resume()
        try:
            super().end(error)
        finally:
            self.suspend()
        with suppress(Exception):
            if isinstance(error, Exception):
                self._span.record_exception(error)
                self._span.set_status(Status(StatusCode.ERROR, f"{type(error).__name__}: {error}"))
        with suppress(Exception):
            self._span.end()


@cache
def _function_duration() -> Histogram:
    return histogram(
        "function_duration",
        "Time that calls of tracked functions took.",
        ("function_name", "module"),
        FUNCTION_BUCKETS,
        "s",
        scope=SCOPE,
    )


@cache
def _own_tracer() -> Tracer:
    return trace.get_tracer(SCOPE, otel_distro.__version__)


def _tracer() -> Tracer | None:
    """Return the tracer where tracing is on: a provider has been set, and it is not the one that does nothing."""
    try:
        provider = trace.get_tracer_provider()
    except Exception:  # noqa: BLE001 -- a provider named by a variable that cannot be loaded
        return None
    if isinstance(provider, (trace.ProxyTracerProvider, trace.NoOpTracerProvider)):
        return None
    return _own_tracer()


def _is_function(func: object, decorator: str) -> bool:
    if callable(func) and not inspect.isclass(func):
        return True
    warn_once(
        decorator,
        repr(type(func)),
        f"{decorator} is for functions and methods; an object of {type(func)} stays as it is",
    )
    return False

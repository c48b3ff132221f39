"""Private parts that the way of a request through spans rests on: Flask's instrumentation, spans, the context."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextvars import ContextVar
from importlib import import_module, metadata
from inspect import signature
from typing import Any, Final, NamedTuple

from otel_distro import internals

_logger = logging.getLogger("otel_distro.internals")


class CurrentContext(NamedTuple):
    """How the current OpenTelemetry context is read, set and set back, and the key of the span in it."""

    get: Callable[[], Any]
    set: Callable[[Any], Any]
    reset: Callable[[Any], None]
    span_key: str


def current_context() -> CurrentContext | None:
    """Return the ways to the current context, the context variable's own where there is one; None without the key."""
    span_key = internals.private(
        "opentelemetry.trace.propagation", "_SPAN_KEY", "requests are traced the contrib package's way"
    )
    if span_key is None:
        return None
    variable = getattr(internals.find("opentelemetry.context", "_RUNTIME_CONTEXT"), "_current_context", None)
    if isinstance(variable, ContextVar):
        return CurrentContext(variable.get, variable.set, variable.reset, span_key)
    from opentelemetry.context import attach, detach, get_current

    return CurrentContext(get_current, attach, detach, span_key)


class FlaskInstrumentation(NamedTuple):
    """The module of the contrib Flask instrumentation, and the keys under which it keeps a request's parts."""

    module: Any
    start_key: str
    span_key: str
    activation_key: str


_FLASK: Final = "opentelemetry.instrumentation.flask"
FLASK_FACTORIES: Final = {
    "_rewrapped_app": (
        "wsgi_app",
        "active_requests_counter",
        "duration_histogram_old",
        "response_hook",
        "excluded_urls",
        "sem_conv_opt_in_mode",
        "duration_histogram_new",
    ),
    "_wrapped_before_request": (
        "request_hook",
        "tracer",
        "excluded_urls",
        "enable_commenter",
        "commenter_options",
        "sem_conv_opt_in_mode",
    ),
    "_wrapped_teardown_request": ("excluded_urls",),
}


def flask_instrumentation() -> FlaskInstrumentation | None:
    """Return the parts of the contrib Flask instrumentation that ours replaces, or None with one warning.

    Its instrumentor makes what serves a request by three functions of its module; these have to take what they take
    in the releases that we are made for, and Flask has to have what came with its release 2.2.
    """
    lost = "requests of Flask are instrumented the contrib package's way: slower"
    if internals.find("flask.globals", "request_ctx") is None:
        if "request_ctx" not in internals.warned:
            internals.warned.add("request_ctx")
            _logger.warning("Flask %s: %s; pip install 'flask>=2.3'", metadata.version("flask"), lost)
        return None
    for name, parameters in FLASK_FACTORIES.items():
        factory = internals.private(_FLASK, name, lost)
        if factory is None:
            return None
        if tuple(signature(factory).parameters) != parameters:
            if name not in internals.warned:
                internals.warned.add(name)
                _logger.warning("%s.%s takes other parameters in this release: %s", _FLASK, name, lost)
            return None
    names = ("STARTTIME_KEY", "SPAN_KEY", "ACTIVATION_KEY")
    keys = [internals.private(_FLASK, f"_ENVIRON_{name}", lost) for name in names]
    return None if None in keys else FlaskInstrumentation(import_module(_FLASK), *keys)


def excludes(excluded_urls: Any) -> Callable[[Any], bool] | None:
    """Return what tells whether the URL of a request of Flask's is excluded, or None where none is.

    A request to a host that the application does not trust has no URL: it is not excluded.
    """
    if excluded_urls is None or not getattr(excluded_urls, "_excluded_urls", True):
        return None
    from werkzeug.exceptions import HTTPException

    disabled: Callable[[str], bool] = excluded_urls.url_disabled

    def excluded(request: Any) -> bool:
        try:
            return disabled(request.url)
        except HTTPException:
            return False

    return excluded


def kept_attributes(span: Any) -> dict[str, Any] | None:
    """Return the attributes of one of the SDK's own spans as they are, not to be changed; None for any other span."""
    found = getattr(getattr(span, "_attributes", None), "_dict", None)
    return found if type(found) is dict else None


def bare_attributes(span: Any) -> dict[str, Any] | None:
    """Return the attributes, not to be changed, of one of the SDK's spans that has nothing else and dropped nothing.

    None for every other one: asking it by its public names copies each part.
    """
    try:
        attributes, parts = span._attributes, vars(span)
        if attributes.dropped:
            return None
        for name in ("_events", "_links"):
            # Recorded spans of ours have none before somebody asks for them.
            if name in parts and (parts[name].dropped or len(parts[name])):
                return None
        found = attributes._dict
    except (AttributeError, TypeError):
        return None
    return found if type(found) is dict else None


def span_class() -> Any:
    """Return the class of the SDK's recorded spans, or None where it is made of other parts in this release."""
    lost = "spans are started the SDK's own way: slower"
    found = internals.private("opentelemetry.sdk.trace", "_Span", lost)
    tracer = internals.find("opentelemetry.sdk.trace", "Tracer")
    wanted = ("name", "context", "sampler", "resource", "attributes", "span_processor", "kind", "links")
    others = ("instrumentation_info", "record_exception", "set_status_on_exception", "limits", "instrumentation_scope")
    takes = signature(found.__init__).parameters if found is not None else {}
    if not {*wanted, *others, "record_end_metrics"} <= takes.keys() or not hasattr(tracer, "_is_enabled"):
        return None
    return found


def bounded_attributes() -> Any:
    """Return the SDK's class that holds the attributes of a span, or None where it works in another way."""
    lost = "attributes of spans are set the SDK's own way: slower"
    found = internals.private("opentelemetry.attributes", "BoundedAttributes", lost)
    if found is None:
        return None
    try:
        made = found(2, {"a": 1}, immutable=False, max_value_len=None)
        made._set_items({"b": "c"})
        with made._lock:
            known = made._dict == {"a": 1, "b": "c"} and (made.maxlen, made.dropped, made.max_value_len) == (2, 0, None)
    except (AttributeError, TypeError) as error:
        known = False
        _logger.debug("attributes of spans: %s", error)
    if not known and "_set_items" not in internals.warned:
        internals.warned.add("_set_items")
        _logger.warning("this OpenTelemetry release keeps attributes in another way: %s", lost)
    return found if known else None

"""Recorded spans made and filled in one step each: what those of a tracer have alike is taken over from one of them.

The SDK puts a span together by a dozen calls with four locks, and copies it when it ends. What is made here is of the
SDK's own class and has the same parts, but what is alike is copied at once, lists that most spans have no use for are
made when somebody asks for them, and an ended span, which nothing can change, goes to the outboxes as it is.
"""

from __future__ import annotations

import copy
import logging
import threading
from collections.abc import Callable
from functools import lru_cache
from time import time_ns
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from opentelemetry.context import Context
from opentelemetry.trace import INVALID_SPAN_CONTEXT, SpanContext, SpanKind

from otel_distro import internals
from otel_distro.internals.spans import bounded_attributes, span_class

Put: TypeAlias = Callable[[Any], None]
# Of all processors of a provider, what takes their ended spans; None where one of them is to see more of a span.
PutsOf: TypeAlias = Callable[[tuple[Any, ...]], "tuple[Put, ...] | None"]

_OWN: Final = frozenset(("_name", "_context", "_kind", "_parent", "_start_time", "_lock", "_attributes"))
_LISTS: Final = frozenset(("_events", "_links"))
_ALIKE: Final = frozenset(
    (
        *("_end_time", "_status", "_resource", "_sampler", "_trace_config", "_limits", "_span_processor"),
        *("_instrumentation_info", "_instrumentation_scope", "_record_end_metrics"),
        *("_record_exception", "_set_status_on_exception"),
    )
)
_ATTRIBUTES: Final = frozenset(("_dict", "_immutable", "_lock", "dropped", "max_value_len", "maxlen"))
_TEXT: Final = frozenset((str,))
_AS_THEY_ARE: Final = frozenset((str, bool, int, float, bytes, type(None)))
_MAPPINGS: Final = frozenset((dict, MappingProxyType))
_METHOD: Final = "_set_items"
_originals: Final[list[tuple[Any, Any]]] = []
_new: Final = object.__new__
_logger = logging.getLogger("otel_distro.internals")


class Later:
    """A list of a span, which a method of the span makes when somebody first asks for it; thread-safe."""

    def __init__(self, method: str, *arguments: Any) -> None:
        self._method = method
        self._arguments = arguments

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, span: Any, owner: type) -> Any:
        if span is None:
            return self
        made = getattr(span, self._method)(*self._arguments)
        return span.__dict__.setdefault(self._name, made)  # of two threads the first one's counts


class Way:
    """Where a provider's spans go once they have ended, as long as it has the same processors; thread-safe."""

    def __init__(self, provider_processor: Any, puts_of: PutsOf | None) -> None:
        self._processor = provider_processor
        self._puts_of = puts_of
        self.known: tuple[Any, tuple[Put, ...]] = (None, ())

    def is_short(self) -> bool:
        """Say whether all that is to be done with a span is to hand it on when it has ended."""
        processors = self._processor._span_processors
        if processors is self.known[0]:
            return True
        puts = self._puts_of(processors) if self._puts_of is not None else None
        if puts is None:
            return False
        self.known = (processors, puts)
        return True


@lru_cache(maxsize=1)
def _kind_of(base: Any) -> Any:
    class RecordedSpan(base):  # type: ignore[misc]
        """One of the SDK's spans, which goes to the outboxes without a copy of itself."""

        _way: Way
        _end_time: int | None
        _events = Later("_new_events")
        _links = Later("_new_links", ())

        def get_span_context(self) -> SpanContext:
            # As the SDK's, without its cast: the exemplars and log lines of a request ask for it.
            return self._context  # type: ignore[no-any-return]

        def __deepcopy__(self, memo: dict[int, Any]) -> Any:
            # Exporters may copy what they get, and that of the SDK holds no lock.
            return copy.deepcopy(self._readable_span(), memo)

        def end(self, end_time: int | None = None) -> None:
            processors, puts = self._way.known
            if self._span_processor._span_processors is processors:
                with self._lock:
                    ends = self._end_time is None
                    if ends:
                        self._end_time = time_ns() if end_time is None else end_time
                        self._attributes._immutable = True
                if ends:
                    for put in puts:
                        put(self)
                    return
            super().end(end_time)

    return RecordedSpan


class Form:
    """What makes the spans of one tracer, whose parts it holds; thread-safe, also after a fork.

    The tracer is one of the SDK's, `made` a span of its that is as new.
    """

    def __init__(self, tracer: Any, made: Any, way: Way) -> None:
        self.of: Final = (tracer.resource, tracer.span_processor, tracer.sampler)
        self._way = way
        base: Any = type(made)
        self._kind = _kind_of(base)
        self._alike = {**{name: value for name, value in vars(made).items() if name in _ALIKE}, "_way": way}
        self._attributes_kind = type(made._attributes)
        self._attributes = dict(vars(made._attributes))

    def start(  # noqa: PLR0913, PLR0917 -- what a span has of its own
        self,
        name: str,
        context: SpanContext,
        parent: SpanContext | None,
        kind: SpanKind,
        attributes: dict[str, Any] | None,
        start_time: int | None,
        parent_context: Context | None,
    ) -> Any:
        """Return a new span that has begun, at a Unix time in nanoseconds or now."""
        span = _new(self._kind)
        span.__dict__ = own = self._alike.copy()
        own["_name"] = name
        own["_context"] = context
        own["_kind"] = kind
        own["_parent"] = parent
        own["_start_time"] = time_ns() if start_time is None else start_time
        # Looked up each time: where gevent comes after the start, a lock of before would stop all greenlets.
        own["_lock"] = threading.Lock()
        own["_attributes"] = kept = _new(self._attributes_kind)
        kept.__dict__ = bounded = self._attributes.copy()
        bounded["_dict"] = {}
        bounded["_lock"] = threading.Lock()
        if attributes:
            kept._set_items(attributes)
        way = self._way
        # As in `is_short`, without its call.
        if span._span_processor._span_processors is not way.known[0] and not way.is_short():
            span._span_processor.on_start(span, parent_context=parent_context)
        return span


def form_of(tracer: Any, puts_of: PutsOf | None) -> Form | None:
    """Return what makes the spans of a tracer, or None where the SDK counts them or makes them of other parts."""
    base = span_class()
    counts_none = internals.find("opentelemetry.sdk.trace._tracer_metrics", "NoOpTracerMetrics")
    if base is None or type(tracer._tracer_metrics) is not counts_none:
        return None
    try:
        made = base(
            name="",
            context=INVALID_SPAN_CONTEXT,
            sampler=tracer.sampler,
            resource=tracer.resource,
            span_processor=tracer.span_processor,
            instrumentation_info=tracer.instrumentation_info,
            limits=tracer._span_limits,
            instrumentation_scope=tracer._instrumentation_scope,
            record_end_metrics=tracer._tracer_metrics.start_span(None, None),
        )
        known = (
            vars(made).keys() == _OWN | _LISTS | _ALIKE
            and vars(made._attributes).keys() == _ATTRIBUTES
            and type(tracer.span_processor._span_processors) is tuple
            and type(made._new_events()) is type(made._events)
            and type(made._new_links(())) is type(made._links)
        )
    except (AttributeError, TypeError):
        known = False
    if known:
        return Form(tracer, made, Way(tracer.span_processor, puts_of))
    if "parts of spans" not in internals.warned:
        internals.warned.add("parts of spans")
        _logger.warning(
            "spans of this OpenTelemetry release have other parts: they are started the SDK's own way: slower"
        )
    return None


def install() -> None:
    """Have attributes of every span of the process set in one step where nothing in them needs to be cleaned.

    The SDK's own way is taken wherever it would change, cut, drop or refuse something. Thread-safe as the SDK's; called
    again it does nothing.
    """
    kind = None if _originals else bounded_attributes()
    if kind is None:
        return
    original = getattr(kind, _METHOD)
    as_they_are, text = _AS_THEY_ARE, _TEXT

    def set_items(self: Any, attributes: Any) -> None:
        if (
            type(attributes) in _MAPPINGS
            and not self._immutable
            and self.max_value_len is None
            and as_they_are.issuperset(map(type, attributes.values()))
            and text.issuperset(map(type, attributes))
            and "" not in attributes
        ):
            with self._lock:
                kept = self._dict
                if self.maxlen is None or len(kept) + len(attributes) <= self.maxlen:
                    if kept:
                        # What is set again moves to the end.
                        for key in attributes:
                            if key in kept:
                                del kept[key]
                    kept.update(attributes)
                    return
        original(self, attributes)

    _originals.append((kind, original))
    setattr(kind, _METHOD, set_items)


def uninstall() -> None:
    """Give the SDK its own way of setting attributes back."""
    while _originals:
        kind, original = _originals.pop()
        setattr(kind, _METHOD, original)

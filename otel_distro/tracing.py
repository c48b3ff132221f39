"""Traces that nobody exports: ids for the logs and for the services behind, and no recorded span."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from opentelemetry.context import Context
from opentelemetry.sdk.trace import SpanProcessor, Tracer, TracerProvider
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, DEFAULT_ON, Decision
from opentelemetry.trace import Link, NonRecordingSpan, Span, SpanContext, SpanKind, TraceFlags, get_current_span
from opentelemetry.util.types import Attributes

_SAMPLED: Final = TraceFlags(TraceFlags.SAMPLED)
_SAMPLED_RANDOM: Final = TraceFlags(TraceFlags.SAMPLED | TraceFlags.RANDOM_TRACE_ID)
_UNASKED: Final[Any] = object()


class DormantTracerProvider(TracerProvider):
    """A tracer provider whose spans record nothing until it gets its first span processor.

    A span without a parent gets ids of its own and the sampler's decision, so that log lines of one request share a
    trace id and the services behind it decide as usual; a span with a parent passes the parent's context on, so that no
    trace points to a span that was never exported. Thread-safe and fork-safe as the SDK's provider.
    """

    awake = False

    # Says of all processors what gets their ended spans in their place; see `internals.recorded.PutsOf`.
    puts_of: Any = None

    def get_tracer(
        self,
        instrumenting_module_name: str,
        instrumenting_library_version: str | None = None,
        schema_url: str | None = None,
        attributes: Attributes = None,
    ) -> Tracer:
        """Return the SDK's tracer for this scope, made to sleep while the provider does."""
        tracer = super().get_tracer(instrumenting_module_name, instrumenting_library_version, schema_url, attributes)
        if type(tracer) is Tracer:
            # The SDK's own tracer, already in the provider's cache: changing its class keeps all that the SDK set up.
            tracer.__class__ = DormantTracer
            tracer.provider = self  # type: ignore[attr-defined]
        return tracer  # type: ignore[return-value]

    def add_span_processor(self, span_processor: SpanProcessor) -> None:
        """Register a processor; from now on spans are recorded."""
        super().add_span_processor(span_processor)
        self.awake = True


class DormantSpan(NonRecordingSpan):
    """A sampled span without a parent that nobody records: its ids are made when somebody asks for them."""

    _made: SpanContext | None = None

    def __init__(self, ids: IdGenerator) -> None:
        self.ids = ids

    @property
    def _context(self) -> SpanContext:  # type: ignore[override]  # where the base class keeps what it is given
        made = self._made
        if made is None:
            ids = self.ids
            fresh = SpanContext(ids.generate_trace_id(), ids.generate_span_id(), False, _SAMPLED)
            # Several threads may ask at the same time: the first one's counts.
            made = self.__dict__.setdefault("_made", fresh)
        return made

    def get_span_context(self) -> SpanContext:
        """Return the ids, always the same."""
        return self._context


class DormantTracer(Tracer):
    """A tracer of the provider above; made by it alone."""

    provider: DormantTracerProvider
    # What makes its recorded spans, asked for with the first of them; None where that is the SDK.
    _form: Any = _UNASKED

    @property
    def samples_all(self) -> bool:
        """Whether the sampler takes every span without a parent, whatever it is about."""
        return self.sampler is ALWAYS_ON or self.sampler is DEFAULT_ON

    def root(self) -> DormantSpan:
        """Return the span without a parent that stands for one which every sampler of `samples_all` takes."""
        return DormantSpan(self.id_generator)

    def _recorded(
        self,
        name: str,
        context: Context | None,
        kind: SpanKind,
        attributes: dict[str, Any] | None,
        start_time: int | None,
    ) -> Any:
        """Start what the SDK starts by a sampler of `samples_all`, without asking it; None where only the SDK can."""
        form = self._form
        if form is _UNASKED or (form is not None and form.of != (self.resource, self.span_processor, self.sampler)):
            form = self._form = _form_of(self)
        if form is None:
            return None
        ids = self.id_generator
        # In an empty context there is none.
        parent: Any = get_current_span(context).get_span_context() if context or context is None else None
        if parent is None or (type(parent) is SpanContext and not parent.is_valid):
            trace_id, state, parent = ids.generate_trace_id(), None, None
            random: int = ids.is_trace_id_random()
        elif type(parent) is SpanContext and (parent.trace_flags & _SAMPLED or self.sampler is ALWAYS_ON):
            trace_id, state = parent.trace_id, parent.trace_state
            random = parent.trace_flags & TraceFlags.RANDOM_TRACE_ID
        else:
            return None
        own = SpanContext(trace_id, ids.generate_span_id(), False, _SAMPLED_RANDOM if random else _SAMPLED, state)
        return form.start(name, own, parent, kind, attributes, start_time, context)

    def start_span(  # noqa: PLR0913, PLR0917 -- the API's signature
        self,
        name: str,
        context: Context | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Attributes = None,
        links: Sequence[Link] | None = (),
        start_time: int | None = None,
        record_exception: bool = True,
        set_status_on_exception: bool = True,
    ) -> Span:
        """Return the SDK's span once the provider is awake, and before that one which records nothing."""
        if self.provider.awake:
            sampler = self.sampler  # as `samples_all` asks, without its call
            plain = record_exception and set_status_on_exception and not links
            plain = plain and (sampler is DEFAULT_ON or sampler is ALWAYS_ON)
            if plain and (attributes is None or type(attributes) is dict) and self._is_enabled():
                span: Span | None = self._recorded(name, context, kind, attributes, start_time)
                if span is not None:
                    return span
            return super().start_span(
                name, context, kind, attributes, links, start_time, record_exception, set_status_on_exception
            )
        parent = get_current_span(context).get_span_context()
        if parent.is_valid:
            return NonRecordingSpan(parent)
        if self.samples_all:
            return self.root()
        trace_id = self.id_generator.generate_trace_id()
        decision = self.sampler.should_sample(context, trace_id, name, kind, attributes, links or ()).decision
        flags = _SAMPLED if decision is Decision.RECORD_AND_SAMPLE else TraceFlags(TraceFlags.DEFAULT)
        return NonRecordingSpan(SpanContext(trace_id, self.id_generator.generate_span_id(), False, flags))


def _form_of(tracer: DormantTracer) -> Any:
    """Return what makes the recorded spans of a tracer; loaded with the first of them."""
    from otel_distro.internals.recorded import form_of

    return form_of(tracer, tracer.provider.puts_of)

"""Traces that nobody exports."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from opentelemetry import trace
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from otel_distro.tracing import DormantTracerProvider

PARENT = SpanContext(trace_id=0xABC, span_id=0xDEF, is_remote=True, trace_flags=TraceFlags(1))


def provider(**options: object) -> DormantTracerProvider:
    return DormantTracerProvider(shutdown_on_exit=False, **options)  # type: ignore[arg-type]


def test_a_root_span_has_ids_and_records_nothing() -> None:
    with provider().get_tracer("a").start_as_current_span("work") as span:
        context = span.get_span_context()
        assert context.is_valid
        assert context.trace_flags.sampled
        assert not span.is_recording()
        assert trace.get_current_span() is span


def test_ids_are_the_same_for_threads_that_ask_at_once() -> None:
    class Slow(RandomIdGenerator):
        def generate_trace_id(self) -> int:
            both.wait(10)
            return super().generate_trace_id()

    both = Barrier(2)
    span = provider(id_generator=Slow()).get_tracer("a").start_span("work")
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: span.get_span_context(), range(2))
    assert first == second == span.get_span_context()


def test_spans_inside_share_the_trace() -> None:
    tracer = provider().get_tracer("a")
    with tracer.start_as_current_span("outer") as outer, tracer.start_as_current_span("inner") as inner:
        assert inner.get_span_context().trace_id == outer.get_span_context().trace_id


def test_two_roots_have_two_traces() -> None:
    tracer = provider().get_tracer("a")
    assert tracer.start_span("a").get_span_context().trace_id != tracer.start_span("b").get_span_context().trace_id


def test_a_parents_context_is_passed_on_as_it_came() -> None:
    context = trace.set_span_in_context(NonRecordingSpan(PARENT))
    assert provider().get_tracer("a").start_span("work", context).get_span_context() == PARENT


def test_the_samplers_decision_reaches_the_services_behind() -> None:
    span = provider(sampler=ALWAYS_OFF).get_tracer("a").start_span("work")
    assert span.get_span_context().is_valid
    assert not span.get_span_context().trace_flags.sampled


def test_the_first_processor_wakes_tracers_that_exist_already() -> None:
    made = provider()
    tracer = made.get_tracer("a")
    assert not tracer.start_span("before").is_recording()
    exporter = InMemorySpanExporter()
    made.add_span_processor(SimpleSpanProcessor(exporter))
    with tracer.start_as_current_span("after"):
        pass
    assert [span.name for span in exporter.get_finished_spans()] == ["after"]
    made.shutdown()


def test_a_tracer_decorates_functions_while_it_sleeps() -> None:
    tracer = provider().get_tracer("a")

    @tracer.start_as_current_span("work")
    def work() -> bool:
        return trace.get_current_span().get_span_context().is_valid

    assert work()
    assert work()


def test_one_scope_has_one_tracer() -> None:
    made = provider()
    assert made.get_tracer("a") is made.get_tracer("a")

"""What tests of tracing share: one real tracer provider for the whole process, as it can be set only once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter


@contextmanager
def spans() -> Iterator[list[ReadableSpan]]:
    """Switch tracing on for good, and collect the spans that end within the block."""
    exporter = _exporter()
    exporter.clear()
    found: list[ReadableSpan] = []
    yield found
    found.extend(exporter.get_finished_spans())


@cache
def _exporter() -> InMemorySpanExporter:
    exporter = InMemorySpanExporter()
    provider = trace.get_tracer_provider()
    if not isinstance(provider, TracerProvider):
        provider = TracerProvider(shutdown_on_exit=False)
        trace.set_tracer_provider(provider)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return exporter

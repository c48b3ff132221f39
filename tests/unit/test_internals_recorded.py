"""Recorded spans made in one step, beside those that the SDK makes itself."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from copy import deepcopy
from threading import Barrier, Thread
from time import time_ns
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.attributes import BoundedAttributes
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, DEFAULT_OFF, DEFAULT_ON, Sampler
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, TraceState

from otel_distro import internals
from otel_distro.delivery.outbox import SpanOutbox, puts_of
from otel_distro.internals import recorded, spans
from otel_distro.tracing import DormantTracerProvider
from tests.processes import clean_environment

RESOURCE = Resource({"service.name": "shop"})
MANY = SpanLimits(max_span_attributes=3, max_events=2, max_links=1, max_span_attribute_length=5)


class Numbers(IdGenerator):
    def __init__(self, *, random: bool) -> None:
        self._random = random
        self._last = 0

    def generate_span_id(self) -> int:
        self._last += 1
        return self._last

    generate_trace_id = generate_span_id

    def is_trace_id_random(self) -> bool:
        return self._random


class Box:
    """Stands for an outbox: keeps what is put into it."""

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []

    def put(self, span: ReadableSpan) -> None:
        self.spans.append(span)


def ours(box: Box, **options: Any) -> DormantTracerProvider:
    provider = DormantTracerProvider(shutdown_on_exit=False, resource=RESOURCE, **options)
    provider.puts_of = puts_of
    provider.add_span_processor(SpanOutbox(box))  # type: ignore[arg-type]
    return provider


def parent_of(*, remote: bool, flags: int, state: TraceState | None = None) -> Context:
    context = SpanContext(0xABC, 0xDEF, remote, trace.TraceFlags(flags), state)
    return trace.set_span_in_context(NonRecordingSpan(context), Context())


PARENTS = {
    "none": Context(),
    "invalid": trace.set_span_in_context(trace.INVALID_SPAN, Context()),
    **{
        f"{'remote' if remote else 'local'}, flags {flags}": parent_of(remote=remote, flags=flags)
        for remote in (True, False)
        for flags in (0, 1, 2, 3)
    },
    "with a state": parent_of(remote=True, flags=1, state=TraceState([("a", "b")])),
}
VALUES = st.one_of(
    st.text(max_size=8),
    st.integers(),
    st.booleans(),
    st.floats(allow_nan=False),
    st.lists(st.text(max_size=2), max_size=2),
)
ATTRIBUTES = st.one_of(st.none(), st.dictionaries(st.text(max_size=3), VALUES, max_size=5))
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("set_attribute"), st.text(max_size=3), VALUES),
        st.tuples(st.just("set_attributes"), st.dictionaries(st.text(max_size=3), VALUES, max_size=5)),
        st.tuples(st.just("add_event"), st.text(max_size=3), ATTRIBUTES, st.integers(1, 9)),
        st.tuples(st.just("add_link"), st.just(SpanContext(1, 2, True)), ATTRIBUTES),
        st.tuples(st.just("update_name"), st.text(max_size=3)),
        st.tuples(st.just("set_status"), st.sampled_from(StatusCode), st.text(max_size=3)),
        st.tuples(st.just("end"), st.integers(10, 20)),
    ),
    max_size=6,
)


@contextmanager
def silent() -> Iterator[None]:
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


def told(
    provider: TracerProvider,
    ended: Callable[[], Sequence[ReadableSpan]],
    context: Context,
    start: dict[str, Any],
    steps: Any,
) -> Any:
    """Take one span through the steps, and return all that it says, by its names and by what is exported."""
    span: Any = provider.get_tracer("shop", "1").start_span("work", context, **start)
    with suppress(TypeError, AttributeError):  # what the SDK refuses
        for name, *arguments in steps:
            getattr(span, name)(*arguments)
    span.end(30)
    said, found = span.get_span_context(), ended()
    dropped = [(one.dropped_attributes, one.dropped_events, one.dropped_links) for one in found]
    return (
        said,
        said.trace_state,
        said.trace_flags,
        span.is_recording(),
        [json.loads(one.to_json()) for one in found],
        dropped,
    )


def both(context: Context, start: dict[str, Any], steps: Any, random: bool, **options: Any) -> tuple[Any, Any]:
    """Return what a span of ours and one of the SDK say."""
    exporter = InMemorySpanExporter()
    sdk = TracerProvider(resource=RESOURCE, shutdown_on_exit=False, id_generator=Numbers(random=random), **options)
    sdk.add_span_processor(SimpleSpanProcessor(exporter))
    box = Box()
    provider = ours(box, id_generator=Numbers(random=random), **options)
    with silent():
        return (
            told(provider, lambda: box.spans, context, start, steps),
            told(sdk, exporter.get_finished_spans, context, start, steps),
        )


@pytest.mark.parametrize("random", [True, False])
@pytest.mark.parametrize(
    "sampler", [DEFAULT_ON, ALWAYS_ON, DEFAULT_OFF, ALWAYS_OFF], ids=lambda one: one.get_description()[:24]
)
@pytest.mark.parametrize("parent", PARENTS)
def test_a_span_has_the_parent_flags_and_state_that_the_sdk_gives_it(
    parent: str, sampler: Sampler, random: bool
) -> None:
    one, other = both(PARENTS[parent], {"start_time": 5, "attributes": {"a": 1}}, [], random, sampler=sampler)
    assert one == other


@given(
    st.fixed_dictionaries(
        {"attributes": ATTRIBUTES, "kind": st.sampled_from(SpanKind), "start_time": st.integers(1, 9)},
        optional={"links": st.just([Link(SpanContext(3, 4, False))])},
    ),
    STEPS,
    st.sampled_from((SpanLimits(), MANY)),
)
def test_a_span_says_what_the_sdks_says(start: dict[str, Any], steps: Any, limits: SpanLimits) -> None:
    one, other = both(PARENTS["with a state"], start, steps, False, span_limits=limits)
    assert one == other


def test_a_span_is_one_of_the_sdks_and_goes_to_the_outbox_as_it_is() -> None:
    box = Box()
    span = ours(box).get_tracer("shop").start_span("work")
    assert isinstance(span, trace.Span)
    assert isinstance(span, ReadableSpan)
    assert type(span).__name__ == "RecordedSpan"
    span.end()
    assert box.spans == [span]


def test_an_exporter_may_copy_what_it_gets_as_it_may_what_it_gets_of_the_sdk() -> None:
    box = Box()
    with ours(box).get_tracer("shop").start_as_current_span("work", attributes={"a": [1]}) as span:
        span.add_event("paid", {"b": 2})
    (sent,) = box.spans
    assert deepcopy(sent).to_json() == sent.to_json()


def test_a_span_that_has_ended_changes_no_more_and_is_sent_once(caplog: pytest.LogCaptureFixture) -> None:
    box = Box()
    span = ours(box).get_tracer("shop").start_span("work", attributes={"a": 1})
    span.end(5)
    span.set_attribute("b", 2)
    span.add_event("late")
    span.update_name("other")
    span.set_status(Status(StatusCode.ERROR))
    span.end(6)
    (sent,) = box.spans
    assert (sent.name, dict(sent.attributes or {}), sent.events, sent.end_time) == ("work", {"a": 1}, (), 5)
    assert sent.status.is_unset
    with pytest.raises(TypeError):
        sent.attributes["c"] = 3  # type: ignore[index]
    assert "Calling end() on an ended span." in caplog.messages


def test_an_error_inside_is_told_as_the_sdk_tells_it() -> None:
    box = Box()
    tracer = ours(box).get_tracer("shop")
    with suppress(KeyError), tracer.start_as_current_span("work"):
        raise KeyError("order")
    with suppress(KeyError), tracer.start_as_current_span("work", record_exception=False):
        raise KeyError("order")
    with suppress(KeyError), tracer.start_span("work", record_exception=False):
        raise KeyError("order")
    with suppress(KeyError), tracer.start_span("work", set_status_on_exception=False):
        raise KeyError("order")
    assert [[event.name for event in span.events] for span in box.spans] == [["exception"], [], [], ["exception"]]
    assert [span.status.description for span in box.spans] == ["KeyError: 'order'"] * 3 + [None]


def test_spans_have_nothing_of_each_other_and_end_now() -> None:
    box = Box()
    tracer = ours(box).get_tracer("shop")
    before = time_ns()
    first, second = tracer.start_span("work", attributes={"a": 1}), tracer.start_span("work", attributes={"b": 2})
    first.add_event("paid")
    second.end()
    first.end()
    assert [dict(span.attributes or {}) for span in box.spans] == [{"b": 2}, {"a": 1}]
    assert [len(span.events) for span in box.spans] == [0, 1]
    assert before <= (second.start_time or 0) <= (second.end_time or 0) <= (first.end_time or 0) <= time_ns()  # type: ignore[attr-defined]


def test_a_tracer_that_is_switched_off_starts_no_span() -> None:
    tracer: Any = ours(Box()).get_tracer("shop")
    tracer.start_span("work").end()
    tracer._set_tracer_config(type(tracer._tracer_config)(is_enabled=False))
    assert not tracer.start_span("work").is_recording()


def test_an_outbox_of_another_make_is_asked_its_own_way() -> None:
    class Loud(SpanOutbox):
        def on_end(self, span: ReadableSpan) -> None:
            ended.append(span.name)

    ended: list[str] = []
    provider = ours(Box())
    provider.add_span_processor(Loud(Box()))  # type: ignore[arg-type]
    provider.get_tracer("shop").start_span("work").end()
    assert ended == ["work"]


class Seen(SpanProcessor):
    def __init__(self) -> None:
        self.calls: list[tuple[str, Any, Any]] = []

    def on_start(self, span: Any, parent_context: Context | None = None) -> None:
        self.calls.append(("start", span, parent_context))

    def on_end(self, span: ReadableSpan) -> None:
        self.calls.append(("end", span, None))


def test_a_processor_of_the_users_sees_the_start_and_a_copy_at_the_end() -> None:
    box, seen = Box(), Seen()
    provider = ours(box)
    tracer = provider.get_tracer("shop")
    tracer.start_span("before").end()
    provider.add_span_processor(seen)
    context = Context({"a": 1})
    span = tracer.start_span("after", context)
    span.end(7)
    (_, started, around), (_, ended, _) = seen.calls
    assert (started, around) == (span, context)
    assert type(ended) is ReadableSpan
    assert ended.end_time == 7
    assert [one.name for one in box.spans] == ["before", "after"]


def test_a_processor_that_comes_between_start_and_end_sees_the_end() -> None:
    box, seen = Box(), Seen()
    provider = ours(box)
    span = provider.get_tracer("shop").start_span("work")
    provider.add_span_processor(seen)
    span.end()
    assert [what for what, *_ in seen.calls] == ["end"]
    assert [one.name for one in box.spans] == ["work"]


def test_two_threads_that_ask_at_once_get_one_list_of_events() -> None:
    box = Box()
    span: Any = ours(box).get_tracer("shop").start_span("work")
    both, make = Barrier(2), span._new_events

    def slow() -> Any:
        both.wait(10)
        return make()

    span._new_events = slow
    lists: list[Any] = []
    threads = [Thread(target=lambda: lists.append(span._events)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert lists[0] is lists[1] is span._events


def test_a_span_of_a_forked_child_has_the_resource_that_its_tracer_has_then() -> None:
    box = Box()
    tracer: Any = ours(box).get_tracer("shop")
    tracer.start_span("before").end()
    tracer.resource = Resource({"service.name": "child"})
    tracer.start_span("after").end()
    assert [span.resource.attributes["service.name"] for span in box.spans] == ["shop", "child"]


def test_spans_that_the_sdk_counts_are_started_by_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED", "true")
    box = Box()
    span = ours(box).get_tracer("shop").start_span("work")
    assert type(span).__name__ == "_Span"
    span.end()
    assert len(box.spans) == 1
    assert caplog.messages == []


def test_spans_of_other_parts_are_started_by_the_sdk_with_one_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    known = spans.span_class()

    class Other(known):  # type: ignore[misc, valid-type]
        def __init__(self, *arguments: Any, **named: Any) -> None:
            super().__init__(*arguments, **named)
            self._of_a_later_release = True

    monkeypatch.setattr(recorded, "span_class", lambda: Other)
    monkeypatch.setattr(internals, "warned", set())
    box = Box()
    provider = ours(box)
    for scope in ("a", "b"):
        provider.get_tracer(scope).start_span("work").end()
    assert [type(span) for span in box.spans] == [ReadableSpan, ReadableSpan]
    assert [message for message in caplog.messages if "other parts" in message] == [
        "spans of this OpenTelemetry release have other parts: they are started the SDK's own way: slower"
    ]


def test_the_limits_of_the_variables_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "1")
    box = Box()
    span = ours(box).get_tracer("shop").start_span("work", attributes={"a": 1, "b": 2})
    span.end()
    assert (dict(box.spans[0].attributes or {}), box.spans[0].dropped_attributes) == ({"b": 2}, 1)


def test_a_forked_child_ends_the_spans_of_its_own() -> None:
    box = Box()
    tracer = ours(box).get_tracer("shop")
    tracer.start_span("parent").end()
    child = os.fork()
    if child == 0:
        tracer.start_span("child").end()
        os._exit(len(box.spans))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 2


SHARED_BY_GREENLETS = """
import otel_distro
otel_distro.configure()
from gevent import monkey
monkey.patch_all()
import gevent
from opentelemetry import trace

class Asked:
    def __str__(self):
        gevent.sleep(0.05)
        return "ann"

span = trace.get_tracer("shop").start_span("work")
gevent.joinall([gevent.spawn(span.set_attribute, "user", Asked()), gevent.spawn(span.set_attribute, "other", 1)])
print(*span.attributes)
"""


def test_greenlets_that_share_a_span_do_not_hang_where_gevent_comes_after_the_start() -> None:
    command = [sys.executable, "-c", SHARED_BY_GREENLETS]
    env = clean_environment({"OTEL_TRACES_EXPORTER": "console", "OTEL_METRICS_EXPORTER": "none"})
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.startswith("user other\n")


ITEMS = (
    st.text(max_size=8)
    | st.integers()
    | st.booleans()
    | st.none()
    | st.floats(allow_nan=False)
    | st.binary(max_size=3)
    | st.lists(st.text(max_size=3), max_size=2)
    | st.just(object)
)
MAPPINGS = st.dictionaries(st.sampled_from(["a", "b", "c", "d", "e", "f", ""]) | st.just(7), ITEMS, max_size=6)


@pytest.fixture(autouse=True)
def _given_back() -> Iterator[None]:
    yield
    recorded.uninstall()


def kept(maxlen: int | None, longest: int | None, steps: list[Any], wrapped: bool) -> tuple[list[Any], int]:
    holder: Any = BoundedAttributes(maxlen, steps[0], immutable=False, max_value_len=longest)
    for step in steps[1:]:
        holder._set_items(MappingProxyType(step) if wrapped else step)
    return list(holder.items()), holder.dropped


@given(
    st.none() | st.integers(0, 5),
    st.none() | st.integers(0, 5),
    st.lists(MAPPINGS, min_size=1, max_size=4),
    st.booleans(),
)
def test_the_short_way_keeps_what_the_sdk_keeps(
    maxlen: int | None, longest: int | None, steps: list[Any], wrapped: bool
) -> None:
    expected = kept(maxlen, longest, steps, wrapped)
    recorded.install()
    try:
        assert kept(maxlen, longest, steps, wrapped) == expected
    finally:
        recorded.uninstall()


def test_what_is_frozen_stays_so_and_what_is_given_is_not_kept() -> None:
    recorded.install()
    recorded.install()
    frozen: Any = BoundedAttributes(None, {"a": 1})
    with pytest.raises(TypeError):
        frozen._set_items({"b": 2})
    mine = {"a": 1}
    holder = BoundedAttributes(None, mine, immutable=False)
    mine["a"] = 2
    assert dict(holder) == {"a": 1}


def test_uninstalling_gives_the_sdk_its_own_way_back() -> None:
    stock = BoundedAttributes._set_items
    recorded.install()
    assert BoundedAttributes._set_items is not stock
    recorded.uninstall()
    assert BoundedAttributes._set_items is stock

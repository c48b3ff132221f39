"""Spans encoded in the short way are, byte by byte, what the exporter's own way makes of them."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, TracerProvider
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState

from otel_distro.otlp_bytes import Encoded
from otel_distro.otlp_spans import faster, size_of, spelling_out

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
values = (
    texts
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.binary(max_size=5)
    | st.none()
    | st.lists(texts, max_size=2)
    | st.sampled_from([0, 1, True, False, 0.0, -0.0, 1.0, "1", ""])
)
attributes = st.dictionaries(texts, values, max_size=6)
contexts = st.builds(
    SpanContext,
    st.integers(1, 2**128 - 1),
    st.integers(1, 2**64 - 1),
    st.booleans(),
    st.sampled_from([TraceFlags(0), TraceFlags(1)]),
    st.sampled_from([TraceState(), TraceState([("a", "1"), ("b", "2")])]),
)
RESOURCES = [Resource({"service.name": "a"}), Resource({"service.name": "b", "n": 1}, "https://schema"), Resource({})]
SCOPES = [
    None,
    InstrumentationScope("one", "1.0", "https://scope"),
    InstrumentationScope("one", "1.0", "https://scope"),
    InstrumentationScope("two", "", "", {"x": "y"}),
]
spans = st.builds(
    ReadableSpan,
    name=texts,
    context=contexts,
    parent=st.none() | contexts,
    resource=st.sampled_from(RESOURCES),
    attributes=attributes,
    events=st.lists(st.builds(Event, texts, attributes, st.integers(0, 2**63)), max_size=1),
    links=st.lists(st.builds(Link, contexts, attributes), max_size=1),
    kind=st.sampled_from(list(SpanKind)),
    instrumentation_scope=st.sampled_from(SCOPES),
    status=st.sampled_from([Status(), Status(StatusCode.OK), Status(StatusCode.ERROR, "ü"), Status(StatusCode.ERROR)]),
    start_time=st.integers(0, 2**63),
    end_time=st.integers(0, 2**63),
)


@given(st.lists(spans, max_size=5))
def test_a_batch_is_the_same_bytes(batch: list[ReadableSpan]) -> None:
    encoded = faster(encode_spans)(batch)
    assert type(encoded) is Encoded
    assert encoded.SerializePartialToString() == encode_spans(batch).SerializePartialToString()


def test_equal_scopes_that_are_two_objects_keep_the_order_of_their_spans() -> None:
    context = SpanContext(1, 2, is_remote=False)
    batch = [
        ReadableSpan(name, context, instrumentation_scope=SCOPES[at]) for name, at in (("a", 1), ("b", 2), ("c", 1))
    ]
    assert faster(encode_spans)(batch).SerializePartialToString() == encode_spans(batch).SerializePartialToString()


def test_what_cannot_be_encoded_is_left_to_the_exporter_s_own_way() -> None:
    asked: list[Any] = []

    def stock(batch: Any) -> str:
        asked.append(batch)
        return "its answer"

    lone = [ReadableSpan("\ud800", SpanContext(1, 1, is_remote=False))]
    assert faster(stock)(lone) == "its answer"
    assert asked == [lone]


LONE = st.sampled_from(["\ud800", "a\udcff", "\udcffb", "plain"])
WITHIN = st.recursive(LONE, lambda inner: st.tuples(inner) | st.dictionaries(LONE, inner, max_size=1), max_leaves=3)
hostile = st.builds(
    ReadableSpan,
    name=LONE,
    context=contexts,
    parent=st.none() | contexts,
    resource=st.sampled_from(RESOURCES),
    attributes=st.dictionaries(LONE, WITHIN | st.integers(0, 9), max_size=2),
    events=st.lists(st.builds(Event, LONE, st.dictionaries(LONE, WITHIN, max_size=1), st.integers(0, 9)), max_size=1),
    links=st.lists(st.builds(Link, contexts, st.dictionaries(LONE, LONE, max_size=1)), max_size=1),
    status=st.builds(Status, st.just(StatusCode.ERROR), LONE),
    start_time=st.integers(0, 9),
    end_time=st.integers(0, 9),
)


@given(st.lists(hostile, min_size=1, max_size=3))
def test_lone_surrogates_are_spelt_out_wherever_they_stand_and_nothing_is_lost(batch: list[ReadableSpan]) -> None:
    ours = spelling_out(encode_spans)
    message = ours(batch)
    [first] = encode_spans([plain(batch[0])]).resource_spans
    assert message.resource_spans[0].scope_spans[0].spans[0] == first.scope_spans[0].spans[0]
    assert sum(len(each.scope_spans[0].spans) for each in message.resource_spans) == len(batch)
    short = faster(ours)(batch)
    assert short.SerializePartialToString() == message.SerializePartialToString()


def plain(span: ReadableSpan) -> ReadableSpan:
    """Return the span with each surrogate as text."""

    def told(value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(told(each) for each in value)
        if isinstance(value, dict):
            return of(value)
        if not isinstance(value, str):
            return value
        return "".join(f"\\u{ord(each):04x}" if "\ud800" <= each <= "\udfff" else each for each in value)

    def of(attributes: Any) -> dict[str, Any]:
        return {told(key): told(value) for key, value in attributes.items()}

    return ReadableSpan(
        told(span.name),
        span.context,
        span.parent,
        span.resource,
        of(span.attributes),
        [Event(told(event.name), of(event.attributes), event.timestamp) for event in span.events],
        [Link(link.context, of(link.attributes)) for link in span.links],
        status=Status(StatusCode.ERROR, told(span.status.description)),
        start_time=span.start_time,
        end_time=span.end_time,
    )


SECRET = "hunter2s3cr3t"  # noqa: S105 -- what must not be seen
TELLING: dict[str, Any] = {"url.query": f"page=2&token={SECRET}", "db_password": SECRET, "a": (1, 2), "n": 5}


@pytest.mark.parametrize(
    "parts",
    [
        {},
        {"events": [Event("exception", {**TELLING, "exception.message": f"password={SECRET} is wrong"}, 1)]},
        {"events": [Event(f"sent token={SECRET}", {}, 1)]},
        {"links": [Link(SpanContext(1, 2, True), {"header": ("x", f"Authorization: Bearer {SECRET}")})]},
    ],
    ids=["alone", "event", "name of an event", "link"],
)
def test_secrets_are_masked_wherever_they_stand_in_a_span(parts: dict[str, Any]) -> None:
    status = Status(StatusCode.ERROR, f"ValueError: ssn={SECRET}")
    span = ReadableSpan("GET /x", SpanContext(1, 2, False), attributes=TELLING, status=status, **parts)
    by_grpc = spelling_out(encode_spans, ("ssn",))
    made = by_grpc([span])
    (found,) = made.resource_spans[0].scope_spans[0].spans
    assert SECRET not in str(made)
    told = {item.key: item.value.string_value or item.value.int_value for item in found.attributes}
    assert told == {"url.query": "page=2&token=[redacted]", "db_password": "[redacted]", "a": 0, "n": 5}
    assert found.status.message == "ValueError: ssn=[redacted]"
    for _ in range(2):  # the second time from what is kept
        assert faster(by_grpc, ("ssn",))([span]).SerializePartialToString() == made.SerializePartialToString()
    assert str(spelling_out(encode_spans)([span])).count(SECRET) >= 3  # where nobody asked for it


def test_numbers_bytes_and_mappings_under_a_secret_name_are_masked_in_spans_as_in_logs() -> None:
    told: dict[str, Any] = {
        "session.id": "4bf9",
        "tokens": 5,
        "token2": True,
        "ratio": 0.5,
        "raw": b"\xff",
        "none": None,
        "pin": None,
    }
    secret: dict[str, Any] = {"cvv": 123, "otp": 0.5}
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("test")
    span: Any = tracer.start_span("work", attributes={**told, **secret})
    span.end()
    message = spelling_out(encode_spans, ())([span])
    assert found_in(message) == {**told, "cvv": "[redacted]", "otp": "[redacted]"}
    plain = ReadableSpan(
        "work", SpanContext(1, 2, False), attributes={"cvv": 123, "otp": 0.5, "tokens": 5, "token2": True}
    )
    by_grpc = spelling_out(encode_spans, ())
    short = faster(by_grpc, ())([plain])
    assert type(short) is Encoded
    assert short.SerializePartialToString() == by_grpc([plain]).SerializePartialToString()
    span = tracer.start_span("work", attributes={
        "password": b"hunter2",
        "body": b"\xff password=hunter2 \xff",
        "credentials": {"user": "bob"},
        "cookies": [{"a": "b"}, 5],
        "form": {"pin": 1234, "page": 2, "parts": [{"token": "hunter2"}, "pass=hunter2"]},
    })  # fmt: skip
    span.end()
    assert found_in(by_grpc([span])) == {
        "password": "[redacted]",
        "body": b"\xff password=[redacted] \xff",
        "credentials": "[redacted]",
        "cookies": ["[redacted]", "[redacted]"],
        "form": {"pin": "[redacted]", "page": 2, "parts": [{"token": "[redacted]"}, "pass=[redacted]"]},
    }


def found_in(message: Any) -> dict[str, Any]:
    """Return the attributes of the one span of a message."""

    def value(each: Any) -> Any:
        kind = each.WhichOneof("value")
        if kind == "array_value":
            return [value(item) for item in each.array_value.values]
        if kind == "kvlist_value":
            return {item.key: value(item.value) for item in each.kvlist_value.values}
        return getattr(each, kind) if kind else None

    (found,) = message.resource_spans[0].scope_spans[0].spans
    return {item.key: value(item.value) for item in found.attributes}


def test_bytes_are_sized_where_the_interpreter_takes_their_str_for_an_error() -> None:
    program = (
        "from opentelemetry.sdk.trace import TracerProvider; from otel_distro.otlp_spans import size_of;"
        "print(size_of(TracerProvider().get_tracer('shop').start_span('work', attributes={'body': b'paid'})))"
    )
    done = subprocess.run([sys.executable, "-bb", "-c", program], capture_output=True, text=True, check=True)
    assert int(done.stdout) > 32


def test_a_span_without_any_is_handed_on_as_it_is() -> None:
    span = ReadableSpan("ä", SpanContext(1, 1, is_remote=False), attributes={"a": ("b", 1)})
    assert spelling_out(lambda batch: batch[0])([span]) is span


INSIDE: dict[str, Any] = {"bytes": str.encode, "mapping": lambda text: {"a": text}, "list": lambda text: [[text]]}


@pytest.mark.parametrize("letter", ["x", "ü", "漢", "\U0001f600"])
@pytest.mark.parametrize("part", ["attribute", "event", "link", "status", "error", "name", "bytes", "mapping", "list"])
def test_a_span_with_much_in_it_is_not_taken_for_a_smaller_one(letter: str, part: str) -> None:
    text = letter * 9000
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("test")
    context = SpanContext(1, 1, is_remote=False)
    name = text if part == "name" else "work"
    span: Any = tracer.start_span(name, links=[Link(context, {"a": text})] if part == "link" else [])
    if part == "attribute":
        span.set_attributes({"a": text, "n": 1})
    elif part == "event":
        span.record_exception(ValueError(text))
    elif part == "status":
        span.add_event("began")
        span.set_status(Status(StatusCode.ERROR, text))
    elif part == "error":
        span.set_status(Status(StatusCode.ERROR, text))
    elif part in INSIDE:
        span.add_event("took", {"body": INSIDE[part](text)})
    span.end()
    encoded = len(encode_spans([span]).SerializeToString())
    assert 0.9 * encoded <= size_of(span) <= 4 * encoded

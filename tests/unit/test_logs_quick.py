"""The quick way makes the bytes that the way by the document makes, or leaves the record to it."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, use_span

from otel_distro import context
from otel_distro.logs.capture import PIECES, PRIVATE, CapturingFactory, capture_of
from otel_distro.logs.document import Documents
from otel_distro.logs.json import JsonFormatter, encoded
from otel_distro.logs.quick import _NAMES_LIMIT, _PLACES_LIMIT, Quick
from otel_distro.redaction import Redactor

LIMIT = 4096
SPAN = NonRecordingSpan(SpanContext(0x4BF92F3577B34DA6A3CE929D0E0E4736, 0xF067AA0BA902B7, False, TraceFlags(1)))
DOCUMENTS = Documents("shop", "prod", Redactor(), LIMIT)


def record_of(message: Any = "hello", *args: Any, extra: Any = None, exc_info: Any = None) -> logging.LogRecord:
    record = logging.getLogger("shop").makeRecord("shop", 20, "/a/app.py", 7, message, args, exc_info, "f", extra)
    capture_of(record)
    return record


def with_extras(extras: dict[Any, Any]) -> logging.LogRecord:
    """Return a record as the factory makes it: what is captured stands before the extras."""
    record = record_of()
    for name, value in extras.items():
        if name not in record.__dict__:
            record.__dict__[name] = value
    return record


def quick(record: logging.LogRecord, documents: Documents = DOCUMENTS) -> bytes | None:
    return documents.quick_line(record, capture_of(record))


def by_document(record: logging.LogRecord, documents: Documents = DOCUMENTS) -> bytes:
    return encoded(documents.made(record, capture_of(record)), documents.limit)[0]


TEXTS = st.text(max_size=40) | st.sampled_from([
    "password=hunter2", "card 4111 1111 1111 1111", "a\u2028b\x85c", '"\\\n', "%", "Authorization: Bearer abc123def",
]) | st.characters(categories=["Cs"])  # fmt: skip


ARGUMENTS = TEXTS | st.integers() | st.none() | st.dictionaries(st.text(max_size=3), st.integers(), max_size=2)


@given(
    TEXTS,
    st.lists(ARGUMENTS, max_size=2),
    st.floats() | st.floats(1, 5e9) | st.integers(0, 10**9),
    st.none() | st.text(max_size=5),
    st.booleans(),
    st.fixed_dictionaries({}, optional={
        "name": TEXTS | st.none(), "levelname": TEXTS | st.none(), "module": TEXTS | st.none(),
        "funcName": TEXTS | st.none(), "lineno": st.integers() | st.floats() | st.none(),
    }),
)  # fmt: skip
def test_both_ways_make_the_same_bytes(
    message: str, args: list[Any], created: Any, user: str | None, traced: bool, own: dict[str, Any]
) -> None:
    token = context.user_id.set(user)
    try:
        with use_span(SPAN if traced else NonRecordingSpan(SpanContext(0, 0, False))):
            record = record_of(message, *args)
    finally:
        context.user_id.reset(token)
    record.__dict__.update(own, created=created)
    line = quick(record)
    if line is not None:
        assert line == by_document(record)


NAMES = st.sampled_from([
    "order_id", "password", "user_id", "service", "level", "extra_level", "tags", "otelTraceID", "taskName", "é",
    "n" * 300, "", "a.b", "_id", " a",
]) | st.text(max_size=5) | st.integers(0, 1)  # fmt: skip
VALUES = (
    TEXTS
    | st.integers()
    | st.booleans()
    | st.none()
    | st.floats()
    | st.binary(max_size=3)
    | st.lists(TEXTS, max_size=2)
    | st.dictionaries(st.sampled_from(["token", "a"]), st.integers(), max_size=2)
    | st.sampled_from(["x" * 5000, float("nan"), 2**63, -(2**63), object])
)


@given(st.dictionaries(NAMES, VALUES, max_size=4), st.booleans())
def test_both_ways_make_the_same_bytes_of_extras(extras: dict[Any, Any], redacted: bool) -> None:
    documents = DOCUMENTS if redacted else Documents("shop", "", None, LIMIT)
    record = with_extras(extras)
    line = quick(record, documents)
    if line is not None:
        assert line == by_document(record, documents)


@pytest.mark.parametrize(
    "extras",
    [
        {"order_id": 7, "price": 1.5, "paid": True, "by": "card", "none": None},
        {"password": "hunter2", "note": "token=abc123", "items": [{"cookie": "x"}], "name": "é", "big": 2**70},
        {"otelTraceID": "0"},
        {"a.b": 1, "_id": "x", "secret.key": "hunter2"},
    ],
)
def test_extras_under_their_own_names_go_the_quick_way(extras: dict[str, Any]) -> None:
    record = with_extras(extras)
    assert quick(record) == by_document(record)


@pytest.mark.parametrize("extras", [{"user_id": "ann"}, {"level": 1}, {"@timestamp": 1}, {"é": 1}, {7: 1}, {"": 1}])
def test_extras_that_set_a_field_or_get_another_name_are_left_to_the_document(extras: dict[Any, Any]) -> None:
    record = with_extras(extras)
    assert quick(record) is None
    assert JsonFormatter(DOCUMENTS).line(record) == by_document(record)


def test_what_went_into_a_line_is_kept_with_it() -> None:
    record = with_extras({"order_id": 7, "password": "hunter2"})
    quick(record)
    place = ("shop", "INFO", "app", "f", 7)
    assert capture_of(record)[PIECES] == (("shop", "prod"), place, "hello", {"order_id": 7, "password": "[redacted]"})


@pytest.mark.parametrize("message", ["hello", "é\u2028", "password=hunter2", "x" * 3000])
@pytest.mark.parametrize(
    "documents",
    [DOCUMENTS, Documents(), Documents("shop", redactor=None)],
    ids=["as started", "unnamed", "unredacted"],
)
def test_ordinary_records_go_the_quick_way(message: str, documents: Documents) -> None:
    record = record_of(message)
    assert quick(record, documents) == by_document(record, documents)


@pytest.mark.parametrize(
    "record",
    [
        record_of("hello", exc_info=(ValueError, ValueError("x"), None)),
        record_of(5),
        record_of("%d", "no number"),
        record_of("\udc80"),
        record_of("x" * 5000),
        record_of("hello", extra={"a": 1}),
        logging.makeLogRecord({"msg": "hello", PRIVATE: None}),
    ],
    ids=["exception", "no text", "arguments that do not fit", "surrogate", "long", "foreign extra", "handmade"],
)
def test_every_other_record_is_left_to_its_document(record: logging.LogRecord) -> None:
    assert quick(record) is None
    assert JsonFormatter(DOCUMENTS).line(record) == by_document(record)


def test_a_document_that_is_asked_for_later_is_what_the_line_holds() -> None:
    arguments = ["first"]
    record = record_of("%s", arguments)
    formatter = JsonFormatter(DOCUMENTS)
    line = formatter.line(record)
    arguments[0] = "changed since"
    assert formatter.document(record)["message"] == "['first']"
    assert encoded(formatter.document(record), LIMIT)[0] == line


def test_a_line_number_that_only_equals_a_known_one_is_left_to_the_document() -> None:
    record = record_of("hello")
    record.lineno = 1
    assert quick(record) is not None
    for number in (1.0, True):
        record.lineno = number  # type: ignore[assignment]
        assert quick(record) is None


def test_places_are_bounded() -> None:
    maker = Quick("", "", None, LIMIT, lambda _, value: value)
    for number in range(_PLACES_LIMIT + 10):
        record = record_of()
        record.lineno = number
        assert maker.line(record, capture_of(record)) is not None
    assert len(maker._places) <= _PLACES_LIMIT


def test_names_of_extras_are_bounded() -> None:
    maker = Quick("", "", None, LIMIT, lambda _, value: value)
    for number in range(_NAMES_LIMIT + 10):
        record = with_extras({f"n{number}": 1})
        assert maker.line(record, capture_of(record)) is not None
    assert len(maker._names) <= _NAMES_LIMIT


def test_records_of_the_factory_are_ordinary() -> None:
    factory = CapturingFactory()
    factory.install()
    try:
        assert quick(logging.getLogger("a").makeRecord("a", 20, "a.py", 1, "m", (), None)) is None  # no function
        assert quick(logging.getLogger("a").makeRecord("a", 20, "a.py", 1, "m", (), None, "f")) is not None
    finally:
        factory.remove()

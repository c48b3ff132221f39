"""A record becomes a document with the fields of the design, whatever the application puts into it."""

from __future__ import annotations

import copy
import json
import logging
import pickle
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, use_span

from otel_distro import context
from otel_distro.logs.capture import PRIVATE, CapturingFactory, capture_of
from otel_distro.logs.document import Documents, timestamp_of
from otel_distro.logs.entry import Draft
from otel_distro.logs.fields import FIELDS, RESERVED, SETTABLE
from otel_distro.logs.json import JsonFormatter
from otel_distro.redaction import REDACTED, Redactor
from otel_distro.settings import Settings

SPAN = NonRecordingSpan(SpanContext(0x4BF92F3577B34DA6A3CE929D0E0E4736, 0xF067AA0BA902B7, False, TraceFlags(1)))


class NoStockError(Exception):
    """An exception of an application."""


class UnprintableError(Exception):
    """An exception whose text cannot be had."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


@pytest.fixture(autouse=True)
def _capturing() -> Iterator[None]:
    factory = CapturingFactory()
    factory.install()
    yield
    factory.remove()


def record_of(message: Any = "hello", *args: Any, exc_info: Any = None, extra: Any = None, **more: Any) -> Any:
    logger = logging.getLogger("shop.orders")
    values: dict[str, Any] = {"level": logging.INFO, "fn": "/srv/shop/orders.py", "lno": 42, "func": "place", **more}
    return logger.makeRecord(
        "shop.orders", values["level"], values["fn"], values["lno"], message, args, exc_info, values["func"], extra
    )


def document_of(*args: Any, **kwargs: Any) -> dict[str, Any]:
    return Documents("shop", "prod", Redactor()).of(record_of(*args, **kwargs))


@contextmanager
def request(request_id: str | None, user_id: str | None) -> Iterator[None]:
    tokens = context.request_id.set(request_id), context.user_id.set(user_id)
    yield
    context.request_id.reset(tokens[0])
    context.user_id.reset(tokens[1])


def caught(run: Callable[[], object]) -> Any:
    try:
        run()
    except BaseException:  # noqa: BLE001 -- whatever it is, it is what the test is about
        return sys.exc_info()
    raise AssertionError("nothing was raised")


def raise_(error: BaseException, cause: BaseException | None = None) -> Callable[[], None]:
    def run() -> None:
        raise error from cause

    return run


def test_a_full_document_has_all_fields_in_the_order_of_the_design() -> None:
    with request("req-1", "u-5"), use_span(SPAN):
        document = document_of(
            "hello %s", "you", exc_info=caught(raise_(NoStockError("none left"))), extra={"amount": 9.5}
        )
    assert list(document) == [*(name for name in FIELDS if name != "tags"), "amount"]
    assert document["timestamp"].endswith("Z")
    assert len(document["log_id"]) == 32
    assert "NoStockError: none left" in document["exc_info"]
    del document["timestamp"], document["log_id"], document["exc_info"]
    assert document == {
        "level": "INFO",
        "message": "hello you",
        "logger": "shop.orders",
        "module": "orders",
        "function": "place",
        "line": 42,
        "request_id": "req-1",
        "user_id": "u-5",
        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
        "span_id": "00f067aa0ba902b7",
        "service": "shop",
        "environment": "prod",
        "error_type": f"{__name__}.NoStockError",
        "error_message": "none left",
        "amount": 9.5,
    }


def test_fields_without_a_value_are_left_out() -> None:
    document = Documents().of(record_of())
    assert list(document) == ["timestamp", "level", "message", "logger", "module", "function", "line", "log_id"]
    assert "function" not in Documents().of(record_of(func=None))
    assert "exc_info" not in document_of(exc_info=(None, None, None))


def test_the_settings_name_service_environment_and_redaction() -> None:
    environ = {
        "OTEL_SERVICE_NAME": "shop",
        "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=staging",
        "OTEL_DISTRO_REDACT_NAMES": "nickname",
    }
    extra = {"nickname": "bob", "password": "x"}
    document = Documents.from_settings(Settings.from_environ(environ)).of(record_of(extra=extra))
    assert (document["service"], document["environment"]) == ("shop", "staging")
    assert (document["nickname"], document["password"]) == (REDACTED, REDACTED)
    plain = Documents.from_settings(Settings.from_environ({"OTEL_DISTRO_REDACT": "false"}))
    assert plain.of(record_of("password=x", extra=extra))["message"] == "password=x"
    assert plain.of(record_of(extra=extra))["password"] == "x"  # noqa: S105 -- what it shows


@pytest.mark.parametrize("name", sorted(SETTABLE))
def test_an_extra_may_set_what_the_design_lets_it_set(name: str) -> None:
    with request("req-1", "u-5"):
        document = document_of(exc_info=caught(raise_(ValueError("x"))), extra={name: "mine"})
    assert document[name] == "mine"
    assert f"extra_{name}" not in document
    order = [field for field in FIELDS if field in document]
    assert [field for field in document if field in FIELDS] == order


@pytest.mark.parametrize("name", sorted(SETTABLE))
def test_an_extra_that_is_none_sets_nothing(name: str) -> None:
    with request("req-1", "u-5"):
        error = caught(raise_(ValueError("x")))
        assert document_of(exc_info=error, extra={name: None})[name] == document_of(exc_info=error)[name]


@pytest.mark.parametrize(
    "name", sorted(RESERVED - set(logging.makeLogRecord({}).__dict__) - {"message", "stack_info", "exc_info", "module"})
)
def test_an_extra_with_the_name_of_a_field_is_kept_beside_it(name: str) -> None:
    without = document_of(extra={"other": 1})
    document = document_of(extra={name: "mine", "other": 1})
    assert document[f"extra_{name}"] == "mine"
    assert set(document) - set(without) == {f"extra_{name}"}


def test_extras_that_would_meet_under_one_name_are_all_kept() -> None:
    document = document_of(extra={"level": 1, "extra_level": 2, "extra_extra_level": 3})
    assert sorted(str(document[name]) for name in document if name.startswith("extra_")) == ["1", "2", "3"]
    assert document["level"] == "INFO"


def test_names_of_extras_become_texts() -> None:
    record = record_of()
    record.__dict__.update({1: "a", "1": "b", ("x",): "c", "k" * 1000: "d", "\udc80": "e"})
    document = Documents().of(record)
    assert {"a", "b", "c", "d", "e"} <= set(document.values())
    assert all(type(name) is str and len(name) < 400 for name in document)


def test_what_other_formatters_and_instrumentations_leave_on_a_record_is_no_extra() -> None:
    record = record_of(extra={"mine": 1})
    logging.Formatter("%(asctime)s %(message)s").format(record)
    record.otelTraceID = "0"
    record.taskName = None
    assert [name for name in Documents().of(record) if name not in FIELDS] == ["mine"]


def test_extras_are_found_on_records_of_any_make() -> None:
    class Early(logging.LogRecord):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            self.early = 1
            super().__init__(*args, **kwargs)
            self.late = 2

    record = Early("a", 20, "p.py", 1, "m", (), None)
    record.__dict__["extra"] = 3
    document = Documents().of(record)
    assert (document["early"], document["late"], document["extra"]) == (1, 2, 3)
    made = Documents().of(logging.makeLogRecord({"msg": "m", "mine": 1}))
    assert made["mine"] == 1


def test_ids_are_those_of_where_the_record_was_made() -> None:
    with request("req-1", "u-5"), use_span(SPAN):
        record = record_of()
    with request("other", "other"):
        made: list[dict[str, Any]] = []
        thread = threading.Thread(target=lambda: made.append(Documents().of(record)))
        thread.start()
        thread.join()
    assert (made[0]["request_id"], made[0]["user_id"]) == ("req-1", "u-5")
    assert made[0]["span_id"] == "00f067aa0ba902b7"


def test_a_record_made_before_the_set_up_has_the_ids_of_where_it_is_formatted() -> None:
    record = record_of()
    del record.__dict__[PRIVATE]
    with request("req-1", None):
        assert Documents().of(record)["request_id"] == "req-1"


def test_copies_and_pickles_of_a_record_keep_its_log_id() -> None:
    record = record_of()
    copied, pickled = copy.copy(record), pickle.loads(pickle.dumps(record))  # noqa: S301 -- made one expression before
    sent = logging.makeLogRecord(pickle.loads(pickle.dumps(record.__dict__)))  # noqa: S301 -- the same
    ids = {Documents().of(each)["log_id"] for each in (record, copied, pickled, sent)}
    assert len(ids) == 1


def test_no_two_records_have_one_log_id() -> None:
    made: list[str] = []

    def log() -> None:
        made.extend(Documents().of(record_of())["log_id"] for _ in range(2000))

    threads = [threading.Thread(target=log) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 8000
    assert all(len(each) == 32 and int(each, 16) >= 0 and each == each.lower() for each in made)


@given(st.floats(min_value=0, max_value=2**36, allow_nan=False))
def test_a_timestamp_is_utc_to_the_microsecond(created: float) -> None:
    text = timestamp_of(created)
    read = datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc)
    assert len(text) == 27
    assert abs(read.timestamp() - created) < 2e-5


def test_exceptions_carry_their_causes_and_contexts() -> None:
    def run() -> None:
        try:
            raise KeyError("inner")
        except KeyError as error:
            raise NoStockError("outer") from error

    document = document_of(exc_info=caught(run))
    assert "KeyError: 'inner'" in document["exc_info"]
    assert "direct cause" in document["exc_info"]
    assert (document["error_type"], document["error_message"]) == (f"{__name__}.NoStockError", "outer")


if sys.version_info >= (3, 11):  # exception groups came then

    def test_exception_groups_are_told_whole() -> None:
        group = ExceptionGroup("many", [ValueError("one"), TypeError("two")])  # noqa: F821 -- see above
        document = document_of(exc_info=caught(raise_(group)))
        assert "ValueError: one" in document["exc_info"]
        assert "TypeError: two" in document["exc_info"]
        assert document["error_type"] == "ExceptionGroup"


def test_an_exception_without_text_is_still_logged() -> None:
    document = document_of(exc_info=caught(raise_(UnprintableError())))
    assert document["error_type"] == f"{__name__}.UnprintableError"
    assert document["error_message"] == "<UnprintableError without text>"
    assert "UnprintableError" in document["exc_info"]


def test_an_exception_that_stands_on_a_record_by_itself_is_told_like_any_other() -> None:
    error = caught(raise_(KeyError("order 7")))[1]
    document = document_of("m", exc_info=error)
    assert (document["message"], document["error_type"], document["error_message"]) == ("m", "KeyError", "'order 7'")
    assert "in run\n" in document["exc_info"], "with its traceback"


def test_a_traceback_that_came_as_text_is_kept() -> None:
    record = record_of()
    record.exc_text = "Traceback: ValueError: x"
    assert Documents().of(record)["exc_info"] == "Traceback: ValueError: x"


def test_a_stack_that_was_asked_for_is_kept() -> None:
    record = record_of()
    record.stack_info = "Stack: here"
    assert Documents().of(record)["stack_info"] == "Stack: here"


class NoText:
    def __str__(self) -> str:
        raise ValueError("no text")

    __repr__ = __str__


@pytest.mark.parametrize(
    ("message", "args", "expected"),
    [
        ("plain", (), "plain"),
        ("100%", (), "100%"),
        ("%s and %s", ("one",), "%s and %s [arguments do not fit: TypeError; they are ['one']]"),
        ("none", ("one", 2), "none [arguments do not fit: TypeError; they are ['one', 2]]"),
        ("%d", ("text",), "%d [arguments do not fit: TypeError; they are ['text']]"),
        ("%(a)s", ({"b": 1},), "%(a)s [arguments do not fit: KeyError; they are {'b': 1}]"),
        ("%(a)s", ({"a": 1},), "1"),
        ("%", (1,), "% [arguments do not fit: ValueError; they are [1]]"),
        ("%s", (NoText(),), "%s [arguments do not fit: ValueError; they are ['<NoText without text>']]"),
        (NoText(), (), "<NoText without text>"),
        (12, (), "12"),
        (None, (), "None"),
        (b"bytes", (), "b'bytes'"),
        (ValueError("it"), (), "it"),
        ("a\nb", (), "a\nb"),
        ("\udc80\ud800", (), "\\udc80\\ud800"),
        ("", (), ""),
    ],
)
def test_every_message_is_kept(message: Any, args: tuple[Any, ...], expected: str) -> None:
    assert Documents().of(record_of(message, *args))["message"] == expected


class Braces(logging.LogRecord):
    """As the logging cookbook shows it for messages in the style of `str.format`."""

    def getMessage(self) -> str:
        return str(self.msg).format(*self.args or ())


@pytest.mark.parametrize(("message", "expected"), [("{} of {}", "1 of 2"), ("%d %d", "%d %d"), ("{nobody}", None)])
def test_a_record_of_the_application_says_its_message_itself(message: str, expected: str | None) -> None:
    line = JsonFormatter(Documents()).line
    record = Braces("shop", logging.INFO, "/srv/shop.py", 7, message, (1, 2), None)
    capture_of(record)
    assert Draft.of(record, line, None) is None  # nothing else says it later
    said = json.loads(line(record))["message"]
    assert said == (expected or "{nobody} [arguments do not fit: KeyError; they are [1, 2]]")


def test_a_record_that_cannot_be_read_is_salvaged() -> None:
    record = record_of("hello", extra={"mine": 1})
    del record.__dict__["created"]
    record.__dict__["lineno"] = NoText()
    document = Documents().of(record)
    assert document["message"] == "hello"
    assert document["extra_attributes"] == {"mine": 1}
    assert "AttributeError" in document["extra_problem"]
    assert document["timestamp"].startswith("20")


def test_secrets_are_masked_in_message_extras_and_exception() -> None:
    extra = {
        "headers": {"Authorization": "Bearer s3cret", "n": [{"api_key": 5}]},
        "note": "pwd=s3cret",
        "token": "s3cret",
    }
    document = document_of("password=%s", "s3cret", exc_info=caught(raise_(ValueError("token=s3cret"))), extra=extra)
    assert "s3cret" not in str(document)
    assert document["headers"]["n"][0]["api_key"] == REDACTED
    assert document["error_message"] == "token=[redacted]"


def test_the_document_is_made_once() -> None:
    record = record_of()
    assert Documents().of(record) is Documents().of(record)

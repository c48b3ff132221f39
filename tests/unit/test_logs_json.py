"""A document becomes exactly one line of valid JSON, never longer than the limit; and text for people."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_distro.logs.capture import PRIVATE, capture_of
from otel_distro.logs.document import Documents
from otel_distro.logs.fields import FIELDS
from otel_distro.logs.json import JsonFormatter, TextFormatter, encoded
from otel_distro.redaction import Redactor

LIMIT = 4096


def refuse(name: str) -> float:
    raise ValueError(name)


def read(line: str | bytes) -> dict[str, Any]:
    """Read a line as a strict reader does."""
    document: dict[str, Any] = json.loads(line, parse_constant=refuse)
    return document


def record_of(message: Any = "hello", *args: Any, extra: Any = None, exc_info: Any = None) -> logging.LogRecord:
    return logging.getLogger("shop").makeRecord("shop", 20, "/a/app.py", 1, message, args, exc_info, "f", extra)


def formatter(limit: int = 1 << 20) -> JsonFormatter:
    return JsonFormatter(Documents("shop", "prod", Redactor(), limit))


class Hostile:
    def __init__(self, name: str) -> None:
        self.name = name

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError(name)

    def __repr__(self) -> str:
        raise RuntimeError("repr")


class Mute:
    def __repr__(self) -> str:
        raise RuntimeError("repr")


def test_a_line_is_the_document() -> None:
    record = record_of("hello %s", "é\n\u2028", extra={"amount": 1.5, "list": [1, {"a": None}]})
    json_formatter = formatter()
    line = json_formatter.format(record)
    assert read(line) == json_formatter.document(record)
    assert read(line)["message"] == "hello é\n\u2028"


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n", "\v", "\f", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"])
def test_no_line_end_of_any_kind_stays_raw(end: str) -> None:
    record = record_of(f"a{end}b", extra={f"k{end}": [f"c{end}d"]})
    line = formatter().format(record)
    assert line.splitlines() == [line]
    assert read(line)["message"] == f"a{end}b"
    assert read(line)[f"k{end}"] == [f"c{end}d"]


def test_no_character_that_a_terminal_obeys_stays_raw() -> None:
    controls = "".join(map(chr, (*range(32), *range(128, 160))))
    line = formatter().format(record_of(f"a£{controls}", extra={f"b£{controls}": [controls]}))
    assert not set(controls) & set(line)
    assert (read(line)["message"], read(line)[f"b£{controls}"]) == (f"a£{controls}", [controls])


ODD_NAMES = ("a.b", "_id", " a", "a b", "a\\", "\u3000", "\u00e9", '"', "a\n")


@pytest.mark.parametrize(
    ("extra", "begin"),
    [
        (None, b'{ "timestamp":"20'),
        ({"user_id": "u", "order-id": 7, "Price_2": 1.5, "paid": True, "by": None, "at": "a.b {"}, b'{ "'),
        *(({name: 1}, b'{"') for name in ODD_NAMES),
        ({"order": {"id": 7}}, b'{"'),
        ({"items": []}, b'{"'),
    ],
)
@pytest.mark.parametrize("error", [None, (ValueError, ValueError("x"), None)])
def test_the_line_of_a_flat_document_alone_begins_with_a_space(error: Any, extra: Any, begin: bytes) -> None:
    assert formatter().line(record_of(extra=extra, exc_info=error)).startswith(begin)


def test_a_flat_document_is_cut_to_the_limit_with_its_space() -> None:
    size = len(encoded({"message": ""}, LIMIT)[0])
    for more in range(3):
        line, document = encoded({"message": "m" * (LIMIT - size + more)}, LIMIT)
        assert (len(line) == LIMIT, "cut" in document["message"]) == (more == 0, more > 0)
        assert line.startswith(b"{ ")


def test_the_line_is_made_once_and_shared() -> None:
    record = record_of()
    assert formatter().line(record) is formatter().line(record)
    assert formatter().line(record).decode() == formatter().format(record) + "\n"


def test_attributes_that_the_encoder_refuses_are_made_plain() -> None:
    record = record_of()
    record.module, record.lineno, record.name = "\udc80", 2**70, Hostile("x")  # type: ignore[assignment]
    line = formatter().format(record)
    assert read(line)["module"] == "\\udc80"
    assert read(line)["line"] == str(2**70)
    assert read(line) == formatter().document(record)


def test_an_object_that_answers_nothing_is_named() -> None:
    record = record_of("%s %s", 1, Hostile("x"), extra={"it": Hostile("x"), "list": [Hostile("x")], "fine": 1})
    document = read(formatter().format(record))
    assert document["it"] == "<Hostile without text>"
    assert document["list"] == ["<Hostile without text>"]
    assert document["fine"] == 1


def test_a_formatter_without_documents_takes_the_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "named")
    assert read(JsonFormatter().format(record_of()))["service"] == "named"
    assert "hello" in TextFormatter().format(record_of())


KEYS = st.text(min_size=1, max_size=8).filter(lambda key: key not in logging.makeLogRecord({}).__dict__)
EXTRAS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.decimals() | st.uuids()
    | st.datetimes() | st.timedeltas() | st.complex_numbers() | st.builds(Mute)
    | st.characters(categories=["Cs"]),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.text() | st.integers() | st.none() | st.binary(), inner, max_size=4)
    | st.tuples(inner) | st.sets(st.integers()),
    max_leaves=15,
)  # fmt: skip


@given(st.dictionaries(KEYS, EXTRAS, max_size=5), st.text(), st.lists(EXTRAS, max_size=2))
def test_anything_is_one_valid_line(extra: dict[str, Any], message: str, args: list[Any]) -> None:
    extra = {key: value for key, value in extra.items() if key not in ("message", "asctime", PRIVATE)}
    line = formatter(LIMIT).line(record_of(message, *args, extra=extra))
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert len(line) <= LIMIT
    assert len(line.decode().splitlines()) == 1
    document = read(line)
    assert set(document) >= {"timestamp", "level", "message", "logger", "module", "function", "line", "log_id"}


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(alphabet='abc é\n\u2028"\\'),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.text(alphabet="xyz é", min_size=1, max_size=5), inner, max_size=3),
    max_leaves=10,
)  # fmt: skip


@given(st.dictionaries(st.text(alphabet="xyz_é", min_size=1), PLAIN, max_size=5))
def test_extras_arrive_as_they_were_given(extra: dict[str, Any]) -> None:
    document = read(formatter().format(record_of(extra=extra)))
    assert {name: document[name] for name in extra} == extra


@pytest.mark.parametrize(
    "texts",
    [
        {"message": "x" * 10_000},
        {"message": "é\n\u2028\x00" * 5_000},
        {"message": "m" * 3_000, "exc_info": "e" * 3_000, "note": "n" * 10},
        {"message": "m", "list": ["x" * 2_000] * 50},
        {"message": "m", "numbers": list(range(100_000))},
        {"message": "m", **{f"extra{number}": number for number in range(10_000)}},
        {"message": "m", **{f"extra{number}": "x" * 100 for number in range(1_000)}},
        {"message": "m", "k" * 10_000: 1},
        {"message": "m" * 10_000, "nested": {"a": {"b": ["y" * 10_000]}}},
    ],
    ids=range(9),
)
def test_a_long_document_is_cut_to_the_limit(texts: dict[str, Any]) -> None:
    line, document = encoded({"timestamp": "t", "level": "INFO", **texts, "log_id": "id"}, LIMIT)
    assert len(line) <= LIMIT
    assert read(line) == document
    assert (document["level"], document["log_id"], document["message"][:1]) == ("INFO", "id", texts["message"][:1])


def test_the_longest_texts_are_cut_and_say_how_much_is_missing() -> None:
    texts = {"message": "m" * 9_000, "exc_info": "e" * 5_000, "note": "n" * 100}
    line, document = encoded(dict(texts), LIMIT)
    assert document["note"] == texts["note"]
    for name in ("message", "exc_info"):
        kept, _, mark = document[name].partition("...[")
        assert mark == f"{len(texts[name]) - len(kept)} characters cut]"
        assert texts[name].startswith(kept)
    assert len(line) > LIMIT * 0.9


def test_a_long_text_is_cut_to_what_the_short_ones_leave() -> None:
    short = {f"note{number}": "n" * 100 for number in range(15)}
    for long in ("x" * 10_000, ["x" * 5_000, "y" * 5_000]):
        line, document = encoded({"message": "m", **short, "long": long}, LIMIT)
        assert {name: document[name] for name in short} == short
        assert "extra_cut" not in document
        assert len(line) > LIMIT * 0.9


def test_one_extra_that_takes_more_than_a_quarter_of_the_line_goes_before_the_others() -> None:
    numbers = {f"numbers{number}": [1] * size for number, size in enumerate((700, 100, 100))}
    document = encoded({"message": "m", **numbers, "more": [2] * 1_500}, LIMIT)[1]
    assert document == {"message": "m", "numbers1": [1] * 100, "numbers2": [1] * 100, "extra_cut": 2}


def test_what_is_left_when_extras_had_to_go_is_never_above_the_limit() -> None:
    for last in range(0, 200, 2):
        numbers = {f"numbers{number}": [1] * 480 for number in range(4)}
        line, _ = encoded({"message": "m", **numbers, "last": [1] * last, "big": [1] * LIMIT}, LIMIT)
        assert len(line) <= LIMIT


def test_what_does_not_fit_is_counted() -> None:
    document = encoded({"message": "m", "numbers": list(range(100_000)), "other": 1}, LIMIT)[1]
    assert document == {"message": "m", "other": 1, "extra_cut": 1}


@given(st.dictionaries(st.text(max_size=20), EXTRAS, max_size=20))
def test_any_document_fits_any_limit(document: dict[str, Any]) -> None:
    big = {f"{key}{n}": [value, key * 100] for n in range(5) for key, value in document.items()}
    line, _ = encoded(big, LIMIT)
    assert len(line) <= LIMIT
    read(line)


def test_a_line_in_ascii_is_the_same_document() -> None:
    line = formatter().format(record_of("é€😀"))
    assert JsonFormatter.ascii(line).isascii()
    assert read(JsonFormatter.ascii(line)) == read(line)


def test_text_for_people_has_time_level_logger_message_and_ids() -> None:
    record = record_of("hello password=x1", extra={"user_id": "5"})
    capture_of(record)[0] = "req-1"
    text = TextFormatter(Documents(redactor=Redactor())).format(record)
    time, rest = text.split(" ", 1)
    assert time.endswith("Z")
    assert rest == "INFO shop hello password=[redacted] [request_id=req-1 user_id=5]"


def test_text_for_people_ends_with_the_traceback() -> None:
    error = ValueError("wrong")
    text = TextFormatter(Documents()).format(record_of(exc_info=(ValueError, error, None)))
    assert text.endswith("INFO shop hello\nValueError: wrong")
    assert "\\xe9" in TextFormatter.ascii("é")


def test_the_fields_are_those_of_the_design() -> None:
    assert " ".join(FIELDS) == (
        "timestamp level message logger module function line request_id user_id trace_id span_id service environment "
        "exc_info error_type error_message log_id tags"
    )

"""Status and size of what views return and raise, in every form that frameworks take."""

from __future__ import annotations

import sys
import urllib.error
from collections.abc import Iterator
from email.message import Message
from http import HTTPStatus
from types import ModuleType
from typing import Any

import flask
import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.exceptions import BadRequestKeyError, Conflict, HTTPException, NotFound

from otel_distro.web.results import answer_of, status_of_exception
from tests.meters import reading


class _Starlette:
    """A response as Starlette makes it."""

    def __init__(self, body: bytes, status_code: int, headers: dict[str, str]) -> None:
        self.body = body
        self.status_code = status_code
        self.headers = headers


class _Django:
    """A response as Django makes it."""

    streaming = False
    status_code = 202
    content = b"four"


class _Stream:
    """A response of which only a header tells how long it is."""

    status_code = 404

    def __init__(self, length: str) -> None:
        self.headers = {"content-length": length}


class _Angry:
    @property
    def status_code(self) -> int:
        raise RuntimeError("no")


def _never() -> Iterator[bytes]:
    yield pytest.fail("the stream was read")


ANSWERS: list[tuple[str, Any, tuple[int, int]]] = [
    ("nothing", None, (200, 0)),
    ("the sample's dict", {"status_code": 201, "size": 512}, (201, 512)),
    ("a status alone", {"status_code": 404}, (404, 0)),
    ("a size alone", {"size": 10, "message": "ok"}, (200, 10)),
    ("a status of the standard library", {"status_code": HTTPStatus.CREATED}, (201, 0)),
    ("a status as text", {"status_code": "404"}, (404, 0)),
    ("a size that is no whole number", {"size": 10.7}, (200, 10)),
    ("text", "hello", (200, 5)),
    ("text beyond ASCII", "你好", (200, 6)),
    ("text with a lone surrogate", "\ud800", (200, 3)),
    ("bytes", b"hello", (200, 5)),
    ("a bytearray", bytearray(7), (200, 7)),
    ("a memoryview of wide items", memoryview(b"12345678").cast("I"), (200, 8)),
    ("a dict sent as JSON", {"a": 1}, (200, len('{"a":1}'))),
    ("a list sent as JSON", [1, "é"], (200, len('[1,"\\u00e9"]'))),
    ("an empty dict", {}, (200, 2)),
    ("body and status", ("hello", 201), (201, 5)),
    ("body and status line", ("hello", "418 I'm a teapot"), (418, 5)),
    ("body and headers", ("hello", {"X": "y"}), (200, 5)),
    ("body and list of headers", ("hello", [("X", "y")]), (200, 5)),
    ("body, status and headers", ({"a": 1}, 202, {"X": "y"}), (202, 7)),
    ("body and no status", ("hello", None), (200, 5)),
    ("dict of the sample in a tuple", ({"status_code": 500, "size": 3}, 503), (503, 3)),
    ("an empty tuple", (), (200, 0)),
    ("a Flask response", flask.Response("hello", 203), (203, 5)),
    ("a Flask response of parts", flask.Response(["he", "llo"]), (200, 5)),
    ("a Flask response in a tuple", (flask.Response("hello", 200), 201), (201, 5)),
    ("a Flask response in a tuple with headers", (flask.Response("hello", 404), {"X": "y"}), (404, 5)),
    ("a Flask stream", flask.Response(_never()), (200, 0)),
    *(
        (f"a stream of a length that is none: {length[:9]}", _Stream(length), (404, 0))
        for length in ("abc", "1_000", "-5", " 7", "\u0663", "9" * 5000, "9" * 19)
    ),
    ("a Flask stream of a length that is none", flask.Response(_never(), 404, {"Content-Length": "-5"}), (404, 0)),
    ("a Flask stream of a known length", flask.Response(_never(), headers={"Content-Length": "9"}), (200, 9)),
    ("a generator", _never(), (200, 0)),
    ("an HTTP exception returned", NotFound(), (404, 0)),
    ("Starlette's", _Starlette(b"hello", 201, {"content-length": "5"}), (201, 5)),
    ("Starlette's without a length", _Starlette(b"hello", 201, {}), (201, 5)),
    ("Django's", _Django(), (202, 4)),
    ("any other object", object(), (200, 0)),
    ("a number", 42, (200, 0)),
    ("an object that raises when asked", _Angry(), (200, 0)),
    ("JSON that cannot be made", {(1, 2): 3}, (200, 0)),
]


@pytest.mark.parametrize(("result", "answer"), [row[1:] for row in ANSWERS], ids=[row[0] for row in ANSWERS])
def test_every_form_of_result_tells_status_and_size(result: Any, answer: tuple[int, int]) -> None:
    assert answer_of(result) == answer


def test_a_stream_is_still_whole_after_it_was_looked_at() -> None:
    response = flask.Response(part for part in (b"a", b"b"))
    assert answer_of(response) == (200, 0)
    assert not response.is_sequence
    assert response.get_data() == b"ab"


@pytest.mark.parametrize("debug", [True, False])
def test_within_a_flask_request_json_has_the_size_that_flask_sends(debug: bool) -> None:
    app = flask.Flask(__name__)
    app.debug = debug
    body = {"b": [1, 2], "a": "é"}
    seen = []

    @app.get("/")
    def view() -> Any:
        seen.append(answer_of(body))
        return body

    assert seen == [] and app.test_client().get("/").content_length == seen[0].size  # noqa: PT018 -- one story


EXCEPTIONS: list[tuple[BaseException, int]] = [
    (ValueError("x"), 500),
    (KeyboardInterrupt(), 500),
    (NotFound(), 404),
    (BadRequestKeyError("field"), 400),
    (Conflict(response=flask.Response("mine", 410)), 410),
    (HTTPException(), 500),
    (urllib.error.HTTPError("http://upstream", 404, "not ours", Message(), None), 500),
]


@pytest.mark.parametrize(("error", "status"), EXCEPTIONS, ids=lambda value: type(value).__name__)
def test_an_exception_counts_as_500_unless_it_is_an_http_exception(error: BaseException, status: int) -> None:
    assert status_of_exception(error) == status


def test_an_http_exception_of_starlette_counts_as_its_status(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("starlette.exceptions")

    class StarletteError(Exception):
        status_code = 429

    module.HTTPException = StarletteError  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "starlette.exceptions", module)
    assert status_of_exception(StarletteError()) == 429


@pytest.mark.parametrize("size", [-1, float("nan"), "12", None.__class__, 10**400], ids=lambda _: "")
def test_a_size_that_is_none_is_rejected_and_the_request_still_counts(size: Any) -> None:
    with reading() as got:
        assert answer_of({"status_code": 200, "size": size}) == (200, 0)
    assert got.value("otel_distro_rejected", instrument="http_response_size_bytes") == 1


def test_a_status_that_is_none_counts_as_200_and_is_warned_of_once(caplog: pytest.LogCaptureFixture) -> None:
    for status in ("fine", 99, 1000, -200, 2.5, "20", "099", "٤٠٤", [200]):
        assert answer_of({"status_code": status}).status == 200
    assert len(caplog.records) == 1
    assert "monitor_request cannot take a text of 4 characters as a status code" in caplog.text
    assert "return a whole number from 100 to 999" in caplog.text


@given(
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary()),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.tuples(inner, inner),
            st.dictionaries(st.sampled_from(["status_code", "size", "x"]), inner, max_size=3),
        ),
        max_leaves=6,
    )
)
def test_whatever_is_returned_gives_a_status_of_three_digits_and_a_size(result: Any) -> None:
    answer = answer_of(result)
    assert 100 <= answer.status <= 999
    assert answer.size >= 0

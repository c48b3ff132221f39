"""Any value becomes plain JSON: a table of what becomes what, and nothing that raises or grows without end."""

from __future__ import annotations

import dataclasses
import math
import uuid
from collections import OrderedDict, namedtuple
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, SecretStr, ValidationError

from otel_distro.logs.values import DEPTH_LIMIT, Plainer, cut, sound, type_name
from otel_distro.redaction import REDACTED, Redactor

LIMIT = 1 << 20


def plain(value: object, limit: int = LIMIT) -> Any:
    return Plainer(Redactor(), limit).plain(value)


class Color(Enum):
    RED = "red"


class Size(IntEnum):
    BIG = 3


class Text(str):
    __slots__ = ()

    def __str__(self) -> str:
        raise RuntimeError("no text")


class Number(int):
    def __int__(self) -> int:
        raise RuntimeError("no number")

    def __repr__(self) -> str:
        raise RuntimeError("no repr")


class Real(float):
    __slots__ = ()


class NoRepr:
    def __repr__(self) -> str:
        raise RuntimeError("no repr")


class BrokenError(Exception):
    """An exception of an application."""


class Said:
    def __repr__(self) -> str:
        return "Said(password='x1')"


class Array:
    size = 2

    def tolist(self) -> list[float]:
        return [1.5, math.nan]


class HugeArray:
    size = 10**9

    def tolist(self) -> list[float]:
        raise AssertionError("a billion numbers")

    def __repr__(self) -> str:
        return "array([...])"


class BrokenMapping(Mapping[str, int]):
    def __getitem__(self, key: str) -> int:
        raise RuntimeError(key)

    def __iter__(self) -> Iterator[str]:
        raise RuntimeError("no keys")

    def __len__(self) -> int:
        return 1

    def __repr__(self) -> str:
        return "broken"


@dataclasses.dataclass
class Order:
    id: int
    password: str


Login = namedtuple("Login", "user password")  # noqa: PYI024 -- the untyped kind is what applications have too


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        (7, 7),
        (2**63 - 1, 2**63 - 1),
        (-(2**63), -(2**63)),
        (2**63, str(2**63)),
        (10**100, str(10**100)),
        (10**5000, hex(10**5000)),
        (1 << 10_000_000, "<int of 10000001 bits>"),
        (1.5, 1.5),
        (math.nan, None),
        (math.inf, None),
        (-math.inf, None),
        ("text", "text"),
        ("a\ud800b", "a\\ud800b"),
        (Text("text"), "text"),
        (Number(5), 5),
        (Real(2.5), 2.5),
        (b"bytes", "bytes"),
        (b"\xff\x00", "\\xff\x00"),
        (bytearray(b"x"), "x"),
        (memoryview(b"x"), "x"),
        (Decimal("99.990"), "99.990"),
        (Decimal("NaN"), "NaN"),
        (datetime(2026, 1, 2, 3, 4, 5, 6, timezone.utc), "2026-01-02T03:04:05.000006+00:00"),
        (date(2026, 1, 2), "2026-01-02"),
        (time(3, 4), "03:04:00"),
        (timedelta(minutes=1.5), 90.0),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (Color.RED, "red"),
        (Size.BIG, 3),
        (PurePosixPath("/a/b"), "/a/b"),
        ([1, (2, {3})], [1, [2, [3]]]),
        (frozenset([1]), [1]),
        ({1: "a", None: "b", (1, 2): "c"}, {"1": "a", "None": "b", "(1, 2)": "c"}),
        ({1: "a", "1": "b"}, {"1": "a", "1_": "b"}),
        (OrderedDict(a=1), {"a": 1}),
        (MappingProxyType({"a": 1}), {"a": 1}),
        (Order(1, "x1"), {"id": 1, "password": REDACTED}),
        (Login("bob", "x1"), {"user": "bob", "password": REDACTED}),
        ([(b"Authorization", b"x1")], [["Authorization", REDACTED]]),
        ({"password": None, "token": False, "secret": "x1"}, {"password": None, "token": False, "secret": REDACTED}),
        ([["Cookie", "x1"], ("token", 5)], [["Cookie", REDACTED], ["token", REDACTED]]),
        (("password", "x1"), ["password", REDACTED]),
        ({"missing": ["password", "email"]}, {"missing": ["password", "email"]}),
        ([{"name": "DB_PASSWORD", "value": "x1"}], [{"name": "DB_PASSWORD", "value": REDACTED}]),
        ({"Key": "token", "Value": ["x1"]}, {"Key": "token", "Value": REDACTED}),
        ({"key": "user", "value": "x1"}, {"key": "user", "value": "x1"}),
        (Array(), [1.5, None]),
        (HugeArray(), "array([...])"),
        (NoRepr(), "<NoRepr without text>"),
        (Said(), "Said(password='[redacted]')"),
        (BrokenMapping(), "broken"),
        (range(3), "range(0, 3)"),
        (int, "<class 'int'>"),
        (Order, f"<class '{__name__}.Order'>"),
    ],
    ids=lambda value: type(value).__name__,  # some have no text
)
def test_every_kind_of_value_becomes_plain(value: object, expected: object) -> None:
    made = plain(value)
    assert made == expected
    assert type(made) is type(expected)


def test_a_generator_is_not_consumed() -> None:
    generator = (number for number in (1, 2))
    assert "generator" in plain(generator)
    assert list(generator) == [1, 2]


def test_a_cycle_is_named_where_it_closes() -> None:
    value: dict[str, Any] = {"a": []}
    value["a"].append(value)
    assert plain(value) == {"a": ["[cycle]"]}


def test_a_value_that_stands_twice_is_no_cycle() -> None:
    shared = {"a": 1}
    assert plain([shared, shared]) == [shared, shared]


@pytest.mark.parametrize("deep", [1000, 100_000])
def test_depth_is_bounded(deep: int) -> None:
    value: Any = "bottom"
    for _ in range(deep):
        value = [value]
    made, depth = plain(value), 0
    while isinstance(made, list):
        made, depth = made[0], depth + 1
    assert (made, depth) == ("[too deep]", DEPTH_LIMIT)


def count(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + sum(map(count, value.values()))
    return 1 + sum(map(count, value)) if isinstance(value, list) else 1


def test_what_multiplies_itself_is_bounded() -> None:
    value: Any = ["x"] * 10
    for _ in range(15):
        value = [value] * 10
    assert count(plain(value, 4096)) < 4096


def test_long_values_are_bounded() -> None:
    assert count(plain(list(range(100_000)), 4096)) <= 2050
    assert count(plain({n: n for n in range(100_000)}, 4096)) <= 2050
    assert plain("x" * 5000, 4096) == "x" * 4096 + "...[904 characters cut]"
    assert len(plain(b"x" * 5000, 4096)) < 4150
    assert len(next(iter(plain({"k" * 5000: 1})))) < 300


def test_a_cut_says_how_much_is_missing() -> None:
    assert cut("abcdef", 4) == "abcd...[2 characters cut]"
    assert cut("abcd", 4) == "abcd"


@given(st.text(alphabet=st.characters()))
def test_sound_text_has_utf_8_and_the_rest_stays(text: str) -> None:
    made = sound(text)
    made.encode()
    if made != text:
        with pytest.raises(UnicodeEncodeError):
            text.encode()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(alphabet="abc é\n\u2028"),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.text(alphabet="xyz é", min_size=1, max_size=5), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@given(JSON)
def test_plain_json_stays_as_it_is(value: Any) -> None:
    assert plain(value) == value


def test_an_empty_name_becomes_one_that_every_way_out_takes() -> None:
    assert plain({"": 1, "_": {"": 2}}) == {"_": 1, "__": {"_": 2}}


def test_names_of_bytes_are_their_text_so_headers_are_masked() -> None:
    headers = {b"Cookie": b"a=b", b"x-api-key": b"k", b"host": b"x", "host": 1, b"\xff": 2, b"n" * 1_000: 3}
    made = Plainer(Redactor(), 10_000).plain(headers)
    assert list(made)[:5] == ["Cookie", "x-api-key", "host", "host_", "\\xff"]
    assert len(list(made)[5]) < 300
    assert list(made.values()) == [REDACTED, REDACTED, "x", 1, 2, 3]


def test_the_word_behind_a_secret_option_of_a_command_is_masked() -> None:
    command = ["psql", "--password", "hunter2", "--token", "--host", "db", "--secret", 5, "--pass"]
    assert plain(command) == [*command[:2], REDACTED, *command[3:]]


def test_a_pair_of_name_and_password_is_masked_and_a_list_of_ways_stays() -> None:
    plainer = Plainer(Redactor(), 10_000)
    assert plainer.plain({"http_auth": ("bob", "x1"), "auth": ["basic", "jwt"]}) == {
        "http_auth": REDACTED,
        "auth": ["basic", "jwt"],
    }
    assert plainer.field("auth", ("bob", "x1")) == REDACTED
    assert plainer.field("auth", ("a", 5)) == ["a", 5]
    assert Plainer(None, 10_000).field("auth", ("bob", "x1")) == ["bob", "x1"]


def test_a_secret_that_is_a_key_is_masked() -> None:
    keys = {"redis://:x1@cache": 1, "token=x1": 2, "ghp_16C7e42F292c6912E7710c838347Ae178B4a": 3, "user_id": 4}
    assert list(Plainer(Redactor(), 10_000).plain(keys)) == [
        "redis://:[redacted]@cache",
        "token=[redacted]",
        "ghp_[redacted]",
        "user_id",
    ]
    assert list(Plainer(None, 10_000).plain(keys)) == list(keys)


def test_what_pydantic_did_not_take_of_a_secret_field_is_masked() -> None:
    class Login(BaseModel):
        password: SecretStr = Field(max_length=3)
        tokens: dict[str, int]
        name: int

    with pytest.raises(ValidationError) as caught:
        Login.model_validate({"password": "hunter2", "tokens": {"token": "hunter2"}, "name": "bob"})
    errors = caught.value.errors()
    for made in map(plain, (errors, str(errors), str(caught.value), caught.value.json())):
        assert "hunter2" not in str(made)
        assert "bob" in str(made)


def test_type_names_are_those_of_tracebacks() -> None:
    assert type_name(ValueError) == "ValueError"
    assert type_name(BrokenError) == f"{__name__}.BrokenError"

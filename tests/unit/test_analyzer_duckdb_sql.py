"""What may be looked for in the text of a line before the line is parsed."""

from __future__ import annotations

import json
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_distro.analyzer import duckdb_sql
from otel_distro.analyzer.duckdb_sql import stands_as_it_is
from otel_distro.logs.json import encoded


@given(st.text(max_size=10) | st.from_regex(r"[\w@.:-]{1,8}", fullmatch=True), st.booleans())
def test_a_text_that_stands_as_it_is_is_in_every_line_that_has_it_or_the_line_has_an_escape(
    text: str, ascii_only: bool
) -> None:
    line = json.dumps({"user_id": text}, ensure_ascii=ascii_only)
    assert not stands_as_it_is(text) or text in line or "\\u" in line


@given(st.integers() | st.booleans())
def test_so_is_a_whole_number_or_a_truth_value(value: int) -> None:
    text = json.dumps(value)
    assert not stands_as_it_is(text) or text in json.dumps({"user_id": value})


@pytest.mark.parametrize("text", ["ERROR", "u42", "42", "user@example.org", "550e8400-e29b", "用户", "a.b:c", "0a1e"])
def test_the_usual_ids_stand_as_they_are(text: str) -> None:
    assert stands_as_it_is(text)


@pytest.mark.parametrize("text", ["", "a/b", '"', "\\", "a b", "a\n", "1.0", "1e2", "100.0", "-1e5", "[1]", '{"a":1}'])
def test_what_json_may_write_in_another_way_does_not(text: str) -> None:
    assert not stands_as_it_is(text)


@pytest.mark.parametrize(("extra", "begin"), [({"n": 1}, b'{ "'), ({"order": {"id": 1}}, b'{"')])
def test_the_time_of_a_line_of_the_package_is_read_where_it_stands(extra: dict[str, Any], begin: bytes) -> None:
    line, _ = encoded({"timestamp": "2026-11-24T09:00:00.000001Z", "level": "INFO", "message": "x", **extra}, 4096)
    assert line.startswith(begin)
    there = duckdb_sql._LINE_TIME.replace(duckdb_sql._ANY_TIME, "NULL")  # without the way of all other lines
    question = f"SELECT {there} FROM (SELECT ?::JSON AS json)"  # noqa: S608 -- the expression is the package's own
    assert duckdb.execute(question, [line.decode()]).fetchone() == (1_795_510_800_000_001,)

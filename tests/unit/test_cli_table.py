"""Tables that fit the terminal."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_distro.cli.plain_text import width
from otel_distro.cli.table import Column, print_json, print_table, table_lines

COLUMNS = (Column("time", "timestamp", 12), Column("count", "n", 7, right=True), Column("message", "message"))


def _lines(monkeypatch: pytest.MonkeyPatch, terminal: int, *rows: dict[str, Any]) -> list[str]:
    monkeypatch.setenv("COLUMNS", str(terminal))
    return list(table_lines(COLUMNS, rows))


def test_a_table_has_a_head_and_a_line_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    rows: list[dict[str, Any]] = [{"timestamp": "10:00", "n": 12345, "message": "all\nwell"}, {"n": 7}]
    assert _lines(monkeypatch, 60, *rows) == [
        "time            count  message",
        "10:00          12,345  all well",
        "                    7",
    ]


def test_a_number_that_was_logged_as_a_message_is_neither_a_rate_nor_an_amount(monkeypatch: pytest.MonkeyPatch) -> None:
    rows: list[dict[str, Any]] = [{"message": 0.125}, {"message": 12345}]
    assert [line.split() for line in _lines(monkeypatch, 60, *rows)[1:]] == [["0.125"], ["12345"]]


def test_a_table_without_a_row_has_no_head(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _lines(monkeypatch, 60) == []


def test_a_narrow_terminal_takes_from_the_widest_columns_first(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = _lines(monkeypatch, 45, {"timestamp": "2025-03-02T00:20", "n": 1, "message": "m" * 99})
    assert lines[1] == "2025-…" + "  " + "     1" + "  " + "m" * 28 + "…"
    assert width(lines[1]) == 45


@pytest.mark.parametrize(
    ("terminal", "head", "row"),
    [
        (33, "hour                total    rate", "2025-03-02T00:20Z      12  25.00%"),
        (28, "hour           total    rate", "2025-03-02T…      12  25.00%"),
    ],
)
def test_numbers_alone_lose_only_the_room_before_them(
    monkeypatch: pytest.MonkeyPatch, terminal: int, head: str, row: str
) -> None:
    monkeypatch.setenv("COLUMNS", str(terminal))
    columns = (Column("hour", "h", 17), Column("total", "t", 12, right=True), Column("rate", "r", 8, right=True))
    assert list(table_lines(columns, [{"h": "2025-03-02T00:20Z", "t": 12, "r": 0.25}])) == [head, row]


def test_rows_are_written_as_they_come(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = []

    def rows() -> Any:
        for number in range(3):
            taken.append(number)
            yield {"n": number}

    lines = table_lines(COLUMNS, rows())
    next(lines)
    assert taken == [0]


_VALUES = (
    st.none() | st.integers() | st.floats() | st.text() | st.lists(st.text(max_size=3), max_size=3) | st.booleans()
)


@given(
    st.lists(st.fixed_dictionaries({}, optional=dict.fromkeys(("timestamp", "n", "message"), _VALUES)), max_size=5),
    st.integers(1, 200),
)
def test_no_line_is_wider_than_the_terminal_whatever_was_logged(rows: list[dict[str, Any]], terminal: int) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        lines = _lines(monkeypatch, terminal, *rows)
    assert len(lines) == (len(rows) + 1 if rows else 0)
    assert all(width(line) <= terminal and "\n" not in line and "\x1b" not in line for line in lines)


def test_a_rate_is_shown_in_per_cent_and_printing_counts_the_rows(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    assert print_table((Column("rate", "rate", 8, right=True),), [{"rate": 0.125}, {"rate": 0.0}]) == 2
    assert capsys.readouterr().out.split() == ["rate", "12.50%", "0.00%"]


def test_json_of_a_text_that_no_utf8_holds_is_json_all_the_same(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    document = {"a": "half \udc80", "escape": "\x1b[2J"}
    print_json([document])
    sys.stdout.flush()
    assert json.loads(capfdbinary.readouterr().out) == document


def test_json_is_one_document_a_line_in_utf8(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert print_json([{"a": "用\n\x1b\x9b", "n": 10**30}, {}]) == 2
    assert print_json([]) == 0
    import sys

    sys.stdout.flush()
    expected = '{"a":"用\\n\\u001b\\u009b","n":1000000000000000000000000000000}\n{}\n'
    assert capfdbinary.readouterr().out == expected.encode()

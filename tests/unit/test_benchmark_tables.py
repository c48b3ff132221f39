"""What the report reads from the tables of the benchmarks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.benchmarks.tables import numbers_of, tables

_CELLS = st.text(st.characters(blacklist_categories=("C", "Z"), blacklist_characters="|-:"), min_size=1)


@given(st.integers(1, 5).flatmap(lambda width: st.lists(st.lists(_CELLS, min_size=width, max_size=width), min_size=1)))
def test_a_table_is_read_as_it_was_written(rows: list[list[str]]) -> None:
    lines = ["| " + " | ".join(cells) + " |" for cells in rows]
    lines.insert(1, "|" + " --- |" * len(rows[0]))
    (found,) = tables("\n".join(["before", *lines, "after"]))
    assert [found.heading, *found.rows] == rows


def test_a_row_that_says_in_bold_why_it_is_missing_is_no_figure() -> None:
    (found,) = tables("| variant | x | |\n| --- | --- | --- |\n| a | 1.5 | |\n| b | | **no wheel** |\n")
    assert [row[0] for row in found.found()] == ["a"]
    assert [row[0] for row in found.missing()] == ["b"]
    assert found.number(found.rows[1], "x") is None
    assert found.number(found.rows[0], "nowhere") is None


@pytest.mark.parametrize(
    ("cell", "numbers"),
    [
        ("1.02 (0.98-1.05)", [1.02, 0.98, 1.05]),
        ("-0.03 to 0.01", [-0.03, 0.01]),
        ("100,000", [100_000]),
        ("1,001 = traces, metrics received", [1001]),
        ("986/991 (0.96)", [986, 991, 0.96]),
        ("none", []),
    ],
)
def test_the_numbers_of_a_cell_keep_their_signs_and_lose_their_commas(cell: str, numbers: list[float]) -> None:
    assert numbers_of(cell) == numbers

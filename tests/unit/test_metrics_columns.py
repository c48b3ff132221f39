"""Counters in columns: the exact sum of each row, whoever has it how often."""

from __future__ import annotations

import math
from array import array

from hypothesis import given
from hypothesis import strategies as st

from otel_distro.metrics.columns import Columns, sums
from otel_distro.metrics.shared import Cells

_ROWS = 6
_files = st.lists(st.lists(st.tuples(st.integers(0, _ROWS - 1), st.floats(0, 1e12)), max_size=12), max_size=5)


def _file(cells: list[tuple[int, float]]) -> tuple[Columns, Cells]:
    columns = Columns()
    for place, (row, _) in enumerate(cells):
        columns.add(row, place)
    return columns, memoryview(array("d", [value for _, value in cells]))


@given(_files)
def test_each_row_has_the_exact_sum_of_its_cells_and_none_where_nobody_has_it(
    files: list[list[tuple[int, float]]],
) -> None:
    expected = [[value for cells in files for at, value in cells if at == row] for row in range(_ROWS)]
    found = sums([_file(cells) for cells in files], _ROWS)
    assert found == [math.fsum(values) if values else None for values in expected]


def test_rows_that_came_later_are_read_beside_the_known_ones() -> None:
    columns, words = _file([(0, 1.0), (1, 2.0)])
    assert sums([(columns, words)], 2) == [1.0, 2.0]
    columns.add(2, 1)
    assert sums([(columns, words)], 4) == [1.0, 2.0, 2.0, None]


def test_sums_beyond_every_double_are_infinite() -> None:
    assert sums([_file([(0, 1e308), (0, 1e308)])], 1) == [math.inf]
    assert sums([_file([(0, math.inf), (0, 1.0)])], 1) == [math.inf]


def test_nothing_has_no_sums() -> None:
    assert sums([], 0) == []
    assert sums([], 2) == [None, None]
    assert sums([(Columns(), memoryview(array("d")))], 1) == [None]

"""Counters of many processes added up in columns: one column a process, one row a series.

Counters are most of a page, and each page adds them up for every process; in columns that is done without a step of
the interpreter for each cell.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from operator import itemgetter
from typing import Any

from otel_distro.metrics.folding import exact_sum
from otel_distro.metrics.shared import Cells


class _Column:
    """Where the cells of some rows are in one file; a row stands in a column once at most."""

    def __init__(self) -> None:
        self.places: dict[int, int] = {}
        self._rows: list[int] = []
        self._get: Any = None

    def values(self, words: Cells, rows: int) -> Sequence[float]:
        if len(self._rows) != len(self.places):
            self._rows = sorted(self.places)
            self._get = itemgetter(*[self.places[row] for row in self._rows])
        found: Sequence[float] = self._get(words) if len(self._rows) > 1 else (self._get(words),)
        if len(found) == rows:
            return found
        values = [0.0] * rows
        for row, value in zip(self._rows, found, strict=True):
            values[row] = value
        return values


class Columns:
    """The counters of one process's file: a column, and one more for each time that a series is there again."""

    def __init__(self) -> None:
        self._columns: list[_Column] = []

    def add(self, row: int, place: int) -> None:
        """Have the cell at a place belong to a row."""
        for column in self._columns:
            if row not in column.places:
                column.places[row] = place
                return
        self._columns.append(_Column())
        self._columns[-1].places[row] = place

    def present(self) -> set[int]:
        """Return the rows that the file has."""
        return set(self._columns[0].places) if self._columns else set()

    def values(self, words: Cells, rows: int) -> list[Sequence[float]]:
        """Return the values of all rows, zero where there is none, once for each column."""
        return [column.values(words, rows) for column in self._columns]


def sums(files: list[tuple[Columns, Cells]], rows: int) -> list[float | None]:
    """Return the exact sum of each row over all files, rounded once; None where no file has it."""
    present: set[int] = set()
    for columns, _ in files:
        if len(present) < rows:
            present |= columns.present()
    values = [column for columns, words in files for column in columns.values(words, rows)]
    try:
        found: list[float | None] = list(map(math.fsum, zip(*values, strict=True)))
    except (ValueError, OverflowError):
        found = [exact_sum(list(row)) for row in zip(*values, strict=True)]
    if len(present) == rows:
        return found
    return [found[row] if row in present else None for row in range(rows)]

"""The Markdown tables that every benchmark prints, read again."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

_NUMBER: Final = re.compile(r"(?<![\d.])-?\d[\d,]*(?:\.\d+)?")  # the dash of 0.9-1.1 is no sign


@dataclass
class Table:
    """A heading and its rows; a row that says in bold why it is missing has no numbers."""

    heading: list[str]
    rows: list[list[str]] = field(default_factory=list)

    def cell(self, row: list[str], column: str) -> str:
        """Return the cell of a row; empty where the table has no such column."""
        return row[self.heading.index(column)] if column in self.heading else ""

    def number(self, row: list[str], column: str) -> float | None:
        """Return the first number of a cell, None where there is none."""
        numbers = numbers_of(self.cell(row, column))
        return numbers[0] if numbers else None

    def missing(self) -> Iterator[list[str]]:
        """Return the rows that say why they are missing."""
        return (row for row in self.rows if any(cell.startswith("**") for cell in row))

    def found(self) -> Iterator[list[str]]:
        """Return the other rows."""
        missing = list(self.missing())
        return (row for row in self.rows if row not in missing)


def numbers_of(cell: str) -> list[float]:
    """Return the numbers of a cell."""
    return [float(number.replace(",", "")) for number in _NUMBER.findall(cell)]


def tables(text: str) -> list[Table]:
    """Return the tables of a text in Markdown."""
    found: list[Table] = []
    inside = False
    for line in text.splitlines():
        if not line.startswith("|"):
            inside = False
            continue
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not inside:
            found.append(Table(cells))
        elif not set("".join(cells)) <= set("-: "):
            found[-1].rows.append(cells)
        inside = True
    return found

"""Tables for people that fit the terminal, written row by row, and JSON for programs."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from otel_distro.cli.plain_text import fitted, plain, safe_json

_GAP: Final = "  "
_LAST_LEAST: Final = 30  # the last column is the message: the others give way to it on a narrow terminal,
_OTHERS_LEAST: Final = 6  # down to this
_NO_TERMINAL: Final = (120, 24)


@dataclass(frozen=True)
class Column:
    """A column of a table: its title, the key of the row it shows, and its columns on the terminal.

    `width` 0 is the rest of the line; only the last column may have it. `right` is for numbers.
    """

    title: str
    key: str
    width: int = 0
    right: bool = False


def table_lines(columns: tuple[Column, ...], rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the head, then a line for each row as it comes; nothing at all where there is no row.

    A line is never longer than the terminal is wide (`COLUMNS` says how wide where there is none); what is longer is
    cut with `…`. Control characters and escape sequences in the rows are taken out.
    """
    terminal = shutil.get_terminal_size(_NO_TERMINAL).columns
    fitting = _fitting(columns, terminal)
    head = False
    for row in rows:
        if not head:
            yield _line(fitting, {column.key: column.title for column in columns}, terminal)
            head = True
        yield _line(fitting, row, terminal)


def print_table(columns: tuple[Column, ...], rows: Iterable[Mapping[str, Any]]) -> int:
    """Print a table and return how many rows it had."""
    lines = -1
    for lines, line in enumerate(table_lines(columns, rows)):  # noqa: B007 -- the head is line 0
        print(line)
    return max(lines, 0)


def print_json(documents: Iterable[Any]) -> int:
    """Print each document as one line of JSON in UTF-8, whatever the terminal, and return how many there were."""
    number = 0
    for number, document in enumerate(documents, start=1):  # noqa: B007 -- the count is the answer
        text = safe_json(json.dumps(document, ensure_ascii=False, separators=(",", ":"), default=str))
        sys.stdout.buffer.write(text.encode("utf-8", "backslashreplace") + b"\n")
    return number


def _fitting(columns: tuple[Column, ...], terminal: int) -> list[Column]:
    if columns[-1].width:
        return _narrowed(columns, terminal)
    widths = [column.width for column in columns[:-1]]
    room = terminal - len(_GAP) * len(widths)
    while room - sum(widths) < _LAST_LEAST and max(widths) > _OTHERS_LEAST:
        widths[widths.index(max(widths))] -= 1
    widths.append(max(room - sum(widths), 1))
    return [replace(column, width=wide) for column, wide in zip(columns, widths, strict=True)]


def _narrowed(columns: tuple[Column, ...], terminal: int) -> list[Column]:
    """Take what a narrow terminal lacks from the free room before numbers first: they are rarely that long."""
    missing = sum(column.width for column in columns) + len(_GAP) * (len(columns) - 1) - terminal
    widths = {column.key: column.width for column in columns}
    for column in sorted(columns, key=lambda column: not column.right):
        taken = min(max(missing, 0), column.width - min(column.width, _OTHERS_LEAST))
        widths[column.key] -= taken
        missing -= taken
    return [replace(column, width=widths[column.key]) for column in columns]


def _line(columns: list[Column], row: Mapping[str, Any], terminal: int) -> str:
    line = _GAP.join(_cell(row.get(column.key), column) for column in columns)
    return fitted(line, terminal).rstrip()


def _cell(value: Any, column: Column) -> str:
    if isinstance(value, float) and column.right:
        text = f"{value:.2%}"
    elif isinstance(value, int) and column.right:
        text = f"{value:,}"
    else:
        # What follows so much more than is shown cannot be seen: a message may have megabytes.
        text = "" if value is None else plain(str(value)[: 1000 + 20 * column.width])
    return text.rjust(column.width) if column.right else fitted(text, column.width)

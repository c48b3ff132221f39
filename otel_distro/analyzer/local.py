"""The log store on one machine: DuckDB reads the JSON lines of log files where they lie."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from otel_distro.analyzer.duckdb_session import answered
from otel_distro.analyzer.duckdb_sql import (
    EPOCH,
    MICROSECOND,
    ORDERED,
    groups_question,
    hours_question,
    search_question,
    size_question,
)
from otel_distro.analyzer.files import find_files
from otel_distro.analyzer.model import HOUR, Count, Document, ErrorGroup, Query, Window, iso

_ALL: Final = 2**62
_BATCH: Final = 100  # documents; a line may have megabytes


class LocalStore:
    """Log documents in the files of a path or glob; see `find_files` for the files it stands for.

    The files are listed anew for every question and never changed. A line counts as skipped if it is not one JSON
    object in UTF-8, has no ISO 8601 `timestamp` (one without a zone is UTC), or is longer than 16 MiB; so does the half
    line at the end of a file that is being written. A gzipped file that is cut short or none is a `StoreError`; its
    checksum is not looked at, because DuckDB does not. Questions may be put from several threads and after a fork.
    Memory: about 512 MB at most, whatever the size of the files.
    """

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._skipped = 0

    @property
    def skipped(self) -> int:
        """Lines that the last question could not use."""
        return self._skipped

    def search(self, query: Query) -> Iterator[Document]:
        """Yield the documents that match; see `LogStore.search`."""
        with answered(self._pattern, *search_question(query)) as connection:
            self._skipped = _number(connection, "SELECT count(*) FROM answer WHERE us IS NULL")
            connection.execute(ORDERED[query.newest_first], [_ALL if query.limit is None else query.limit])
            while rows := connection.fetchmany(_BATCH):
                for (text,) in rows:
                    document = _parsed(text)
                    if document is None:
                        self._skipped += 1
                    else:
                        yield document

    def count_by_hour(self, window: Window) -> Mapping[datetime, Count]:
        """Return counts by the hour; see `LogStore.count_by_hour`."""
        first = next(window.hours(), window.start)
        with answered(self._pattern, *hours_question(window, first)) as connection:
            rows = connection.execute("SELECT slot, total, errors FROM answer").fetchall()
        self._skipped = sum(total for slot, total, _ in rows if slot is None)
        return {first + slot * HOUR: Count(total, errors) for slot, total, errors in rows if slot is not None}

    def top_errors(self, window: Window, limit: int) -> list[ErrorGroup]:
        """Return the largest groups of errors; see `LogStore.top_errors`."""
        with answered(self._pattern, *groups_question(window)) as connection:
            self._skipped = _number(connection, "SELECT coalesce(sum(count), 0) FROM answer WHERE broken")
            rows = connection.execute(
                "SELECT error_type, logger, module, function, line, count, first, last, latest.message, latest.log_id"
                " FROM answer WHERE NOT broken"
                " ORDER BY count DESC, last DESC, error_type, logger, module, function, line LIMIT ?",
                [limit],
            ).fetchall()
        return [_error_group(row) for row in rows]

    def extent(self) -> str:
        """Return how many lines of how many files there are."""
        with answered(self._pattern, *size_question()) as connection:
            lines = _number(connection, "SELECT n FROM answer")
        files = len(find_files(self._pattern))
        return f"{lines:,} line{'s' * (lines != 1)} of {files} file{'s' * (files != 1)}"

    def close(self) -> None:
        """Do nothing: no file or connection is held between questions."""


def _number(connection: Any, statement: str) -> int:
    return int(connection.execute(statement).fetchone()[0])


def _error_group(row: tuple[Any, ...]) -> ErrorGroup:
    error_type, logger, module, function, line, count, first, last, message, log_id = row
    return ErrorGroup(
        error_type=error_type,
        logger=logger,
        module=module,
        function=function,
        line=line,
        count=count,
        first_seen=iso(EPOCH + first * MICROSECOND),
        last_seen=iso(EPOCH + last * MICROSECOND),
        message=message,
        log_id=log_id,
    )


def _parsed(text: str) -> Document | None:
    """Return the document, or None where Python cannot hold what DuckDB could read (nested thousands deep).

    The standard library's parser keeps whole numbers of any length exact; `NaN` becomes None and a number too large for
    a float stays text, so that the document can be written as JSON again.
    """
    try:
        return json.loads(text, parse_constant=lambda _: None, parse_float=_finite)  # type: ignore[no-any-return]
    except (ValueError, RecursionError):
        return None


def _finite(text: str) -> float | str:
    number = float(text)
    return number if math.isfinite(number) else text

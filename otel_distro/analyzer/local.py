"""The log store on one machine: DuckDB reads the JSON lines of log files where they lie."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import datetime
from typing import Any, Final

from otel_distro.analyzer.document_text import parsed
from otel_distro.analyzer.duckdb_session import answered
from otel_distro.analyzer.duckdb_sql import (
    EPOCH,
    LARGEST,
    MICROSECOND,
    ORDERED,
    groups_question,
    hours_question,
    search_question,
    size_question,
)
from otel_distro.analyzer.files import find_files
from otel_distro.analyzer.follow import PAUSE, holds
from otel_distro.analyzer.follow_files import FollowedFiles
from otel_distro.analyzer.model import HOUR, Count, Document, ErrorGroup, Query, Where, Window, iso

_ALL: Final = 2**62
_BATCH: Final = 100  # documents; a line may have megabytes


class LocalStore:
    """Log documents in the files of a path or glob; see `find_files` for the files it stands for.

    The files are listed anew for every question and never changed. A line counts as skipped if it is not one JSON
    object in UTF-8, has no ISO 8601 `timestamp` of 1970 to 2262 (one without a zone is UTC), or is longer than 16 MiB;
    so does the half line at the end of a file that is being written. A gzipped file that is cut short or none is a
    `StoreError`; its checksum is not looked at, because DuckDB does not. Questions may be put from several threads and
    after a fork.
    Memory: about 200 MB for ordinary logs of any size; documents that an answer has are held up to 512 MB, and beyond
    that on disk. Lines of megabytes are put aside on disk and cost more, and in groups of errors a message of such
    files has its first 1,000 characters.
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
        limit = _ALL if query.limit is None else query.limit

        def ordered(connection: Any) -> tuple[int, Any]:
            skipped = _number(connection, "SELECT count(*) FROM answer WHERE us IS NULL")
            return skipped, connection.execute(ORDERED[query.newest_first], [limit])

        with answered(self._pattern, search_question(query), ordered) as answer:
            self._skipped, rows = answer.value
            while batch := rows.fetchmany(_BATCH):
                for (text,) in batch:
                    document = answer.document(text)
                    if document is None:
                        self._skipped += 1
                    else:
                        yield document

    def follow(self, where: Where, last: int) -> Iterator[Document | None]:
        """Yield the last documents and each new one; see `LogStore.follow`. A line counts once it is whole."""
        with closing(FollowedFiles(self._pattern)) as files:
            # Lines that come between the two looks are in both.
            latest = list(self.search(Query(where, limit=last))) if last else []
            yield from reversed(latest)
            shown = {_known_by(document) for document in latest}
            while True:
                for line in files.lines():
                    document = parsed(line.decode("utf-8", "replace"))
                    if document is None or not isinstance(document.get("timestamp"), str):
                        self._skipped += 1
                    elif holds(document, where) and _known_by(document) not in shown:
                        yield document
                yield None
                time.sleep(PAUSE)

    def count_by_hour(self, window: Window) -> Mapping[datetime, Count]:
        """Return counts by the hour; see `LogStore.count_by_hour`."""
        first = next(window.hours(), window.start)
        counts = "SELECT slot, total, errors FROM answer"
        with answered(self._pattern, hours_question(window, first), lambda c: c.execute(counts).fetchall()) as answer:
            rows = answer.value
        self._skipped = sum(total for slot, total, _ in rows if slot is None)
        return {first + slot * HOUR: Count(total, errors) for slot, total, errors in rows if slot is not None}

    def top_errors(self, window: Window, limit: int) -> list[ErrorGroup]:
        """Return the largest groups of errors; see `LogStore.top_errors`."""

        def largest(connection: Any) -> tuple[int, list[tuple[Any, ...]]]:
            skipped = _number(connection, "SELECT coalesce(sum(count), 0) FROM answer WHERE broken")
            return skipped, connection.execute(LARGEST, [limit]).fetchall()

        with answered(self._pattern, groups_question(window), largest) as answer:
            self._skipped, rows = answer.value
        return [_error_group(row) for row in rows]

    def extent(self) -> str:
        """Return how many lines of how many files there are."""
        with answered(self._pattern, size_question(), lambda c: _number(c, "SELECT n FROM answer")) as answer:
            lines = answer.value
        files = len(find_files(self._pattern))
        return f"{lines:,} line{'s' * (lines != 1)} of {files} file{'s' * (files != 1)}"

    def close(self) -> None:
        """Do nothing: no file or connection is held between questions."""


def _known_by(document: Document) -> str:
    """Return what tells a document from all others: lines that this package has not written have no `log_id`."""
    log_id = document.get("log_id")
    return log_id if isinstance(log_id, str) else json.dumps(document)


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

"""The log store on one machine: DuckDB reads the JSON lines of log files where they lie."""

# ruff: noqa: S608 -- only field names of `KEYWORDS` and whole numbers stand in the text; every other value is a parameter

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any, Final

from otel_distro.analyzer.duckdb_session import LINE_LIMIT, answered
from otel_distro.analyzer.files import find_files
from otel_distro.analyzer.model import ERROR_LEVELS, HOUR, Count, Document, ErrorGroup, Query, Window, iso

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MICROSECOND: Final = timedelta(microseconds=1)
_BATCH: Final = 100  # documents; a line may have megabytes

_READ: Final = f"ignore_errors = true, hive_partitioning = false, maximum_object_size = {LINE_LIMIT}"
# A line that is no JSON comes as NULL and one without a timestamp has none, so `us IS NULL` are the lines to be counted
# as skipped. The second form (comma before the fraction, small z) is tried only where the first gives nothing.
_MICROSECONDS: Final = (
    "coalesce(epoch_us(try_cast(timestamp AS TIMESTAMPTZ)),"
    " epoch_us(try_cast(replace(upper(timestamp), ',', '.') AS TIMESTAMPTZ)))"
)
_ERRORS: Final = "level IN (" + ", ".join(f"'{level}'" for level in ERROR_LEVELS) + ")"
_IN_WINDOW: Final = "us >= ? AND us < ?"


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
        with answered(self._pattern, *_search_statement(query)) as connection:
            self._skipped = _number(connection, "SELECT count(*) FROM answer WHERE us IS NULL")
            order = "us DESC, {} DESC NULLS LAST" if query.newest_first else "us, {} NULLS FIRST"
            order = order.format("json->>'$.log_id'")
            limit = "" if query.limit is None else f" LIMIT {query.limit:d}"
            connection.execute(f"SELECT json FROM answer WHERE us IS NOT NULL ORDER BY {order}, hash(json){limit}")
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
        statement = (
            f"SELECT CASE WHEN us IS NOT NULL THEN (us - {_micros(first)}) // {HOUR // _MICROSECOND} END AS slot,"
            f" count(*) AS total, count(*) FILTER (WHERE {_ERRORS}) AS errors"
            f" FROM ({_columns('level')}) WHERE us IS NULL OR ({_IN_WINDOW}) GROUP BY slot"
        )
        with answered(self._pattern, statement, _bounds(window)) as connection:
            rows = connection.execute("SELECT slot, total, errors FROM answer").fetchall()
        self._skipped = sum(total for slot, total, _ in rows if slot is None)
        return {first + slot * HOUR: Count(total, errors) for slot, total, errors in rows if slot is not None}

    def top_errors(self, window: Window, limit: int) -> list[ErrorGroup]:
        """Return the largest groups of errors; see `LogStore.top_errors`."""
        place = "error_type, logger, module, function, line"
        source = _columns("level", "error_type", "logger", "module", "function", "line", "message", "log_id")
        statement = (
            f"SELECT us IS NULL AS broken, {place.replace('line', 'try_cast(line AS BIGINT) AS line')},"
            " count(*) AS count, min(us) AS first, max(us) AS last,"
            " max(struct_pack(us := us, log_id := log_id, message := message)) AS latest"
            f" FROM ({source}) WHERE us IS NULL OR ({_IN_WINDOW} AND {_ERRORS}) GROUP BY ALL"
        )
        with answered(self._pattern, statement, _bounds(window)) as connection:
            self._skipped = _number(connection, "SELECT coalesce(sum(count), 0) FROM answer WHERE broken")
            rows = connection.execute(
                f"SELECT {place}, count, first, last, latest.message, latest.log_id FROM answer WHERE NOT broken"
                f" ORDER BY count DESC, last DESC, {place} LIMIT {limit:d}"
            ).fetchall()
        return [_error_group(row) for row in rows]

    def extent(self) -> str:
        """Return how many lines of how many files there are."""
        statement = f"SELECT count(*) AS n FROM read_ndjson_objects(?, {_READ})"
        with answered(self._pattern, statement, []) as connection:
            lines = _number(connection, "SELECT n FROM answer")
        files = len(find_files(self._pattern))
        return f"{lines:,} line{'s' * (lines != 1)} of {files} file{'s' * (files != 1)}"

    def close(self) -> None:
        """Do nothing: no file or connection is held between questions."""


def _search_statement(query: Query) -> tuple[str, list[Any]]:
    fields = "".join(f", json->>'$.{field}' AS {field}" for field, _ in query.where)
    conditions = [f"{field} IN ({', '.join('?' * len(texts))})" for field, texts in query.where]
    parameters: list[Any] = [text for _, texts in query.where for text in texts]
    if query.window is not None:
        conditions.append(_IN_WINDOW)
        parameters += _bounds(query.window)
    lines = f"SELECT json, json->>'$.timestamp' AS timestamp{fields} FROM read_ndjson_objects(?, {_READ})"
    statement = (
        "SELECT us, CASE WHEN us IS NOT NULL THEN json END AS json"
        f" FROM (SELECT *, {_MICROSECONDS} AS us FROM ({lines}))"
        f" WHERE us IS NULL OR ({' AND '.join(conditions) or 'true'})"
    )
    return statement, parameters


def _columns(*names: str) -> str:
    """Return the text that reads only these fields and the time, twice as fast as reading whole documents."""
    declared = ", ".join(f"{name}: 'VARCHAR'" for name in ("timestamp", *names))
    read = f"read_json(?, format = 'newline_delimited', columns = {{{declared}}}, {_READ})"
    return f"SELECT *, {_MICROSECONDS} AS us FROM {read}"


def _micros(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND


def _bounds(window: Window) -> list[Any]:
    return [_micros(window.start), _micros(window.end)]


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
        first_seen=iso(_EPOCH + first * _MICROSECOND),
        last_seen=iso(_EPOCH + last * _MICROSECOND),
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

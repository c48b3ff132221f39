"""The questions to log files in DuckDB's SQL, each with its parameters; the first is the list of files.

Every question keeps the lines that cannot be used, as rows whose time is NULL, so that one reading also counts them.
"""

# ruff: noqa: S608 -- only names of fields and whole numbers stand in the text; every other value is a parameter

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import Any, Final

from otel_distro.analyzer.model import ERROR_LEVELS, HOUR, Query, Window

EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)
MICROSECOND: Final = timedelta(microseconds=1)
LINE_LIMIT: Final = 16 << 20  # bytes; DuckDB keeps two such buffers a thread, so more would not fit the memory limit

Question = tuple[str, list[Any]]

_READ: Final = f"ignore_errors = true, hive_partitioning = false, maximum_object_size = {LINE_LIMIT}"
_IN_WINDOW: Final = "us >= ? AND us < ?"
_PLAIN: Final = re.compile(r"[\w@.:-]+")
_WITH_FRACTION: Final = re.compile(r"-?\d*\.?\d*(?:[eE][+-]?\d+)?")


# The second form (comma before the fraction, small z) is tried only where the first gives nothing.
_ANY_TIME: Final = (
    "coalesce(epoch_us(try_cast((json->>'$.timestamp') AS TIMESTAMPTZ)),"
    " epoch_us(try_cast(replace(upper(json->>'$.timestamp'), ',', '.') AS TIMESTAMPTZ)))"
)
# A line that begins as this package writes it, with a time of 27 characters, needs no second parsing.
_LINE_TIME: Final = (
    """CASE WHEN starts_with(json::VARCHAR, '{"timestamp":"') AND substring(json::VARCHAR, 41, 2) = 'Z"'"""
    f" THEN coalesce(epoch_us(try_cast(substring(json::VARCHAR, 15, 27) AS TIMESTAMPTZ)), {_ANY_TIME})"
    f" ELSE {_ANY_TIME} END"
)
_LINES: Final = f"SELECT json, {_LINE_TIME} AS us FROM read_ndjson_objects(?, {_READ})"

ORDERED: Final = {
    True: "SELECT json FROM answer WHERE us IS NOT NULL"
    " ORDER BY us DESC, (json->>'$.log_id') DESC NULLS LAST, hash(json) LIMIT ?",
    False: "SELECT json FROM answer WHERE us IS NOT NULL"
    " ORDER BY us, (json->>'$.log_id') NULLS FIRST, hash(json) LIMIT ?",
}
"""The documents of the answer to `search_question`, newest first (True) or oldest first (False), up to a number."""

LARGEST: Final = (
    "SELECT error_type, logger, module, function, line, count, first, last, latest.message, latest.log_id"
    " FROM answer WHERE NOT broken"
    " ORDER BY count DESC, last DESC, error_type, logger, module, function, line LIMIT ?"
)
"""The groups of the answer to `groups_question`, the largest first, up to a number."""


def search_question(query: Query) -> Question:
    """Return the question for whole documents: rows of `us` and `json`."""
    conditions: list[str] = ["true"]
    parameters: list[Any] = []
    if query.window is not None:
        conditions.append(_IN_WINDOW)
        parameters += _bounds(query.window)
    for field, texts in query.where:
        condition, values = _has(field, texts)
        conditions.append(condition)
        parameters += values
    statement = (
        "SELECT us, CASE WHEN us IS NOT NULL THEN json END AS json"
        f" FROM ({_LINES}) WHERE us IS NULL OR ({' AND '.join(conditions)})"
    )
    return statement, parameters


def stands_as_it_is(text: str) -> bool:
    r"""Return whether JSON that has this value holds these very characters, unless it holds an escape `\u`.

    Quotes, backslashes, slashes and control characters have escapes of their own, lists and objects may have spaces,
    and a number with a fraction or exponent may be written in other ways.
    """
    return bool(_PLAIN.fullmatch(text)) and (text.isdigit() or not _WITH_FRACTION.fullmatch(text))


def hours_question(window: Window, first: datetime) -> Question:
    """Return the question for counts: `slot` (hours since `first`, NULL for broken lines), `total`, `errors`."""
    is_error, levels = _has("level", ERROR_LEVELS)
    slot = f"CASE WHEN us IS NOT NULL THEN (us - {_micros(first)}) // {HOUR // MICROSECOND} END"
    statement = (
        "SELECT slot, count(*) AS total, count(*) FILTER (WHERE error) AS errors"
        f" FROM (FROM ({_LINES}) SELECT {slot} AS slot, coalesce({is_error}, false) AS error"
        f" WHERE us IS NULL OR ({_IN_WINDOW})) GROUP BY slot"
    )
    return statement, [*levels, *_bounds(window)]


def groups_question(window: Window) -> Question:
    """Return the question for groups of errors: `broken`, type and place, `count`, `first`, `last`, `latest`."""
    is_error, levels = _has("level", ERROR_LEVELS)
    place = ", ".join(f"(json->>'$.{field}') AS {field}" for field in ("error_type", "logger", "module", "function"))
    statement = (
        f"SELECT us IS NULL AS broken, {place}, try_cast((json->>'$.line') AS BIGINT) AS line,"
        " count(*) AS count, min(us) AS first, max(us) AS last,"
        " max(struct_pack(us := us, log_id := (json->>'$.log_id'), message := (json->>'$.message'))) AS latest"
        f" FROM ({_LINES}) WHERE us IS NULL OR ({_IN_WINDOW} AND {is_error}) GROUP BY ALL"
    )
    return statement, [*_bounds(window), *levels]


def size_question() -> Question:
    """Return the question for the number of lines: one row of `n`."""
    return f"SELECT count(*) AS n FROM read_ndjson_objects(?, {_READ})", []


def _has(field: str, texts: tuple[str, ...]) -> Question:
    """Return the condition that the field has one of the texts."""
    condition = f"(json->>'$.{field}') IN ({', '.join('?' * len(texts))})"
    if not all(map(stands_as_it_is, texts)):
        return condition, [*texts]
    # Looking for the text is far cheaper than parsing the line, and CASE does not work out what it does not need.
    found = " OR contains(json::VARCHAR, ?::VARCHAR)" * len(texts)
    return f"CASE WHEN contains(json::VARCHAR, '\\u'){found} THEN {condition} ELSE false END", [*texts, *texts]


def _micros(moment: datetime) -> int:
    return (moment - EPOCH) // MICROSECOND


def _bounds(window: Window) -> list[Any]:
    return [_micros(window.start), _micros(window.end)]

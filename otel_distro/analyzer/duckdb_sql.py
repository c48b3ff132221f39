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
_LATEST: Final = (2**63 - 1) // 1000  # what nanoseconds in 64 bits can tell, as Elasticsearch keeps them: the year 2262
_LONGEST: Final = 8191  # characters of a text that Elasticsearch compares
_PLACE: Final = ("error_type", "logger", "module", "function", "line")
_IN_WINDOW: Final = "us >= ? AND us < ?"
_PLAIN: Final = re.compile(r"[\w@.:-]+")
_WITH_FRACTION: Final = re.compile(r"-?\d*\.?\d*(?:[eE][+-]?\d+)?")


# DuckDB takes more for a time than ISO 8601 does: `epoch`, names of zones, slashes, years before Christ.
_ISO: Final = r"\d{4}-\d\d-\d\d([Tt ]\d\d:\d\d(:\d\d([.,]\d+)?)?([Zz]|[+-]\d\d(:?\d\d){0,2})?)?"
# The second form (comma before the fraction, small z) is tried only where the first gives nothing.
_ANY_TIME: Final = (
    f"CASE WHEN regexp_full_match(json->>'$.timestamp', '{_ISO}') THEN"
    " coalesce(epoch_us(try_cast((json->>'$.timestamp') AS TIMESTAMPTZ)),"
    " epoch_us(try_cast(replace(upper(json->>'$.timestamp'), ',', '.') AS TIMESTAMPTZ))) END"
)
# A line that begins as this package writes it, with a time of 27 characters, needs no second parsing. The lines of flat
# documents begin with a space more.
_LINE_TIMES: Final = " ".join(
    f"WHEN starts_with(json::VARCHAR, '{start}') AND substring(json::VARCHAR, {len(start) + 27}, 2) = 'Z\"'"
    f" THEN coalesce(epoch_us(try_cast(substring(json::VARCHAR, {len(start) + 1}, 27) AS TIMESTAMPTZ)), {_ANY_TIME})"
    for start in ('{ "timestamp":"', '{"timestamp":"')
)
_LINE_TIME: Final = f"CASE {_LINE_TIMES} ELSE {_ANY_TIME} END"
_LINES: Final = (
    f"SELECT json, CASE WHEN us BETWEEN 0 AND {_LATEST} THEN us END AS us"
    f" FROM (SELECT json, {_LINE_TIME} AS us FROM read_ndjson_objects(?, {_READ}))"
)

ORDERED: Final = {
    True: "SELECT json FROM answer WHERE us IS NOT NULL"
    " ORDER BY us DESC, (json->>'$.log_id') DESC NULLS LAST, hash(json) LIMIT ?",
    False: "SELECT json FROM answer WHERE us IS NOT NULL"
    " ORDER BY us, (json->>'$.log_id') NULLS FIRST, hash(json) LIMIT ?",
}
"""The documents of the answer to `search_question`, newest first (True) or oldest first (False), up to a number."""


def _each_value(groups: str) -> str:
    """Return the groups with one whose type or place is a list once for each value of it."""
    for field in _PLACE:
        # An integer of 32 bits; of a number with a fraction its whole part.
        value = "try_cast(trunc(try_cast(x AS DOUBLE)) AS INTEGER)" if field == "line" else "x"
        values = f"list_distinct([{value} FOR x IN {field} IF length(x) <= {_LONGEST}])"
        groups = (
            f"(SELECT * REPLACE (unnest(CASE WHEN len({values}) > 0 THEN {values} ELSE [NULL] END) AS {field})"
            f" FROM {groups})"
        )
    return groups


LARGEST: Final = (
    f"SELECT {', '.join(_PLACE)}, sum(count)::BIGINT AS count, min(first), max(last) AS last,"
    " max(latest).message, nullif(max(latest).log_id, '')"
    f" FROM {_each_value('(FROM answer WHERE NOT broken)')} GROUP BY {', '.join(_PLACE)}"
    f" ORDER BY count DESC, last DESC, {', '.join(_PLACE)} LIMIT ?"
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
    place = ", ".join(f"{_texts(field)} AS {field}" for field in _PLACE)
    statement = (
        f"SELECT us IS NULL AS broken, {place},"
        " count(*) AS count, min(us) AS first, max(us) AS last,"
        # For `max` NULL is the largest, but a document without `log_id` comes before the others of its moment.
        " max(struct_pack(us := us, log_id := coalesce(json->>'$.log_id', ''), message := (json->>'$.message')))"
        " AS latest"
        f" FROM ({_LINES}) WHERE us IS NULL OR ({_IN_WINDOW} AND {is_error}) GROUP BY ALL"
    )
    return statement, [*_bounds(window), *levels]


def size_question() -> Question:
    """Return the question for the number of lines: one row of `n`."""
    return f"SELECT count(*) AS n FROM read_ndjson_objects(?, {_READ})", []


def _texts(field: str) -> str:
    """Return the list of the texts that a field has: of a list each of its values, as Elasticsearch has them."""
    text = f"(json->>'$.{field}')"
    return (
        f"CASE WHEN NOT contains(json::VARCHAR, '[') THEN [{text}]"
        f" WHEN json_type(json, '$.{field}') = 'ARRAY' THEN json->>'$.{field}[*]' ELSE [{text}] END"
    )


def _has(field: str, texts: tuple[str, ...]) -> Question:
    """Return the condition that the field has one of the texts."""
    values = ", ".join("?" * len(texts))
    condition = (
        f"CASE WHEN (json->>'$.{field}') IN ({values}) THEN true"
        f" WHEN contains(json::VARCHAR, '[') THEN list_has_any({_texts(field)}, [{values}]) ELSE false END"
    )
    if not all(map(stands_as_it_is, texts)):
        return condition, [*texts, *texts]
    # Looking for the text is far cheaper than parsing the line, and CASE does not work out what it does not need.
    found = " OR contains(json::VARCHAR, ?::VARCHAR)" * len(texts)
    return f"CASE WHEN contains(json::VARCHAR, '\\u'){found} THEN {condition} ELSE false END", [*texts, *texts, *texts]


def _micros(moment: datetime) -> int:
    return (moment - EPOCH) // MICROSECOND


def _bounds(window: Window) -> list[Any]:
    return [_micros(window.start), _micros(window.end)]

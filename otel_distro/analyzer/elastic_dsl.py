"""The questions to Elasticsearch in its query language: pure functions from what is asked to the body of a request."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any, Final

from otel_distro.analyzer.model import ERROR_LEVELS, HOUR, KEYWORDS, Query, Window, iso

TIME: Final = "@timestamp"
TIME_FORMAT: Final = "strict_date_optional_time_nanos"
GROUP_FIELDS: Final = ("error_type", "logger", "module", "function", "line")
FIELD_TYPES: Final = {
    TIME: "date_nanos",
    **dict.fromkeys(sorted(KEYWORDS | {"module", "function"}), "keyword"),
    "line": "integer",
}
"""The fields that questions compare or sort by, and the type that each needs for the answers to be exact."""

GROUPS_A_PAGE: Final = 500
_HOURS_A_REQUEST: Final = 50_000  # the server refuses more than 65,536 buckets
# What nanoseconds in 64 bits can tell.
_EARLIEST: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)
_LATEST: Final = datetime(2262, 4, 11, tzinfo=timezone.utc)

Body = dict[str, Any]

WITHOUT_TIME: Final[Body] = {"bool": {"must_not": {"exists": {"field": TIME}}}}
_IS_ERROR: Final[Body] = {"terms": {"level": list(ERROR_LEVELS)}}


def matching(query: Query) -> Body:
    """Return the condition of a search, all of it filters: nothing is scored."""
    conditions: list[Body] = [{"terms": {field: list(texts)}} for field, texts in query.where]
    conditions.append({"exists": {"field": TIME}} if query.window is None else inside(query.window))
    return {"bool": {"filter": conditions}}


def inside(window: Window) -> Body:
    """Return the condition that a document lies in the window, its start included, its end not."""
    start, end = (min(max(moment, _EARLIEST), _LATEST) for moment in (window.start, window.end))
    return {"range": {TIME: {"gte": iso(start), "lt": iso(end), "format": TIME_FORMAT}}}


def order(newest_first: bool) -> list[Body]:
    """Return the order by time and then `log_id`; a document without `log_id` comes before the others of its moment.

    A point in time adds a last key of its own, so the order is total.
    """
    direction = "desc" if newest_first else "asc"
    return [
        {TIME: {"order": direction, "format": TIME_FORMAT}},
        {"log_id": {"order": direction, "missing": "_last" if newest_first else "_first"}},
    ]


def spans(window: Window) -> Iterator[Window]:
    """Yield the window in parts that have few enough hours for one answer."""
    start, end = max(window.start, _EARLIEST), min(window.end, _LATEST)
    while start < end:
        following = start.replace(minute=0, second=0, microsecond=0) + _HOURS_A_REQUEST * HOUR
        yield Window(start, min(following, end))
        start = following


def hours(window: Window) -> Body:
    """Return the question for counts by the hour, and for the number of documents without a time."""
    return {
        "size": 0,
        "track_total_hits": False,
        "query": {"bool": {"should": [inside(window), WITHOUT_TIME], "minimum_should_match": 1}},
        "aggs": {
            "skipped": {"filter": WITHOUT_TIME},
            "hours": {
                "date_histogram": {"field": TIME, "fixed_interval": "1h", "min_doc_count": 1},
                "aggs": {"errors": {"filter": _IS_ERROR}},
            },
        },
    }


def hour_of(bucket: dict[str, Any]) -> datetime:
    """Return the start of a bucket's hour."""
    return _EARLIEST + timedelta(milliseconds=bucket["key"])


def groups(window: Window, after: dict[str, Any] | None) -> Body:
    """Return the question for one page of groups of errors, each with its first and its last document."""
    sources = [{field: {"terms": {"field": field, "missing_bucket": True}}} for field in GROUP_FIELDS]
    ends = {
        name: {
            "top_hits": {
                "size": 1,
                "sort": order(newest_first),
                "_source": False,
                "docvalue_fields": [{"field": TIME, "format": TIME_FORMAT}, "log_id"],
            }
        }
        for name, newest_first in (("first", False), ("last", True))
    }
    composite = {"size": GROUPS_A_PAGE, "sources": sources, **({"after": after} if after else {})}
    return {
        "size": 0,
        "track_total_hits": False,
        "query": {"bool": {"filter": [inside(window), _IS_ERROR]}},
        "aggs": {"groups": {"composite": composite, "aggs": ends}},
    }

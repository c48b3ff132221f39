"""What is asked of a log store and what it answers: the same words for local files and for Elasticsearch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any, Final, TypedDict

ERROR_LEVELS: Final = ("ERROR", "CRITICAL")
"""Levels that count as errors, as Python's logging names them."""

KEYWORDS: Final = frozenset(
    {
        "level",
        "logger",
        "request_id",
        "user_id",
        "trace_id",
        "span_id",
        "service",
        "environment",
        "error_type",
        "log_id",
    }
)
"""Fields of the log document that a query can compare; both stores keep them as text."""

HOUR: Final = timedelta(hours=1)

Where = tuple[tuple[str, tuple[str, ...]], ...]
"""Fields and the texts that each may have; every pair must hold."""

Document = dict[str, Any]
"""One log document with every extra, as it stands in the file: `timestamp` is the text that was written there."""


class HourCount(TypedDict):
    """Counts of one hour; `hour` is its start (ISO 8601, UTC), `rate` is errors / total from 0 to 1."""

    hour: str
    total: int
    errors: int
    rate: float


class ErrorRate(TypedDict):
    """Counts of a window; `rate` is errors / total from 0 to 1 and 0.0 where there is no document.

    `hourly` has every hour that the window touches, oldest first, also those without a document. The first and the last
    hour hold only what lies inside the window, so the hours add up to the totals.
    """

    total: int
    errors: int
    rate: float
    hourly: list[HourCount]


class ErrorGroup(TypedDict):
    """Errors of one type from one place; times are ISO 8601, UTC; `message` and `log_id` are of the latest."""

    error_type: str | None
    logger: str | None
    module: str | None
    function: str | None
    line: int | None
    count: int
    first_seen: str
    last_seen: str
    message: str | None
    log_id: str | None


@dataclass(frozen=True)
class Window:
    """A span of time: `start` belongs to it, `end` does not; both carry a zone."""

    start: datetime
    end: datetime

    def hours(self) -> Iterator[datetime]:
        """Yield the start of every hour (UTC) that the window touches, oldest first."""
        hour = self.start.astimezone(timezone.utc).replace(minute=0, second=0, microsecond=0)
        while hour < self.end:
            yield hour
            hour += HOUR


@dataclass(frozen=True)
class Query:
    """Which documents are wanted, in which order and how many.

    `where` pairs a field of `KEYWORDS` with the texts it may have, and every pair must hold; a number in the document
    counts as its text, a list as each of its values. `window` None is all of time, `limit` None is all of the
    documents. Documents of the same microsecond are ordered by `log_id`, so that two stores give the same order.
    """

    where: Where
    window: Window | None = None
    newest_first: bool = True
    limit: int | None = None

    def __post_init__(self) -> None:
        unknown = [field for field, _ in self.where if field not in KEYWORDS]
        if unknown:
            raise ValueError(f"not a keyword field: {', '.join(unknown)}")


@dataclass(frozen=True)
class Count:
    """How many documents one hour holds and how many of them are errors."""

    total: int
    errors: int


def iso(moment: datetime) -> str:
    """Return the moment as log documents write it: UTC, microseconds, Z."""
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def hour_label(hour: datetime) -> str:
    """Return the start of an hour as `HourCount` has it."""
    return hour.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:00:00Z")

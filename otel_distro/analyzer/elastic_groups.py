"""The largest groups of errors, kept while pages of buckets come in."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import datetime, timezone
from typing import Any, Final

from otel_distro.analyzer.elastic_dsl import GROUP_FIELDS, TIME
from otel_distro.analyzer.model import ErrorGroup, iso

_SPARE: Final = 1000
_MESSAGES_A_REQUEST: Final = 50  # a message may have megabytes

Place = tuple[str, str]
"""Index and `_id` of a document."""


class LargestGroups:
    """At most `limit` groups: by count, then by the latest error, then by type and place; for one thread."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._buckets: list[dict[str, Any]] = []

    def add(self, buckets: Iterable[dict[str, Any]]) -> None:
        """Take the buckets of one page; memory stays near the limit however many pages there are."""
        self._buckets += buckets
        if len(self._buckets) > self._limit + _SPARE:
            self._cut()

    def groups(self, messages_of: Callable[[list[Place]], dict[Place, Any]]) -> list[ErrorGroup]:
        """Return the groups; `messages_of` gives the messages of the documents at some places."""
        self._cut()
        made: list[ErrorGroup] = []
        for start in range(0, len(self._buckets), _MESSAGES_A_REQUEST):
            buckets = self._buckets[start : start + _MESSAGES_A_REQUEST]
            messages = messages_of([_place(_last(bucket)) for bucket in buckets])
            made += [_group(bucket, messages.get(_place(_last(bucket)))) for bucket in buckets]
        return made

    def _cut(self) -> None:
        self._buckets.sort(key=_rank)
        del self._buckets[self._limit :]


def moment(text: str) -> datetime:
    """Return the moment that Elasticsearch writes with none to nine digits of a second's fraction; Python has six."""
    whole, _, fraction = text.removesuffix("Z").partition(".")
    return datetime.strptime(f"{whole}.{fraction[:6] or '0'}", "%Y-%m-%dT%H:%M:%S.%f").replace(tzinfo=timezone.utc)


def _rank(bucket: dict[str, Any]) -> tuple[Any, ...]:
    places = [bucket["key"][field] for field in GROUP_FIELDS]
    last = _time(_last(bucket))
    # A type or place that is not known comes after those that are.
    return -bucket["doc_count"], -last.timestamp(), [(place is None, 0 if place is None else place) for place in places]


def _group(bucket: dict[str, Any], message: Any) -> ErrorGroup:
    key, last = bucket["key"], _last(bucket)
    first = bucket["first"]["hits"]["hits"][0]
    log_ids = last["fields"].get("log_id")
    return ErrorGroup(
        error_type=key["error_type"],
        logger=key["logger"],
        module=key["module"],
        function=key["function"],
        line=key["line"],
        count=bucket["doc_count"],
        first_seen=iso(_time(first)),
        last_seen=iso(_time(last)),
        message=_message(message),
        log_id=log_ids[0] if log_ids else None,
    )


def _message(message: Any) -> str | None:
    if message is None or isinstance(message, str):
        return message
    return json.dumps(message, ensure_ascii=False, separators=(",", ":"))


def _last(bucket: dict[str, Any]) -> dict[str, Any]:
    hit: dict[str, Any] = bucket["last"]["hits"]["hits"][0]
    return hit


def _place(hit: dict[str, Any]) -> Place:
    return hit["_index"], hit["_id"]


def _time(hit: dict[str, Any]) -> datetime:
    return moment(hit["fields"][TIME][0])

"""New documents of an Elasticsearch, the late ones included."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from typing import Any, Final

from otel_distro.analyzer.elastic_groups import moment
from otel_distro.analyzer.model import Query, Where, Window

LATE: Final = timedelta(seconds=30)
"""How much later than a newer document one may become searchable and still be seen."""

_END_OF_TIME: Final = datetime(2262, 1, 1, tzinfo=timezone.utc)

Hit = dict[str, Any]


def _utc_now() -> datetime:
    return datetime.now(timezone.utc)


class FollowedDocuments:
    """The documents that match, from the latest on; for one thread.

    Each look goes back `LATE` before the newest document, or before the last look where a document lies in the future,
    and leaves out what was seen by its `log_id`. Memory is bounded by the documents of that span. `ask` puts a query.
    """

    def __init__(
        self, ask: Callable[[Query], Iterator[Hit]], where: Where, now: Callable[[], datetime] = _utc_now
    ) -> None:
        self._ask = ask
        self._where = where
        self._now = now
        self._looked = self._newest = now()
        self._seen: dict[str, datetime] = {}

    def latest(self, number: int) -> list[Hit]:
        """Return the latest documents, oldest first, and remember all that later looks will meet again."""
        looked = self._now()
        hits: list[Hit] = []
        found = self._ask(Query(self._where))
        for hit in found:
            when = moment(hit["sort"][0])
            if not self._seen:
                self._newest = min(when, looked)
            if len(hits) >= number and when < self._newest - LATE:
                break
            self._seen[_name(hit)] = when
            if len(hits) < number:
                hits.append(hit)
        close = getattr(found, "close", None)
        if close:
            close()
        self._looked = looked
        return hits[::-1]

    def new(self) -> Iterator[Hit]:
        """Yield what is new since the last look, oldest first."""
        looked = self._now()
        start = min(self._looked, self._newest) - LATE
        for hit in self._ask(Query(self._where, Window(start, _END_OF_TIME), newest_first=False)):
            when, name = moment(hit["sort"][0]), _name(hit)
            if name not in self._seen:
                self._seen[name] = when
                self._newest = max(self._newest, min(when, looked))
                yield hit
        self._looked = looked
        start = min(self._looked, self._newest) - LATE
        self._seen = {name: when for name, when in self._seen.items() if when >= start}


def _name(hit: Hit) -> str:
    log_id = (hit["_source"] or {}).get("log_id")
    return log_id if isinstance(log_id, str) else f"{hit['_index']}/{hit['_id']}"

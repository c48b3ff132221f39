"""The log store in Elasticsearch: the same answers as over files, from any number of indices."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from typing import Any, Final

from otel_distro.analyzer import elastic_dsl as dsl
from otel_distro.analyzer.elastic_address import Address
from otel_distro.analyzer.elastic_client import SIZE, fitting
from otel_distro.analyzer.elastic_groups import LargestGroups, Place
from otel_distro.analyzer.elastic_session import Session
from otel_distro.analyzer.follow import PAUSE
from otel_distro.analyzer.follow_elastic import FollowedDocuments
from otel_distro.analyzer.model import Count, Document, ErrorGroup, Query, Where, Window
from otel_distro.errors import InputError

_KEEP_ALIVE: Final = "5m"  # how long a reader may take over one page
_FIRST_PAGE: Final = 100  # documents
_LONGEST_PAGE: Final = 2000


class ElasticsearchStore:
    """Log documents in the indices of a pattern, made under the templates of `otel-distro elasticsearch setup`.

    A document counts as skipped if its `@timestamp` is no time from 1970 to 2262, or if it is nested deeper than Python
    goes. Every question first looks whether the indices have the fields that it needs. A whole result set is read in
    pages from a point in time, so what is written or removed meanwhile changes nothing; a page has about
    4 MB. Safe to share between threads and after a fork.
    """

    def __init__(self, address: Address, index: str) -> None:
        if not isinstance(index, str) or not index.strip() or not index.isprintable():
            raise InputError(f"index={index!r} names no index; give a pattern as in 'python-app-*'")
        self._session = Session(address, index)
        self._skipped = 0

    @property
    def skipped(self) -> int:
        """Documents that the last question could not use."""
        return self._skipped

    def search(self, query: Query) -> Iterator[Document]:
        """Yield the documents that match; see `LogStore.search`."""
        with closing(self._hits(query)) as hits:
            yield from map(_document, hits)

    def follow(self, where: Where, last: int) -> Iterator[Document | None]:
        """Yield the last documents and each new one; see `LogStore.follow`."""
        followed = FollowedDocuments(self._hits, where)
        yield from map(_document, followed.latest(last))
        while True:
            yield from map(_document, followed.new())
            yield None
            time.sleep(PAUSE)

    def count_by_hour(self, window: Window) -> Mapping[datetime, Count]:
        """Return counts by the hour; see `LogStore.count_by_hour`."""
        self._session.check_mapping()
        counts: dict[datetime, Count] = {}
        for part in dsl.spans(window):
            found = self._session.search(**dsl.hours(part), index=self._session.index)["aggregations"]
            self._skipped = found["skipped"]["doc_count"]
            for bucket in found["hours"]["buckets"]:
                counts[dsl.hour_of(bucket)] = Count(bucket["doc_count"], bucket["errors"]["doc_count"])
        return counts

    def top_errors(self, window: Window, limit: int) -> list[ErrorGroup]:
        """Return the largest groups of errors; see `LogStore.top_errors`."""
        self._begin()
        largest = LargestGroups(limit)
        after: dict[str, Any] | None = None
        with self._point_in_time() as point:
            while True:
                page = point.search(dsl.groups(window, after))["aggregations"]["groups"]
                largest.add(page["buckets"])
                after = page.get("after_key")
                if after is None:
                    return largest.groups(self._messages)

    def extent(self) -> str:
        """Return how many documents of how many indices there are."""
        indices = self._session.check_mapping()
        documents = self._count({"match_all": {}})
        return f"{documents:,} document{'s' * (documents != 1)} of {indices} {'index' if indices == 1 else 'indices'}"

    def close(self) -> None:
        """Close the connections; the next question opens new ones."""
        self._session.close()

    def _begin(self) -> None:
        self._session.check_mapping()
        self._skipped = self._count(dsl.WITHOUT_TIME)

    def _hits(self, query: Query) -> Generator[dict[str, Any], None, None]:
        """Yield what the server gives for each document that matches and can be read."""
        self._begin()
        with self._point_in_time() as point:
            for hit in point.hits(query):
                if hit["_source"] is None:
                    self._skipped += 1
                else:
                    yield hit

    def _count(self, query: dict[str, Any]) -> int:
        return int(self._session.ask(lambda client: client.count(index=self._session.index, query=query))["count"])

    def _messages(self, places: list[Place]) -> dict[Place, Any]:
        docs = [{"_index": index, "_id": name, "_source": ["message"]} for index, name in places]
        found = self._session.ask(lambda client: client.mget(docs=docs))["docs"]
        return {(doc["_index"], doc["_id"]): doc.get("_source", {}).get("message") for doc in found}

    @contextmanager
    def _point_in_time(self) -> Iterator[_PointInTime]:
        """Give the documents as they are now; what the server keeps for it is freed at the end, also early."""
        opened = self._session.ask_for(
            "id",
            lambda client: client.open_point_in_time(
                index=self._session.index, keep_alive=_KEEP_ALIVE, allow_partial_search_results=False
            ),
        )
        point = _PointInTime(self._session, opened)
        try:
            yield point
        except GeneratorExit:
            # It may be the garbage collector that ends an iterator, in the middle of a request of the same client,
            # whose locks cannot be taken twice.
            session = Session(self._session.address, self._session.index)
            point.close(session)
            session.close()
            raise
        except BaseException:
            point.close(self._session)
            raise
        point.close(self._session)


class _PointInTime:
    """The documents of one moment; for one thread."""

    def __init__(self, session: Session, id: str) -> None:  # noqa: A002 -- as Elasticsearch calls it
        self._session = session
        self.id = id

    def search(self, body: dict[str, Any]) -> dict[str, Any]:
        """Return the answer to one request."""
        answer = self._session.search(**body, pit={"id": self.id, "keep_alive": _KEEP_ALIVE})
        self.id = answer.get("pit_id", self.id)
        return answer

    def close(self, session: Session) -> None:
        """Let the server free what it keeps; it does so by itself soon, so a failure is none."""
        with suppress(Exception):
            session.ask(lambda client: client.close_point_in_time(id=self.id))

    def hits(self, query: Query) -> Iterator[dict[str, Any]]:
        """Yield every hit of a query in its order, page by page."""
        body: dict[str, Any] = {
            "query": dsl.matching(query),
            "sort": dsl.order(query.newest_first),
            "track_total_hits": False,
        }
        left, size = query.limit, _FIRST_PAGE
        while left is None or left > 0:
            body["size"] = size if left is None else min(size, left)
            answer = self.search(body)
            hits = answer["hits"]["hits"]
            yield from hits
            if len(hits) < body["size"]:
                return
            left = None if left is None else left - len(hits)
            body["search_after"] = hits[-1]["sort"]
            size = fitting(len(hits), answer[SIZE], _LONGEST_PAGE)


def _document(hit: dict[str, Any]) -> Document:
    document: Document = {"timestamp": None, **hit["_source"]}
    document["timestamp"] = document.pop("@timestamp")
    return document

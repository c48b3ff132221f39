"""A live tail of Elasticsearch over a server that is a list: late, future and doubled documents."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from otel_distro.analyzer.follow_elastic import FollowedDocuments
from otel_distro.analyzer.model import Query, iso

NOW = datetime(2025, 3, 2, 0, 30, tzinfo=timezone.utc)


class Server:
    """Hits in the order that a query wants, and a clock."""

    def __init__(self) -> None:
        self.clock = NOW
        self.hits: list[dict[str, Any]] = []

    def add(self, name: str, seconds: float, *, log_id: bool = True) -> None:
        """Add a document of so many seconds after the beginning of the test."""
        source = {"log_id": name} if log_id else {}
        when = iso(NOW + timedelta(seconds=seconds))
        self.hits.append({"_index": "i", "_id": name, "_source": source, "sort": [when, name]})

    def ask(self, query: Query) -> Iterator[dict[str, Any]]:
        found = sorted(self.hits, key=lambda hit: hit["sort"], reverse=query.newest_first)
        window = query.window
        yield from (hit for hit in found if not window or iso(window.start) <= hit["sort"][0] < iso(window.end))

    def now(self) -> datetime:
        return self.clock


def _followed(server: Server) -> FollowedDocuments:
    return FollowedDocuments(server.ask, (), server.now)


def _names(hits: Any) -> list[str]:
    return [hit["_id"] for hit in hits]


def test_the_latest_come_oldest_first_and_never_again() -> None:
    server = Server()
    for number in range(20):
        server.add(f"{number:02}", number - 100)
    followed = _followed(server)
    assert _names(followed.latest(3)) == ["17", "18", "19"]
    assert _names(followed.new()) == []
    server.add("20", -50)
    assert _names(followed.new()) == ["20"]
    assert _names(followed.new()) == []


def test_the_question_for_the_latest_is_ended_where_no_more_of_its_answer_is_read() -> None:
    server = Server()
    for number in range(20):
        server.add(f"{number:02}", number * 100 - 3000)
    asked: list[Any] = []
    followed = FollowedDocuments(lambda query: asked.append(server.ask(query)) or asked[-1], (), server.now)  # type: ignore[func-returns-value]
    assert _names(followed.latest(3)) == ["17", "18", "19"]
    assert next(asked[0], None) is None


def test_nothing_old_is_shown_where_none_is_asked_for() -> None:
    server = Server()
    server.add("old", -1)
    followed = _followed(server)
    assert followed.latest(0) == []
    assert _names(followed.new()) == []


def test_a_document_that_comes_late_is_shown_once() -> None:
    server = Server()
    server.add("first", -1)
    followed = _followed(server)
    followed.latest(10)
    server.add("newer", 5)
    assert _names(followed.new()) == ["newer"]
    server.clock += timedelta(seconds=6)
    server.add("late", -20)
    assert _names(followed.new()) == ["late"]
    assert _names(followed.new()) == []


def test_a_document_of_the_future_hides_no_other() -> None:
    server = Server()
    server.add("old", -1)
    server.add("future", 86_400 * 365)
    followed = _followed(server)
    assert _names(followed.latest(10)) == ["old", "future"]
    for number in range(100):
        server.clock += timedelta(seconds=1)
        server.add(f"{number}", number)
        assert _names(followed.new()) == [f"{number}"]


def test_a_document_of_the_future_that_comes_meanwhile_hides_no_other() -> None:
    server = Server()
    followed = _followed(server)
    followed.latest(1)
    server.add("future", 86_400 * 365)
    assert _names(followed.new()) == ["future"]
    for number in range(100):
        server.clock += timedelta(seconds=1)
        server.add(f"{number}", number)
        assert _names(followed.new()) == [f"{number}"]


def test_after_a_long_silence_of_the_server_nothing_is_missing() -> None:
    server = Server()
    server.add("old", -1)
    followed = _followed(server)
    followed.latest(1)
    server.clock += timedelta(minutes=10)
    for number in range(600):
        server.add(f"{number:03}", number)
    assert len(_names(followed.new())) == 600


def test_a_reader_whose_clock_is_ahead_still_sees_everything() -> None:
    server = Server()
    server.add("old", -3_600)
    followed = _followed(server)
    followed.latest(1)
    for number in range(10):
        server.clock += timedelta(seconds=1)
        server.add(f"{number}", number - 3_599)
        assert _names(followed.new()) == [f"{number}"]


def test_a_document_without_a_log_id_is_known_by_its_own_name() -> None:
    server = Server()
    followed = _followed(server)
    followed.latest(1)
    server.add("a", 0, log_id=False)
    server.add("b", 0, log_id=False)
    assert _names(followed.new()) == ["a", "b"]
    assert _names(followed.new()) == []


def test_a_record_that_stands_in_two_indices_is_shown_once() -> None:
    server = Server()
    followed = _followed(server)
    followed.latest(1)
    server.add("a", 0)
    server.hits.append({**server.hits[0], "_index": "another"})
    assert _names(followed.new()) == ["a"]


def test_of_ten_minutes_of_documents_the_latest_half_minute_is_asked_for_and_remembered() -> None:
    server, asked = Server(), list[str]()

    def ask(query: Query) -> Iterator[dict[str, Any]]:
        for hit in server.ask(query):
            asked.append(hit["_id"])
            yield hit

    for number in range(600):
        server.add(f"{number:04}", number - 600)
    followed = FollowedDocuments(ask, (), server.now)
    assert len(followed.latest(10)) == 10
    assert len(asked) < 60
    for number in range(100):
        server.clock += timedelta(seconds=1)
        server.add(f"new {number:03}", number)
        assert _names(followed.new()) == [f"new {number:03}"]
    assert len(followed._seen) < 60


@given(st.lists(st.lists(st.floats(-29, 0), max_size=5), max_size=20))
def test_each_document_that_is_at_most_29_seconds_late_is_shown_exactly_once(looks: list[list[float]]) -> None:
    server, shown = Server(), list[str]()
    followed = _followed(server)
    followed.latest(0)
    for step, ages in enumerate(looks):
        server.clock = NOW + timedelta(seconds=step)
        for number, age in enumerate(ages):
            server.add(f"{step}-{number}", step + age)
        shown += _names(followed.new())
    assert sorted(shown) == sorted(hit["_id"] for hit in server.hits)

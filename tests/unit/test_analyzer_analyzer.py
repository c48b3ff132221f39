"""LogAnalyzer over a store that only writes down what it was asked."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from otel_distro.analyzer.analyzer import LogAnalyzer
from otel_distro.analyzer.model import Count, Document, ErrorGroup, Query, Where, Window
from otel_distro.analyzer.store import LogStore
from otel_distro.errors import InputError

NOW = datetime(2025, 3, 2, 0, 30, tzinfo=timezone.utc)


class Ledger(LogStore):
    """A store that keeps the questions and answers what it was given."""

    def __init__(self, counts: Mapping[datetime, Count] | None = None) -> None:
        self.asked: list[Any] = []
        self.counts = counts or {}
        self.closed = 0

    @property
    def skipped(self) -> int:
        return 7

    def search(self, query: Query) -> Iterator[Document]:
        self.asked.append(query)
        return iter([{"log_id": "1"}])

    def follow(self, where: Where, last: int) -> Iterator[Document | None]:
        self.asked.append((where, last))
        return iter([{"log_id": "1"}, None])

    def count_by_hour(self, window: Window) -> Mapping[datetime, Count]:
        self.asked.append(window)
        return self.counts

    def top_errors(self, window: Window, limit: int) -> list[ErrorGroup]:
        self.asked.append((window, limit))
        return []

    def extent(self) -> str:
        return "everything"

    def close(self) -> None:
        self.closed += 1


def _analyzer(store: LogStore) -> LogAnalyzer:
    return LogAnalyzer(store=store, now=lambda: NOW)


def _last(hours: float) -> Window:
    return Window(NOW - timedelta(hours=hours), NOW)


def test_each_question_reaches_the_store_with_its_defaults() -> None:
    store = Ledger()
    analyzer = _analyzer(store)
    assert analyzer.search_errors() == [{"log_id": "1"}]
    analyzer.search_by_user("u")
    analyzer.search_by_request("r")
    analyzer.search_by_trace("t", hours=2)
    analyzer.top_errors()
    assert store.asked == [
        Query((("level", ("ERROR", "CRITICAL")),), _last(1), limit=100),
        Query((("user_id", ("u",)),), _last(24)),
        Query((("request_id", ("r",)),), None, newest_first=False),
        Query((("trace_id", ("t",)),), _last(2), newest_first=False),
        (_last(24), 10),
    ]


def test_an_iterator_of_errors_has_no_limit_unless_one_is_given() -> None:
    store = Ledger()
    list(_analyzer(store).iter_errors(2))
    list(_analyzer(store).iter_errors(2, 3))
    assert [query.limit for query in store.asked] == [None, 3]


def test_the_rate_has_every_hour_and_fractions() -> None:
    first = datetime(2025, 3, 1, 21, tzinfo=timezone.utc)
    answer = _analyzer(Ledger({first: Count(8, 2), first + timedelta(hours=2): Count(1, 0)})).get_error_rate(hours=3)
    assert answer == {
        "total": 9,
        "errors": 2,
        "rate": 2 / 9,
        "hourly": [
            {"hour": "2025-03-01T21:00:00Z", "total": 8, "errors": 2, "rate": 0.25},
            {"hour": "2025-03-01T22:00:00Z", "total": 0, "errors": 0, "rate": 0.0},
            {"hour": "2025-03-01T23:00:00Z", "total": 1, "errors": 0, "rate": 0.0},
            {"hour": "2025-03-02T00:00:00Z", "total": 0, "errors": 0, "rate": 0.0},
        ],
    }


def test_a_window_without_a_document_has_the_rate_zero() -> None:
    assert _analyzer(Ledger()).get_error_rate()["rate"] == 0.0


def test_the_clock_may_have_any_zone() -> None:
    store = Ledger()
    zone = timezone(timedelta(hours=8))
    LogAnalyzer(store=store, now=lambda: NOW.astimezone(zone)).get_error_rate()
    assert store.asked == [_last(1)]
    assert store.asked[0].end.utcoffset() == timedelta(0)


HOURS: list[object] = [0, -1, math.nan, math.inf, -math.inf, 1e9, True, "1", None]


@pytest.mark.parametrize("hours", HOURS)
@pytest.mark.parametrize(
    "ask",
    [
        lambda analyzer, hours: analyzer.iter_errors(hours),
        lambda analyzer, hours: analyzer.search_errors(hours),
        lambda analyzer, hours: analyzer.get_error_rate(hours),
        lambda analyzer, hours: analyzer.iter_by_user("u", hours),
        lambda analyzer, hours: analyzer.top_errors(hours),
    ],
)
def test_hours_that_are_no_span_are_refused_at_the_call(ask: Callable[[LogAnalyzer, Any], Any], hours: object) -> None:
    store = Ledger()
    with pytest.raises(InputError) as caught:
        ask(_analyzer(store), hours)
    assert f"hours={hours!r}" in str(caught.value)
    assert store.asked == []


@pytest.mark.parametrize("hours", [hours for hours in HOURS if hours is not None])
def test_a_story_refuses_the_same_hours(hours: Any) -> None:
    for ask in (_analyzer(Ledger()).iter_by_request, _analyzer(Ledger()).iter_by_trace):
        with pytest.raises(InputError, match="hours="):
            ask("x", hours)


@pytest.mark.parametrize("size", [0, -1, 1.5, True, "5", 10**12])
def test_a_size_that_is_no_number_of_results_is_refused(size: Any) -> None:
    for ask in (_analyzer(Ledger()).search_errors, _analyzer(Ledger()).top_errors):
        with pytest.raises(InputError) as caught:
            ask(1, size)
        told = f"size={size!r} is no number of results; give a whole number from 1 to 1000000000"
        assert str(caught.value) == told


@pytest.mark.parametrize("last", [-1, 1.5, True, "5", 10**12])
def test_a_number_of_old_documents_that_is_none_is_refused_with_both_limits(last: Any) -> None:
    with pytest.raises(InputError) as caught:
        _analyzer(Ledger()).follow(last)
    assert str(caught.value) == f"last={last!r} is no number of documents; give a whole number from 0 to 1000000000"


@pytest.mark.parametrize("value", ["", "  ", None, 1.5, True, b"u", "\udcff"])
def test_an_id_that_is_none_is_refused_by_its_name(value: Any) -> None:
    analyzer = _analyzer(Ledger())
    asks = {
        "user_id": analyzer.search_by_user,
        "request_id": analyzer.search_by_request,
        "trace_id": analyzer.search_by_trace,
    }
    for name, ask in asks.items():
        with pytest.raises(InputError) as caught:
            ask(value)
        assert f"{name}={value!r}" in str(caught.value)


def test_a_whole_number_is_an_id() -> None:
    store = Ledger()
    _analyzer(store).search_by_user(42)  # type: ignore[arg-type]
    assert store.asked[0].where == (("user_id", ("42",)),)


def test_what_is_for_elasticsearch_is_checked_when_the_analyzer_is_made() -> None:
    for arguments in (
        {"index": ""},
        {"index": None},
        {"index": "a\udcff"},
        {"index": "a\n"},
        {"api_key": ""},
        {"basic_auth": "ann:secret"},
        {"ca_certs": "no"},
    ):
        with pytest.raises(InputError) as caught:
            LogAnalyzer("es.internal:9200", **arguments)
        assert str(caught.value).startswith(next(iter(arguments)))
    LogAnalyzer()


def test_leaving_a_with_block_closes_the_store_and_the_count_of_skipped_lines_is_the_stores() -> None:
    store = Ledger()
    with _analyzer(store) as analyzer:
        assert analyzer.skipped == 7
        assert analyzer.extent() == "everything"
    assert store.closed == 1

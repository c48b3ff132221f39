"""The same answers from every store: each is held to a ledger worked out in plain Python."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_distro.analyzer.analyzer import LogAnalyzer
from tests.elastic import install, load, new_prefix
from tests.log_oracle import (
    NOW,
    Document,
    analyzer_of,
    expected_groups,
    expected_hours,
    inside,
    is_error,
    log_document,
    write_log,
)
from tests.services.elasticsearch import Elasticsearch

Fill = Callable[[list[Document]], LogAnalyzer]


@pytest.fixture(params=["local", "elasticsearch"])
def fill(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Fill]:
    """Give a function that puts documents into a store of one kind and returns its analyzer."""
    if request.param == "local":
        yield lambda documents: analyzer_of(write_log(tmp_path / "app.log", documents))
        return
    server: Elasticsearch = request.getfixturevalue("elasticsearch_logs")
    prefix = new_prefix()
    yield lambda documents: _filled(server, prefix, documents)
    server.delete(f"{prefix}-*")


@pytest.fixture(scope="module")
def elasticsearch_logs(elasticsearch_server: Elasticsearch) -> Elasticsearch:
    """Give the real server with our templates."""
    install(elasticsearch_server)
    return elasticsearch_server


def _filled(server: Elasticsearch, prefix: str, documents: list[Document]) -> LogAnalyzer:
    load(server, prefix, documents)
    return LogAnalyzer(server.url, index=f"{prefix}-*", now=lambda: NOW)


def _ago(**span: float) -> datetime:
    return NOW - timedelta(**span)


MICROSECOND = timedelta(microseconds=1)
HOSTILE_IDS = [
    "x' OR '1'='1",
    "'; DROP TABLE answer; --",
    '"',
    "\\",
    "%",
    "_",
    "*",
    "$.level",
    "?",
    "a\nb",
    "用户",
    "😀",
    "\u202e",
    "u1 ",
    "a:b AND level:ERROR",
]


def test_errors_come_newest_first_whole_and_only_from_the_two_levels(fill: Fill) -> None:
    levels = ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL", "error", "ERRORS"]
    documents = [
        log_document(
            _ago(minutes=50 - n), n, level=level, order={"id": n, "sum": 99.99}, tags=["a"], big=10**25, none=None
        )
        for n, level in enumerate(levels)
    ]
    assert fill(documents).search_errors() == [documents[4], documents[3]]


def test_size_keeps_the_newest(fill: Fill) -> None:
    documents = [log_document(_ago(minutes=n), n, level="ERROR") for n in range(1, 51)]
    analyzer = fill(documents)
    assert analyzer.search_errors(size=3) == documents[:3]
    assert len(analyzer.search_errors(size=1000)) == 50
    assert list(analyzer.iter_errors()) == documents


def test_the_start_of_a_window_belongs_to_it_and_its_end_does_not(fill: Fill) -> None:
    moments = [_ago(hours=1) - MICROSECOND, _ago(hours=1), NOW - MICROSECOND, NOW, NOW + timedelta(hours=1)]
    analyzer = fill([log_document(moment, n, level="ERROR", user_id="u") for n, moment in enumerate(moments)])
    assert [document["log_id"] for document in analyzer.search_errors()] == ["00000002", "00000001"]
    assert [document["log_id"] for document in analyzer.search_by_user("u", hours=1)] == ["00000002", "00000001"]
    assert analyzer.get_error_rate()["total"] == 2
    assert analyzer.top_errors(hours=1)[0]["count"] == 2


def test_the_rate_has_every_hour_across_midnight_and_through_gaps(fill: Fill) -> None:
    documents = [
        log_document(_ago(hours=3), 1),
        log_document(_ago(hours=2, minutes=40), 2, level="ERROR"),
        log_document(_ago(minutes=1), 3, level="CRITICAL"),
        log_document(_ago(minutes=1), 4),
    ]
    rate = fill(documents).get_error_rate(hours=3)
    assert rate["hourly"] == [
        {"hour": "2025-03-01T21:00:00Z", "total": 2, "errors": 1, "rate": 0.5},
        {"hour": "2025-03-01T22:00:00Z", "total": 0, "errors": 0, "rate": 0.0},
        {"hour": "2025-03-01T23:00:00Z", "total": 0, "errors": 0, "rate": 0.0},
        {"hour": "2025-03-02T00:00:00Z", "total": 2, "errors": 1, "rate": 0.5},
    ]
    assert (rate["total"], rate["errors"], rate["rate"]) == (4, 2, 0.5)


def test_a_user_gets_all_documents_of_a_day_and_those_of_no_other_user(fill: Fill) -> None:
    documents = [log_document(_ago(seconds=n), n, user_id=f"u{n % 3}") for n in range(1, 15_001)]
    found = fill(documents).search_by_user("u1")
    assert found == [document for document in documents if document["user_id"] == "u1"]
    assert len(found) == 5_000


def test_a_request_and_a_trace_read_as_a_story_from_any_time(fill: Fill) -> None:
    documents = [log_document(_ago(days=40, seconds=-n), n, request_id="r", trace_id="t") for n in range(5)]
    documents.append(log_document(_ago(minutes=5), 9, request_id="r2", trace_id="t"))
    analyzer = fill(list(reversed(documents)))
    assert analyzer.search_by_request("r") == documents[:5]
    assert analyzer.search_by_trace("t") == documents
    assert analyzer.search_by_trace("t", hours=1) == documents[5:]


def test_documents_of_one_microsecond_are_ordered_by_log_id_both_ways(fill: Fill) -> None:
    documents = [log_document(_ago(minutes=1), n, level="ERROR", request_id="r") for n in (3, 1, 2)]
    analyzer = fill(documents)
    assert [document["log_id"][-1] for document in analyzer.search_by_request("r")] == ["1", "2", "3"]
    assert [document["log_id"][-1] for document in analyzer.search_errors()] == ["3", "2", "1"]


@pytest.mark.parametrize("hostile", HOSTILE_IDS)
def test_a_hostile_id_finds_its_own_documents_and_no_others(fill: Fill, hostile: str) -> None:
    documents = [
        log_document(_ago(minutes=n), n, user_id=user, request_id=user, trace_id=user)
        for n, user in enumerate([*HOSTILE_IDS, "u1", "admin", None], start=1)
    ]
    analyzer = fill(documents)
    own = [document for document in documents if document["user_id"] == hostile]
    assert analyzer.search_by_user(hostile) == own
    assert analyzer.search_by_request(hostile) == own
    assert analyzer.search_by_trace(hostile) == own


def test_a_user_id_that_was_logged_as_a_number_is_found_as_text_and_as_number(fill: Fill) -> None:
    analyzer = fill([log_document(_ago(minutes=1), 1, user_id=42), log_document(_ago(minutes=2), 2, user_id="42")])
    assert len(analyzer.search_by_user("42")) == 2
    assert len(analyzer.search_by_user(42)) == 2  # type: ignore[arg-type]


def test_top_errors_have_the_most_frequent_first_with_times_and_the_latest_message(fill: Fill) -> None:
    documents = [
        log_document(_ago(minutes=30 - n), n, level="ERROR", error_type="KeyError", message=f"m{n}") for n in range(3)
    ]
    documents += [log_document(_ago(minutes=1 + n), 10 + n, level="CRITICAL", line=None) for n in range(5)]
    groups = fill(documents).top_errors()
    assert [(group["error_type"], group["line"], group["count"]) for group in groups] == [
        (None, None, 5),
        ("KeyError", 42, 3),
    ]
    assert groups[1] == {
        "error_type": "KeyError",
        "logger": "shop.orders",
        "module": "orders",
        "function": "create",
        "line": 42,
        "count": 3,
        "first_seen": documents[0]["timestamp"],
        "last_seen": documents[2]["timestamp"],
        "message": "m2",
        "log_id": "00000002",
    }


def test_a_list_counts_as_each_of_its_values(fill: Fill) -> None:
    documents = [
        log_document(_ago(minutes=1), 1, level=["INFO", "ERROR"], user_id=["u", None, "v"], error_type=["B", "A", "B"]),
        log_document(_ago(minutes=2), 2, level="ERROR", user_id='["u"]', error_type=[], line=[7, "x", 8]),
        log_document(_ago(minutes=3), 3, level=["INFO"], user_id=["w"]),
    ]
    analyzer = fill(documents)
    assert analyzer.search_errors() == documents[:2]
    assert analyzer.search_by_user("u") == analyzer.search_by_user("v") == documents[:1]
    assert analyzer.search_by_user('["u"]') == documents[1:2]
    assert analyzer.get_error_rate()["errors"] == 2
    assert [(group["error_type"], group["line"], group["count"]) for group in analyzer.top_errors()] == [
        ("A", 42, 1),
        ("B", 42, 1),
        (None, 7, 1),
        (None, 8, 1),
    ]


def test_a_line_number_is_a_whole_number_of_32_bits_or_none(fill: Fill) -> None:
    lines = {42.7: 42, "42.5": 42, -1.5: -1, 2**31 - 1: 2**31 - 1, 2**31: None, -(2**31) - 1: None, "x": None}
    documents = [log_document(_ago(minutes=n), n, level="ERROR", line=line) for n, line in enumerate(lines, start=1)]
    groups = fill(documents).top_errors()
    assert {group["line"]: group["count"] for group in groups} == {42: 2, -1: 1, 2**31 - 1: 1, None: 3}


def test_a_type_too_long_to_be_compared_is_none_and_an_empty_one_is_a_type(fill: Fill) -> None:
    types = ["e" * 8191, "e" * 8192, "", None, "A"]
    documents = [log_document(_ago(minutes=1), n, level="ERROR", error_type=one) for n, one in enumerate(types)]
    groups = fill(documents).top_errors()
    assert [(group["error_type"], group["count"]) for group in groups] == [
        (None, 2),
        ("", 1),
        ("A", 1),
        ("e" * 8191, 1),
    ]


def test_the_latest_error_of_a_group_is_the_one_that_searches_show_first(fill: Fill) -> None:
    documents = [log_document(_ago(minutes=1), n, level="ERROR", message=["é", n]) for n in range(2)]
    analyzer = fill([*documents, {**log_document(_ago(minutes=1), 3, level="ERROR"), "log_id": None}])
    (group,) = analyzer.top_errors()
    assert analyzer.search_errors()[0] == documents[1]
    assert (group["log_id"], group["message"], group["count"]) == ("00000001", '["é",1]', 3)


def test_top_errors_keep_as_many_groups_as_asked_for(fill: Fill) -> None:
    documents = [log_document(_ago(minutes=1), n, level="ERROR", line=n % 20) for n in range(100)]
    assert len(fill(documents).top_errors(size=7)) == 7


def test_a_store_without_a_match_gives_empty_answers(fill: Fill) -> None:
    analyzer = fill([log_document(_ago(days=90), 1, level="ERROR", user_id="u")])
    assert analyzer.search_errors() == []
    assert analyzer.search_by_user("u") == []
    assert analyzer.search_by_request("r") == []
    assert analyzer.top_errors() == []
    assert analyzer.get_error_rate()["total"] == 0


def test_an_iterator_may_be_left_early_and_the_next_question_is_whole(fill: Fill) -> None:
    analyzer = fill([log_document(_ago(minutes=1, seconds=n), n, level="ERROR") for n in range(3_000)])
    iterator = analyzer.iter_errors()
    assert next(iterator)["log_id"] == "00000000"
    del iterator
    assert len(analyzer.search_errors(size=5_000)) == 3_000


_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
_DOCUMENT = st.fixed_dictionaries(
    {"span": st.timedeltas(timedelta(hours=-1), timedelta(hours=30))},
    optional={
        "level": st.sampled_from(["INFO", "ERROR", "CRITICAL", "WARNING"]),
        "user_id": st.sampled_from(["u1", "u2", "'"]),
        "request_id": st.sampled_from(["r1", "r2"]),
        "error_type": st.sampled_from(["KeyError", "ValueError"]),
        "function": st.sampled_from(["f", "g"]),
        "line": st.integers(1, 3),
        "message": _TEXT,
        "extra": st.recursive(st.none() | st.booleans() | st.integers() | _TEXT, lambda x: st.lists(x, max_size=3)),
    },
)


_DRAWN = given(st.lists(_DOCUMENT, max_size=25), st.sampled_from([0.01, 1, 2.5, 24, 29]))


def _documents(drawn: list[dict[str, Any]]) -> list[Document]:
    return [
        log_document(NOW - fields["span"], n, **{name: value for name, value in fields.items() if name != "span"})
        for n, fields in enumerate(drawn)
    ]


@settings(max_examples=40, deadline=None)
@_DRAWN
def test_any_documents_get_the_answers_of_the_ledger_from_local_files(
    drawn: list[dict[str, Any]], hours: float
) -> None:
    with TemporaryDirectory() as folder:
        documents = _documents(drawn)
        _hold_to_the_ledger(analyzer_of(write_log(Path(folder) / "app.log", documents)), documents, hours)


@settings(max_examples=25, deadline=None)
@_DRAWN
def test_any_documents_get_the_answers_of_the_ledger_from_elasticsearch(
    elasticsearch_logs: Elasticsearch, drawn: list[dict[str, Any]], hours: float
) -> None:
    prefix, documents = new_prefix(), _documents(drawn)
    try:
        with _filled(elasticsearch_logs, prefix, documents) as analyzer:
            _hold_to_the_ledger(analyzer, documents, hours)
    finally:
        elasticsearch_logs.delete(f"{prefix}-*")


def _hold_to_the_ledger(analyzer: LogAnalyzer, documents: list[Document], hours: float) -> None:
    kept = inside(documents, hours)
    assert list(analyzer.iter_errors(hours)) == [document for document in kept if is_error(document)]
    for user in ("u1", "u2", "'"):
        assert analyzer.search_by_user(user, hours) == [one for one in kept if one["user_id"] == user]
    assert analyzer.search_by_request("r1", hours) == [one for one in reversed(kept) if one["request_id"] == "r1"]
    rate = analyzer.get_error_rate(hours)
    assert [(row["hour"], row["total"], row["errors"]) for row in rate["hourly"]] == expected_hours(documents, hours)
    assert (rate["total"], rate["errors"]) == (len(kept), sum(map(is_error, kept)))
    groups = analyzer.top_errors(hours, size=1000)
    assert [group["count"] for group in groups] == sorted((group["count"] for group in groups), reverse=True)
    assert {
        (group["error_type"], group["logger"], group["module"], group["function"], group["line"]): (
            group["count"],
            group["first_seen"],
            group["last_seen"],
            group["message"],
            group["log_id"],
        )
        for group in groups
    } == expected_groups(documents, hours)
    assert analyzer.skipped == 0

"""The bodies of questions; their answers are held to the ledger in tests/integration/test_analyzer_stores.py."""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from otel_distro.analyzer.elastic_dsl import hour_of, inside, matching, order, spans
from otel_distro.analyzer.model import HOUR, Query, Window

NOW = datetime(2025, 3, 2, 0, 30, tzinfo=timezone.utc)
MOMENTS = st.datetimes(datetime(1900, 1, 1), datetime(2300, 1, 1), timezones=st.just(timezone.utc))  # noqa: DTZ001 -- hypothesis adds the zone


def test_every_condition_is_a_filter() -> None:
    query = Query((("user_id", ("u",)), ("level", ("ERROR", "CRITICAL"))), Window(NOW - HOUR, NOW))
    assert matching(query) == {
        "bool": {
            "filter": [
                {"terms": {"user_id": ["u"]}},
                {"terms": {"level": ["ERROR", "CRITICAL"]}},
                inside(Window(NOW - HOUR, NOW)),
            ]
        }
    }


def test_all_of_time_is_whatever_has_a_time() -> None:
    assert matching(Query(())) == {"bool": {"filter": [{"exists": {"field": "@timestamp"}}]}}


def test_a_window_includes_its_start_and_not_its_end_to_the_microsecond() -> None:
    window = Window(NOW - timedelta(microseconds=1), NOW)
    assert inside(window)["range"]["@timestamp"] == {
        "gte": "2025-03-02T00:29:59.999999Z",
        "lt": "2025-03-02T00:30:00.000000Z",
        "format": "strict_date_optional_time_nanos",
    }


def test_a_window_beyond_what_nanoseconds_can_tell_is_cut() -> None:
    window = Window(NOW - timedelta(hours=876_000), NOW + timedelta(hours=8_760_000))
    bounds = inside(window)["range"]["@timestamp"]
    assert (bounds["gte"][:10], bounds["lt"][:10]) == ("1970-01-01", "2262-04-11")


def test_a_document_without_an_id_is_the_first_of_its_moment_in_time() -> None:
    assert [keys[1]["log_id"] for keys in (order(True), order(False))] == [
        {"order": "desc", "missing": "_last"},
        {"order": "asc", "missing": "_first"},
    ]


@given(MOMENTS, MOMENTS)
def test_the_spans_of_a_window_follow_each_other_without_gap_and_begin_with_an_hour(
    one: datetime, other: datetime
) -> None:
    parts = list(spans(Window(min(one, other), max(one, other))))
    for part, following in itertools.pairwise(parts):
        assert part.end == following.start
        assert (following.start.minute, following.start.second, following.start.microsecond) == (0, 0, 0)
    for part in parts:
        assert timedelta(0) < part.end - part.start <= 50_000 * HOUR
    if parts:
        assert parts[0].start == max(min(one, other), datetime(1970, 1, 1, tzinfo=timezone.utc))


def test_the_hour_of_a_bucket_is_its_key_in_milliseconds() -> None:
    assert hour_of({"key": 1740870000000}) == datetime(2025, 3, 1, 23, tzinfo=timezone.utc)

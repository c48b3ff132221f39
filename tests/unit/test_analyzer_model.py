"""The words that questions and answers are made of."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_distro.analyzer.model import HOUR, Query, Window, hour_label, iso

NOON = datetime(2025, 3, 1, 12, tzinfo=timezone.utc)


def test_a_window_on_full_hours_does_not_touch_the_hour_that_begins_at_its_end() -> None:
    assert list(Window(NOON, NOON + 2 * HOUR).hours()) == [NOON, NOON + HOUR]


def test_a_window_across_midnight_touches_the_hours_of_both_days() -> None:
    start = datetime(2025, 3, 1, 22, 59, 59, 999999, tzinfo=timezone.utc)
    assert [hour_label(hour) for hour in Window(start, start + 2 * HOUR).hours()] == [
        "2025-03-01T22:00:00Z",
        "2025-03-01T23:00:00Z",
        "2025-03-02T00:00:00Z",
    ]


def test_hours_are_hours_of_utc_whatever_the_zone_of_the_window() -> None:
    start = datetime(2025, 3, 1, 12, 10, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    assert [hour_label(hour) for hour in Window(start, start + HOUR).hours()] == [
        "2025-03-01T06:00:00Z",
        "2025-03-01T07:00:00Z",
    ]


@given(
    st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(timezone.utc)),  # noqa: DTZ001 -- hypothesis adds the zone
    st.timedeltas(timedelta(microseconds=1), timedelta(days=9)),
)
def test_the_hours_of_a_window_cover_it_without_a_gap(start: datetime, length: timedelta) -> None:
    hours = list(Window(start, start + length).hours())
    assert hours[0] <= start < hours[0] + HOUR
    assert hours[-1] < start + length <= hours[-1] + HOUR
    assert all(later - earlier == HOUR for earlier, later in pairwise(hours))


def test_a_query_refuses_a_field_that_stores_do_not_keep_as_keyword() -> None:
    with pytest.raises(ValueError, match="message"):
        Query((("message", ("x",)),))


def test_moments_are_written_as_log_documents_write_them() -> None:
    assert iso(datetime(2025, 3, 1, 12, tzinfo=timezone(timedelta(hours=8)))) == "2025-03-01T04:00:00.000000Z"

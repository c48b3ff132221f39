"""Which groups of errors are kept, in which order, and with which texts."""

from __future__ import annotations

import random
from typing import Any

import pytest

from otel_distro.analyzer.elastic_groups import LargestGroups, Place, moment
from otel_distro.analyzer.model import iso

TIME = "2025-03-02T00:20:00.{:06d}Z"


def _bucket(count: int, last: int = 0, log_id: str | None = "x", **key: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {"@timestamp": [TIME.format(last)]}
    if log_id is not None:
        fields["log_id"] = [log_id]
    hit = {"_index": "i", "_id": f"{count}-{last}-{key}", "fields": fields}
    names = dict.fromkeys(("error_type", "logger", "module", "function", "line"))
    return {
        "key": {**names, **key},
        "doc_count": count,
        "first": {"hits": {"hits": [{**hit, "fields": {"@timestamp": ["2025-03-01T00:00:00Z"]}}]}},
        "last": {"hits": {"hits": [hit]}},
    }


def _no_messages(places: list[Place]) -> dict[Place, Any]:
    return {}


def _kept(limit: int, buckets: list[dict[str, Any]]) -> list[dict[str, Any]]:
    largest = LargestGroups(limit)
    for bucket in buckets:
        largest.add([bucket])
    return [{**group} for group in largest.groups(_no_messages)]


def test_the_order_is_by_count_then_by_the_latest_then_by_type_and_place_with_the_unknown_last() -> None:
    ordered = [
        _bucket(9),
        _bucket(5, last=2),
        _bucket(5, last=1, error_type="", line=0),
        _bucket(5, last=1, error_type="A", line=2),
        _bucket(5, last=1, error_type="A", line=10),
        _bucket(5, last=1, error_type="B"),
        _bucket(5, last=1, logger="l"),
        _bucket(5, last=1),
    ]
    shuffled = ordered[:]
    random.Random(7).shuffle(shuffled)
    assert _kept(10, shuffled) == _kept(10, ordered)
    assert [(group["count"], group["error_type"], group["line"], group["logger"]) for group in _kept(10, shuffled)] == [
        (9, None, None, None),
        (5, None, None, None),
        (5, "", 0, None),
        (5, "A", 2, None),
        (5, "A", 10, None),
        (5, "B", None, None),
        (5, None, None, "l"),
        (5, None, None, None),
    ]


def test_the_largest_stay_however_many_come() -> None:
    assert [group["count"] for group in _kept(3, [_bucket(n) for n in range(5_000)])] == [4999, 4998, 4997]


def test_groups_that_are_too_many_are_not_held() -> None:
    largest = LargestGroups(5)
    for page in range(10):
        largest.add([_bucket(number, logger=f"{page}") for number in range(1_000)])
        assert len(largest._buckets) <= 1_005
    assert [group["count"] for group in largest.groups(_no_messages)] == [999] * 5


def test_a_group_has_its_first_and_last_time_and_the_message_of_the_last() -> None:
    largest = LargestGroups(1)
    largest.add([_bucket(2, last=123456, log_id="abc", line=3)])
    [group] = largest.groups(lambda places: {places[0]: "the message"})
    assert (group["first_seen"], group["last_seen"]) == ("2025-03-01T00:00:00.000000Z", TIME.format(123456))
    assert (group["message"], group["log_id"], group["line"]) == ("the message", "abc", 3)


@pytest.mark.parametrize(("message", "text"), [(None, None), ("m", "m"), (5, "5"), (["ä", 1], '["ä",1]')])
def test_a_message_that_is_no_text_becomes_one(message: Any, text: str | None) -> None:
    largest = LargestGroups(1)
    largest.add([_bucket(1, log_id=None)])
    [group] = largest.groups(lambda places: {places[0]: message})
    assert (group["message"], group["log_id"]) == (text, None)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("2025-03-02T00:20:00Z", "2025-03-02T00:20:00.000000Z"),
        ("2025-03-02T00:20:00.5Z", "2025-03-02T00:20:00.500000Z"),
        ("2025-03-02T00:20:00.123456Z", "2025-03-02T00:20:00.123456Z"),
        ("2025-03-02T00:20:00.123456789Z", "2025-03-02T00:20:00.123456Z"),
    ],
)
def test_any_fraction_of_a_second_is_read(text: str, shown: str) -> None:
    assert iso(moment(text)) == shown

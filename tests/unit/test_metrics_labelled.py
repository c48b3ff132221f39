"""Series by label values: any value is a label, and what is kept of series is bounded."""

from __future__ import annotations

from enum import Enum
from typing import Any

import pytest

from otel_distro.metrics import labelled
from otel_distro.metrics.declared import counter, gauge
from otel_distro.metrics.labelled import Counter, Declared, label_text
from otel_distro.metrics.limits import LONGEST_VALUE
from tests.meters import reading


class _Plan(str, Enum):
    PRO = "pro"


class _Unprintable:
    def __str__(self) -> str:
        raise RuntimeError("no")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("pro", "pro"),
        (3, "3"),
        (True, "True"),
        (None, "None"),
        (_Plan.PRO, "pro"),
        ("专业", "专业"),
        ("a\ud800b", "a?b"),
        ([1], "[1]"),
        (_Unprintable(), "(unprintable)"),
    ],
    ids=lambda _: "",
)
def test_any_label_value_becomes_text_that_a_page_can_hold(value: object, text: str) -> None:
    assert label_text(value) == text
    signups = counter("d_values", labels=("plan",))
    with reading() as got:
        signups.labels(value).inc()
    assert got.value("d_values", plan=text) == 1


def test_a_long_value_keeps_one_character_more_than_a_series_has_so_that_the_cut_is_counted_there() -> None:
    assert label_text("x" * 2000) == "x" * (LONGEST_VALUE + 1)


def test_beyond_the_limit_of_kept_series_counters_still_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(labelled, "CHILDREN_LIMIT", 3)
    users = counter("d_limit", labels=("user",))
    with reading() as got:
        for user in range(10):
            users.labels(user).inc()
            users.labels(user).inc()
    assert [got.value("d_limit", user=str(user)) for user in range(10)] == [2] * 10
    assert len(users._children) == 3


def test_beyond_the_limit_of_kept_series_a_gauge_takes_no_new_ones(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(labelled, "CHILDREN_LIMIT", 1)
    depth = gauge("d_gauge_limit", labels=("queue",))
    with reading() as got:
        depth.labels("first").inc()
        depth.labels("second").inc()
        depth.labels("first").inc()
    assert got.gauge("d_gauge_limit", queue="first") == 2
    assert got.gauge("d_gauge_limit", queue="second") is None
    assert got.value("otel_distro_rejected", instrument="d_gauge_limit") == 1
    assert "more than 1 sets of label values" in caplog.text


def test_a_kind_that_binds_no_series_cannot_be_made() -> None:
    class Half(Declared[Any]):
        pass

    with pytest.raises(TypeError, match="_binder"):
        Half(None)  # type: ignore[abstract]
    assert Counter(None).label_names == ()

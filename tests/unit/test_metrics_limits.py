"""Limits: what a series may be made of, and how what is over is told."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_distro.metrics.families import labels_of
from otel_distro.metrics.limits import DEFAULT_LIMIT, LONGEST_VALUE, OVERFLOW, OVERFLOW_LABEL, Limits, fitted


def test_an_instrument_has_2000_series_unless_its_own_limit_says_otherwise() -> None:
    limits = Limits(by_instrument={"wide": 5, "none": 0})
    assert (limits.of("any"), limits.of("wide"), limits.of("none")) == (DEFAULT_LIMIT, 5, 0)
    assert DEFAULT_LIMIT == 2000
    assert Limits(7).of("any") == 7


def test_a_forked_child_counts_from_zero() -> None:
    limits = Limits()
    limits.overflowed["a"] += 1
    limits.cut_values["a"] += 1
    limits.after_fork()
    assert not limits.overflowed
    assert not limits.cut_values


def test_short_values_of_every_type_stay_as_they_are() -> None:
    attributes = {
        "a": "x" * LONGEST_VALUE,
        "b": 1,
        "c": True,
        "d": 1.5,
        "e": None,
        "f": b"x",
        "g": (1, "x"),
        "h": {"k": 1},
    }
    assert fitted(attributes) == (attributes, 0)
    assert fitted({}) == ({}, 0)


@pytest.mark.parametrize(
    "value",
    [
        "x" * (LONGEST_VALUE + 1),
        b"x" * LONGEST_VALUE,
        ("x" * 600, "y" * 600),
        {"k": "x" * LONGEST_VALUE},
        10**2000,
        (10**5000,),
    ],
    ids=["text", "bytes", "sequence", "mapping", "whole number", "number that Python does not write"],
)
def test_a_value_whose_label_would_be_longer_than_1_kb_is_cut_and_counted(value: Any) -> None:
    fitting, cut = fitted({"long": value, "short": "x"})
    assert cut == 1
    assert isinstance(fitting["long"], str)
    assert len(fitting["long"].encode()) == LONGEST_VALUE
    assert fitting["short"] == "x"


def test_the_attributes_that_were_given_are_not_changed() -> None:
    attributes = {"long": "x" * 2000, "otel.metric.overflow": True}
    fitted(attributes)
    assert attributes == {"long": "x" * 2000, "otel.metric.overflow": True}


@given(st.text(min_size=200, max_size=1500))
def test_a_cut_text_ends_with_a_whole_character_and_is_the_beginning_of_the_text(text: str) -> None:
    fitting, cut = fitted({"text": text})
    kept = fitting["text"]
    size = len(text.encode("utf-8", "replace"))
    assert cut == (size > LONGEST_VALUE)
    assert text.encode("utf-8", "replace").decode().startswith(kept.encode("utf-8", "replace").decode())
    assert min(size, LONGEST_VALUE - 3) <= len(kept.encode("utf-8", "replace")) <= LONGEST_VALUE


@given(st.recursive(st.one_of(st.text(max_size=400), st.integers(), st.floats(), st.none()), st.lists, max_leaves=8))
def test_no_label_on_the_page_is_longer_than_1_kb(value: Any) -> None:
    fitting, _ = fitted({"label": tuple(value) if isinstance(value, list) else value})
    for _, text in labels_of(fitting):
        assert len(text.encode("utf-8", "replace")) <= LONGEST_VALUE


@pytest.mark.parametrize("key", ["otel.metric.overflow", "otel_metric_overflow", "otel..metric-overflow"])
def test_a_label_that_would_look_like_the_overflow_series_is_dropped(key: str) -> None:
    for value in (True, "x" * 2 * LONGEST_VALUE):
        assert fitted({key: value, "a": "x"}) == ({"a": "x"}, 0)


@pytest.mark.parametrize("key", ["otel.metric.overflows", "my.otel.metric.overflow", "overflow"])
def test_a_label_that_only_resembles_it_stays(key: str) -> None:
    assert fitted({key: True}) == ({key: True}, 0)


def test_the_overflow_series_has_the_label_of_the_specification() -> None:
    assert labels_of(OVERFLOW) == ((OVERFLOW_LABEL, "true"),)
    assert OVERFLOW_LABEL == "otel_metric_overflow"

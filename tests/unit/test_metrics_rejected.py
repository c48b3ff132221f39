"""Which values a metric can take, and what is said and counted of the others."""

from __future__ import annotations

import logging
import math
from decimal import Decimal
from fractions import Fraction
from threading import Barrier, Thread
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_distro.metrics import rejected
from otel_distro.metrics.rejected import LARGEST, reject, reject_labels, shown, usable, warn_once
from tests.meters import reading


class _BrokenNumber(float):
    def __float__(self) -> float:
        raise RuntimeError("no")

    def __str__(self) -> str:
        raise RuntimeError("no")


USABLE: list[tuple[Any, float]] = [
    (0, 0),
    (3, 3),
    (99.99, 99.99),
    (-0.0, 0.0),
    (Decimal("99.99"), 99.99),
    (Fraction(1, 4), 0.25),
    (2**53 + 1, float(2**53)),
    (10**300, 1e300),
    (LARGEST, LARGEST),
]
NEVER_USABLE: list[Any] = [
    None,
    "",
    "99.99",
    "ten",
    b"1",
    [1],
    {"amount": 1},
    object(),
    1 + 2j,
    math.nan,
    math.inf,
    -math.inf,
    10**400,
    -(10**400),
    Decimal("NaN"),
    Decimal("sNaN"),
    Decimal("Infinity"),
    Decimal("1e999"),
    _BrokenNumber(1),
]
NEGATIVE: list[Any] = [-1, -0.01, Decimal("-1"), Fraction(-1, 2), -(2**60)]


@pytest.mark.parametrize(("value", "number"), USABLE)
def test_finite_numbers_from_zero_up_are_usable(value: Any, number: float) -> None:
    assert usable(value) == number
    assert usable(value, -LARGEST) == number


@pytest.mark.parametrize("value", NEVER_USABLE, ids=shown)
def test_what_is_no_finite_number_is_never_usable(value: Any) -> None:
    assert usable(value) is None
    assert usable(value, -LARGEST) is None


@pytest.mark.parametrize("value", NEGATIVE)
def test_a_negative_number_is_usable_only_where_the_lowest_allows_it(value: Any) -> None:
    assert usable(value) is None
    assert usable(value, -LARGEST) == float(value)


@pytest.mark.parametrize("value", [True, False])
def test_a_bool_is_a_state_in_a_signed_gauge_and_no_amount(value: bool) -> None:
    assert usable(value) is None
    assert usable(value, -LARGEST) == int(value)


def test_a_whole_number_stays_one_while_a_float_could_hold_it() -> None:
    assert type(usable(2**53)) is int
    assert type(usable(2**53 + 2)) is float


@given(
    st.one_of(
        st.integers(),
        st.floats(),
        st.decimals(),
        st.fractions(),
        st.text(),
        st.binary(),
        st.none(),
        st.booleans(),
        st.complex_numbers(),
        st.integers(min_value=300, max_value=5000).map(lambda power: 10**power),
    ),
    st.sampled_from([0.0, -LARGEST, 10.0]),
)
def test_any_value_gives_a_finite_number_within_range_or_none_and_can_be_shown(value: Any, lowest: float) -> None:
    number = usable(value, lowest)
    assert number is None or (math.isfinite(number) and lowest <= number)
    assert len(shown(value)) <= 60


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("99.99", "'99.99'"),
        ("-1,50", "'-1,50'"),
        ("hunter2", "a text of 7 characters"),
        ("4111111111111111", "a text of 16 characters"),
        (-5, "-5"),
        (Decimal("-0.10"), "-0.10"),
        (-(10**60), "-" + "1" + "0" * 35 + "..."),
        (10**5000, "a number too large to show"),
        (_BrokenNumber(1), "a number too large to show"),
        (None, "None"),
        (True, "True"),
        ({"password": "hunter2"}, "a value of type dict"),
    ],
    ids=lambda _: "",
)
def test_a_message_shows_numbers_and_never_what_could_be_a_secret(value: Any, text: str) -> None:
    assert shown(value) == text


@pytest.mark.parametrize(
    ("value", "lowest", "mend"),
    [
        (-5, 0.0, "pass a finite number not below 0"),
        (math.nan, -LARGEST, "pass a finite number"),
        ("5", 0.0, "pass a number: int, float or Decimal"),
        (True, 0.0, "pass a number, int, float or Decimal"),
    ],
)
def test_the_warning_names_instrument_value_and_mend(
    value: Any, lowest: float, mend: str, caplog: pytest.LogCaptureFixture
) -> None:
    name = f"warned_{mend}_total"
    reject(name, value, lowest)
    assert f"metric {name} cannot take {shown(value)}, which was not recorded; {mend} (" in caplog.text
    assert [record.name for record in caplog.records] == ["otel_distro"]


def test_an_amount_may_be_zero_unless_said_otherwise(caplog: pytest.LogCaptureFixture) -> None:
    assert [usable(zero) for zero in (0, 0.0, Decimal(0), Fraction(0))] == [0, 0, 0, 0]
    reject("refund_total", -1)
    assert "pass a finite number not below 0 (" in caplog.text


def test_every_refused_value_is_counted_and_only_the_first_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    with reading() as got:
        for value in (-1, math.nan, "text"):
            reject("thrice_total", value)
    assert got.value("otel_distro_rejected", instrument="thrice_total") == 3
    assert len(caplog.records) == 1


def test_values_and_labels_of_one_instrument_are_warned_of_apart(caplog: pytest.LogCaptureFixture) -> None:
    with reading() as got:
        reject("both_total", -1)
        reject_labels("both_total", "the labels plna", ("plan",))
        reject_labels("both_total", "no labels", ("plan",))
    assert got.value("otel_distro_rejected", instrument="both_total") == 3
    assert len(caplog.records) == 2
    assert "got the labels plna but is declared with labels plan; call .labels(plan)" in caplog.text


def test_of_many_threads_at_once_one_warns_and_all_count(caplog: pytest.LogCaptureFixture) -> None:
    start = Barrier(8)

    def run() -> None:
        start.wait()
        for _ in range(50):
            reject("threads_total", -1)

    with reading() as got:
        threads = [Thread(target=run) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert got.value("otel_distro_rejected", instrument="threads_total") == 400
    assert len(caplog.records) == 1


def test_what_is_remembered_of_warnings_is_bounded(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(rejected, "_warned", {})
    monkeypatch.setattr(rejected, "_WARNINGS_LIMIT", 2)
    with caplog.at_level(logging.WARNING):
        for number in range(5):
            warn_once(f"subject {number}", "problem", "message")
    assert len(caplog.records) == 2

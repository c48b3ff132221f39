"""Tallies: what readers beside the page get from its series, to the last digit."""

from __future__ import annotations

import math
import threading
from decimal import Decimal
from time import time
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.metrics.view import ExplicitBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource

from otel_distro.metrics import streams
from otel_distro.metrics.series import SharedSeries
from otel_distro.metrics.store import CellStore
from otel_distro.metrics.streams import COUNTER, EXPONENTIAL, GAUGE, HISTOGRAM, OBSERVED_COUNTER, UP_DOWN, Stream
from otel_distro.metrics.tallies import is_plain

BOUNDS = (1.0, 2.5, 10.0)
AMOUNTS = st.one_of(
    st.integers(-(2**63), 2**63), st.floats(allow_nan=False, allow_infinity=False, min_value=-1e300, max_value=1e300)
)


def _series(kind: str) -> SharedSeries:
    return SharedSeries(Stream("s", kind, "", "", BOUNDS if kind == HISTOGRAM else ()), (), CellStore())


def _aggregation(kind: str, *, record_min_max: bool = True) -> Any:
    """Return an empty aggregation of the SDK, as a reader has it."""
    views = [
        View(
            instrument_name="h",
            aggregation=ExplicitBucketHistogramAggregation(BOUNDS, record_min_max=record_min_max),
        )
    ]
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], resource=Resource({}), shutdown_on_exit=False, views=views)
    meter = provider.get_meter("tests")
    creators: dict[str, Any] = {
        COUNTER: lambda: meter.create_up_down_counter("c").add,
        UP_DOWN: lambda: meter.create_up_down_counter("u").add,
        HISTOGRAM: lambda: meter.create_histogram("h").record,
        GAUGE: lambda: meter.create_gauge("g").set,
    }
    measure = creators[kind]()
    measure(1)
    consumer: Any = provider._measurement_consumer
    (storage,) = consumer._reader_storages.values()
    (match,) = storage._get_or_init_view_instrument_match(measure.__self__)
    (aggregation,) = match._attributes_aggregation.values()
    reader.get_metrics_data()
    aggregation._value = None
    return aggregation


def _state(aggregation: Any) -> Any:
    names = ("_value", "_sum", "_min", "_max")
    return {name: repr(getattr(aggregation, name)) for name in names if hasattr(aggregation, name)}


def _measure(series: SharedSeries, amount: Any) -> None:
    series.aggregate(SimpleNamespace(value=amount, context=None, time_unix_nano=0, attributes={}), False)


def _empty(aggregation: Any) -> None:
    """Do what a collection for deltas does."""
    aggregation._value = None
    if hasattr(aggregation, "_sum"):
        aggregation._sum, aggregation._min, aggregation._max = 0, math.inf, -math.inf


KINDS = (COUNTER, UP_DOWN, HISTOGRAM, GAUGE)
STEPS = st.lists(st.one_of(AMOUNTS, st.just("collect")), max_size=20)
ODD = st.sampled_from([True, False, math.nan, math.inf, Decimal("1.5"), 2**70])
ODD_STEPS = st.lists(st.one_of(st.integers(0, 99), st.just("collect"), ODD), max_size=20)


@pytest.mark.parametrize("kind", KINDS)
@given(steps=STEPS)
def test_a_follower_has_to_the_last_digit_what_the_sdk_would_have(kind: str, steps: list[Any]) -> None:
    _same_as_the_sdk(kind, steps)


@pytest.mark.parametrize("kind", KINDS)
@given(steps=ODD_STEPS)
def test_amounts_of_every_type_are_the_sdks_own(kind: str, steps: list[Any]) -> None:
    _same_as_the_sdk(kind, steps)


def _same_as_the_sdk(kind: str, steps: list[Any]) -> None:
    series, follower, stock = _series(kind), _aggregation(kind), _aggregation(kind)
    _empty(follower)
    _empty(stock)
    assert series.follow(follower)
    for step in [*steps, "collect"]:
        if step == "collect":
            assert series.tally is not None
            series.tally.pour()
            assert _state(follower) == _state(stock)
            _empty(follower)
            _empty(stock)
        else:
            failed = [_failure(stock.aggregate, SimpleNamespace(value=step), False), _failure(_measure, series, step)]
            assert failed[0] == failed[1]


def _failure(call: Any, *arguments: Any) -> str:
    try:
        call(*arguments)
    except (ArithmeticError, TypeError) as error:
        return type(error).__name__
    return ""


@given(st.lists(st.one_of(st.integers(0, 2**60), st.sampled_from(["first", "second"])), max_size=30))
def test_each_of_two_followers_has_every_amount_once(steps: list[Any]) -> None:
    series = _series(HISTOGRAM)
    followers = {"first": _aggregation(HISTOGRAM), "second": _aggregation(HISTOGRAM)}
    for follower in followers.values():
        _empty(follower)
        series.follow(follower)
    got: dict[str, list[int]] = {"first": [0, 0], "second": [0, 0]}
    for step in [*steps, "first", "second"]:
        if step not in ("first", "second"):
            _measure(series, step)
            continue
        assert series.tally is not None
        series.tally.pour()
        got[step][0] += followers[step]._sum
        got[step][1] += sum(followers[step]._value or ())
        _empty(followers[step])
    amounts = [step for step in steps if isinstance(step, int)]
    assert got == {name: [sum(amounts), len(amounts)] for name in got}


@pytest.mark.parametrize("kind", KINDS)
def test_a_follower_gets_nothing_from_before_it_came_and_nothing_after_it_went(kind: str) -> None:
    series, early, late = _series(kind), _aggregation(kind), _aggregation(kind)
    _empty(early)
    _empty(late)
    _measure(series, 1)
    series.follow(early)
    _measure(series, 2)
    series.follow(late)
    _measure(series, 4)
    series.unfollow(early)
    _measure(series, 8)
    series.unfollow(late)
    _measure(series, 16)
    assert series.tally is None
    if kind == HISTOGRAM:
        assert (early._sum, early._value) == (6, [0, 1, 1, 0])
        assert (late._sum, late._value, late._min, late._max) == (12, [0, 0, 2, 0], 4, 8)
    elif kind == GAUGE:
        assert (early._value, late._value) == (4, 8)
    else:
        assert (early._value, late._value) == (6, 12)
    assert series.cells[0] == (16 if kind == GAUGE else 31), "the page has them all"


@pytest.mark.parametrize("odd", [True, math.nan, Decimal("0.5"), 2**64])
def test_a_tally_that_has_ended_leaves_later_measurements_to_its_followers(odd: Any) -> None:
    series, follower = _series(COUNTER), _aggregation(COUNTER)
    write_before = None
    series.follow(follower)
    write_before = series.write
    assert series.tally is not None
    _measure(series, 1)
    assert not series.tally.ended
    _measure(series, odd)
    assert series.tally.ended
    with pytest.raises(TypeError):
        series.tally.box[0] += 1
    write_before(2)
    _measure(series, 3)
    series.tally.pour()
    assert repr(follower._value) == repr(1 + odd + 2 + 3)


def test_a_gauge_keeps_any_value_and_never_ends() -> None:
    series, follower = _series(GAUGE), _aggregation(GAUGE)
    series.follow(follower)
    assert series.tally is not None
    for value in (False, None, Decimal(1), "7", 0):
        _measure(series, value)
        series.tally.pour()
        assert follower._value is value
        assert not series.tally.ended
    follower._value = None
    series.tally.pour()
    assert follower._value is None, "what was poured is not poured again"


@pytest.mark.parametrize(("value", "shown"), [(7, 7.0), (2.5, 2.5), (True, 1.0), (Decimal("0.5"), 0.5)], ids=str)
def test_a_gauge_that_a_reader_follows_stands_on_the_page_with_its_time(value: Any, shown: float) -> None:
    series = _series(GAUGE)
    series.follow(_aggregation(GAUGE))
    before = time()
    _measure(series, value)
    assert series.cells[0] == shown
    assert before <= series.cells[1] <= time()


def test_who_writes_a_gauge_while_its_last_reader_goes_still_reaches_it() -> None:
    series, follower = _series(GAUGE), _aggregation(GAUGE)
    series.follow(follower)
    write_before = series.write
    series.unfollow(follower)
    write_before(2)
    assert follower._value == 2
    assert series.cells[0] == 2


def test_a_reader_that_wants_no_least_and_greatest_gets_none() -> None:
    series, follower = _series(HISTOGRAM), _aggregation(HISTOGRAM, record_min_max=False)
    series.follow(follower)
    _measure(series, 2)
    assert series.tally is not None
    series.tally.pour()
    assert (follower._min, follower._max, follower._value) == (math.inf, -math.inf, [0, 1, 0, 0])


@pytest.mark.parametrize("kind", [EXPONENTIAL, OBSERVED_COUNTER])
def test_kinds_whose_points_cells_cannot_tell_are_not_followed(kind: str) -> None:
    series = _series(kind)
    assert not series.follow(_aggregation(COUNTER))
    assert series.tally is None


def test_without_a_global_lock_every_reader_keeps_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "GIL", False)
    series = _series(COUNTER)
    assert not series.follow(_aggregation(COUNTER))


def test_a_measurement_in_the_midst_of_a_pouring_of_the_same_thread_does_not_hang() -> None:
    series, follower = _series(COUNTER), _aggregation(COUNTER)
    _empty(follower)
    series.follow(follower)
    assert series.tally is not None
    done = threading.Event()

    def measure_in_the_midst() -> None:
        assert series.tally is not None
        with series.tally._lock:  # as a signal handler finds it
            _measure(series, True)
        done.set()

    threading.Thread(target=measure_in_the_midst, daemon=True).start()
    assert done.wait(10)
    assert follower._value == 1


@given(st.one_of(AMOUNTS, ODD, st.sampled_from(["1", None, -(2**63) - 1])))
def test_plain_are_finite_floats_and_whole_numbers_as_far_as_they_are_quick(amount: Any) -> None:
    plain = (type(amount) is float and math.isfinite(amount)) or (type(amount) is int and abs(amount) <= 2**63)
    assert is_plain(amount) is plain

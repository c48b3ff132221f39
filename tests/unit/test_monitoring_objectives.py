"""Objectives and thresholds: what can be chosen, and that the windows of budgets fit each other."""

from __future__ import annotations

import math

import pytest

from otel_distro.errors import InputError
from otel_distro.monitoring.objectives import (
    BURN_RATES,
    DURATION_BUCKETS,
    LEAST_OBJECTIVE,
    LONG_WINDOWS,
    RATE_WINDOW,
    SHORT_WINDOWS,
    Objectives,
)
from otel_distro.web.requests import DURATION_BUCKETS as RECORDED_BUCKETS


@pytest.mark.parametrize("percent", [0, 50, 93.9, 99.9991, 100, 101, -1, math.nan, math.inf])
def test_an_objective_out_of_range_is_an_error_that_names_it_and_the_range(percent: float) -> None:
    with pytest.raises(InputError, match=rf"^objective {percent:g} cannot be used; .* from 94 to 99.999$"):
        Objectives(availability=percent)
    with pytest.raises(InputError, match="latency objective"):
        Objectives(latency=percent)


def test_a_latency_that_is_no_bound_of_a_bucket_is_an_error_that_lists_the_bounds() -> None:
    with pytest.raises(InputError, match=r"latency threshold 0.3 .*0.25, 0.5, 1"):
        Objectives(latency_seconds=0.3)


def test_the_bounds_are_those_that_requests_are_recorded_with() -> None:
    assert tuple(RECORDED_BUCKETS) == DURATION_BUCKETS


def test_with_the_least_objective_the_fastest_burn_rate_can_still_be_reached() -> None:
    budget = Objectives(availability=LEAST_OBJECTIVE).availability_budget
    assert max(rate.factor for rate in BURN_RATES) * budget < 1


def test_budgets_are_the_rest_to_a_hundred_percent_without_rounding_noise() -> None:
    assert [Objectives(availability=p).availability_budget for p in (99.9, 99, 95, 99.999)] == [0.001, 0.01, 0.05, 1e-5]


def test_each_short_window_is_a_twelfth_of_its_long_one_and_every_window_is_recorded() -> None:
    assert all(rate.short * 12 == rate.long for rate in BURN_RATES)
    assert {window for rate in BURN_RATES for window in (rate.long, rate.short)} == {*SHORT_WINDOWS, *LONG_WINDOWS}
    assert SHORT_WINDOWS[0] == RATE_WINDOW


def test_the_longer_the_windows_the_slower_the_burning_and_the_longer_it_must_hold() -> None:
    assert [rate.factor for rate in BURN_RATES] == [14.4, 6, 3, 1]
    assert sorted(BURN_RATES, key=lambda rate: rate.held) == list(BURN_RATES)
    assert all(rate.held < rate.long for rate in BURN_RATES)

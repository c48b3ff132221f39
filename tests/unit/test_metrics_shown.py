"""What cells show on a page."""

from __future__ import annotations

import pytest

from otel_distro.metrics import streams
from otel_distro.metrics.families import COUNTER, GAUGE, HISTOGRAM, SUMMARY, Distribution
from otel_distro.metrics.shown import family_kind, plain, value_of
from otel_distro.metrics.streams import Stream


@pytest.mark.parametrize(
    ("kind", "bounds", "shown"),
    [
        (streams.COUNTER, (), COUNTER),
        (streams.OBSERVED_COUNTER, (), COUNTER),
        (streams.UP_DOWN, (), GAUGE),
        (streams.GAUGE, (), GAUGE),
        (streams.OBSERVED_GAUGE, (), GAUGE),
        (streams.HISTOGRAM, (1.0,), HISTOGRAM),
        (streams.HISTOGRAM, (), SUMMARY),
        (streams.EXPONENTIAL, (), HISTOGRAM),
    ],
)
def test_each_kind_of_stream_has_its_kind_on_the_page(kind: str, bounds: tuple[float, ...], shown: str) -> None:
    assert family_kind(Stream("a", kind, "", "", bounds)) == shown


@pytest.mark.parametrize(("value", "shown"), [(3.0, 3), (2.5, 2.5), (-0.0, 0), (2.0**53, 2**53), (1e300, 1e300)])
def test_whole_numbers_are_shown_whole_as_far_as_doubles_tell_them_apart(value: float, shown: float) -> None:
    assert plain(value) == shown
    assert isinstance(plain(value), int) is isinstance(shown, int)


def test_a_histogram_without_bounds_shows_count_and_sum() -> None:
    assert value_of(Stream("a", streams.HISTOGRAM, "", ""), [7.5, 3.0]) == Distribution(3, 7.5)

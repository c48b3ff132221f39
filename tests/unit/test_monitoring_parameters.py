"""For whom the files are made: names that can be used, times as Prometheus writes them, selectors."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_distro.errors import InputError
from otel_distro.monitoring.parameters import Parameters, duration, selector

UNITS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(300, "5m"), (86_400, "1d"), (3600, "1h"), (5400, "90m"), (5, "5s"), (0.25, "250ms"), (0, "1ms"), (259_200, "3d")],
)
def test_a_time_is_written_in_the_largest_unit_that_divides_it(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@given(st.integers(1, 10**12))
def test_a_written_time_is_the_time_to_the_millisecond(milliseconds: int) -> None:
    number, unit = re.fullmatch(r"(\d+)(ms|[smhd])", duration(milliseconds / 1000)).groups()  # type: ignore[union-attr]
    assert int(number) * UNITS[unit] == milliseconds


def test_the_pace_scales_every_time() -> None:
    assert [Parameters(pace=1 / 60).span(seconds) for seconds in (300, 3600, 86_400)] == ["5s", "1m", "24m"]


@pytest.mark.parametrize("name", ["shop", "api-v2", "team/shop", "a.b_c:8000", "x" * 128])
def test_a_service_is_a_label_value_that_needs_no_escaping(name: str) -> None:
    assert Parameters(name).series("up") == f'up{{job="{name}"}}'


@pytest.mark.parametrize("name", ["", " shop", 'a"b', "a\\b", "a\nb", "{x}", "x" * 129, "商店"])
def test_any_other_service_is_an_error_that_names_it(name: str) -> None:
    with pytest.raises(InputError, match=re.escape(f"service {name!r} cannot be used")):
        Parameters(name)


def test_an_unknown_language_is_an_error_that_names_the_known_ones() -> None:
    with pytest.raises(InputError, match="language 'fr' is not known; it must be one of en, zh"):
        Parameters(language="fr")


def test_a_selector_without_matchers_is_the_bare_name() -> None:
    assert selector("up") == "up"
    assert Parameters().series("up", 'a="b"') == 'up{a="b"}'
    assert Parameters("shop").series("up", 'a="b"') == 'up{job="shop",a="b"}'

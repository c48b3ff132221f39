"""Prometheus names: the same as the stock exporter's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.exporter.prometheus import _mapping as stock

from otel_distro.metrics.naming import label_name, metric_name, unit_name

NAMES = st.text(min_size=1, max_size=20) | st.from_regex(r"[a-z0-9._:/{}%-]{1,20}", fullmatch=True)


@given(NAMES)
def test_every_name_becomes_what_the_stock_exporter_makes_of_it(name: str) -> None:
    assert metric_name(name) == stock.sanitize_full_name(name)
    assert label_name(name) == stock.sanitize_attribute(name)


@given(st.sampled_from(["s", "By", "By/s", "{order}", "{order}/s", "/s", "1", "m/h", "ms", "foo/bar", "", "%"]) | NAMES)
def test_every_unit_becomes_what_the_stock_exporter_makes_of_it(unit: str) -> None:
    assert unit_name(unit) == stock.map_unit(unit)


@pytest.mark.parametrize(
    ("unit", "word"), [("s", "seconds"), ("By", "bytes"), ("m/s", "meters_per_second"), ("{order}", ""), ("1", "")]
)
def test_common_units_have_their_prometheus_words(unit: str, word: str) -> None:
    assert unit_name(unit) == word

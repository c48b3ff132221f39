"""The forms of PromQL: every one parses, whatever it is made of, and groups both sides alike."""

from __future__ import annotations

import promql_parser
import pytest

from otel_distro.monitoring.promql import bound, grown, or_nothing, part_rate, quantile, share, summed_rate

FORMS = {
    "summed_rate": summed_rate("job", "a_total", "5m"),
    "part_rate": part_rate("job", 'a_total{x="y"}', "a_total", "5m"),
    "share": share("job, endpoint", 'a_total{x="y"}', "a_total", "5m"),
    "quantile": quantile(0.95, "job", "a_bucket", "5m"),
    "grown": grown("job", 'a_total{x="y"}', "15m", "1d"),
    "or_nothing": or_nothing("job:a:rate5m", "job:a:rate5m", "1d"),
    "bound": f"a_bucket{{{bound(1.0)}}} + a_bucket{{{bound(0.25)}}}",
}


@pytest.mark.parametrize("name", FORMS)
def test_each_form_parses_alone_and_inside_of_a_comparison(name: str) -> None:
    promql_parser.parse(FORMS[name])
    promql_parser.parse(f"({FORMS[name]}) > 0.5")


def test_a_share_sums_both_sides_up_by_the_same_labels() -> None:
    assert FORMS["share"].count("sum by (job, endpoint) (") == 3


def test_a_quantile_keeps_le_and_takes_rates() -> None:
    assert FORMS["quantile"] == "histogram_quantile(0.95, sum by (le, job) (rate(a_bucket[5m])))"


def test_a_whole_bound_matches_with_and_without_its_point() -> None:
    assert bound(1.0) == r'le=~"1(\\.0)?"'
    assert bound(10.0) == r'le=~"10(\\.0)?"'
    assert bound(0.005) == 'le="0.005"'

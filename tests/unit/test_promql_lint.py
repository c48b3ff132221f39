"""The reader of expressions finds what is wrong, and nothing where nothing is."""

from __future__ import annotations

import pytest

from tests.promql_lint import faults

CATALOG = {
    "a_total": frozenset({"job", "instance", "status"}),
    "a_seconds_bucket": frozenset({"job", "instance", "le"}),
    "up": frozenset({"job", "instance"}),
}


@pytest.mark.parametrize(
    "expression",
    [
        'sum by (job) (rate(a_total{status=~"5.."}[5m])) / sum by (job) (rate(a_total[5m]))',
        "histogram_quantile(0.95, sum by (le, job) (rate(a_seconds_bucket[5m])))",
        "(sum by (job) (rate(a_total[5m])) or sum by (job) (up) * 0) < 1",
        'topk(10, count by (__name__, job) ({job="shop"}))',
        "sum_over_time(up[1d:2m]) unless up offset 5m",
    ],
)
def test_a_sound_expression_has_no_faults(expression: str) -> None:
    assert faults(expression, CATALOG) == []


@pytest.mark.parametrize(
    ("expression", "fault"),
    [
        ("a_totals", "there is no metric a_totals"),
        ('a_total{state="x"}', "a_total has no label state"),
        ('{state="x"}', "None has no label state"),
        ("sum by (endpoint) (rate(a_total[5m]))", "has the label endpoint"),
        ('rate(a_total{status="500"}[5m]) / rate(a_total[5m])', "not summed up"),
        ("sum by (job) (rate(a_total[5m])) / (rate(a_total[5m]))", "not summed up"),
        ("histogram_quantile(0.95, sum by (le) (a_seconds_bucket))", "without a rate"),
        ("histogram_quantile(0.95, rate(a_seconds_bucket[5m]))", "summed up by le"),
        ("histogram_quantile(0.95, sum by (job) (rate(a_seconds_bucket[5m])))", "summed up by le"),
        ("(a_total or vector(0)) < 1", "`or vector()`"),
    ],
)
def test_each_fault_is_found_once_and_named(expression: str, fault: str) -> None:
    (found,) = faults(expression, CATALOG)
    assert fault in found


def test_what_does_not_parse_is_an_error() -> None:
    with pytest.raises(ValueError, match="unclosed left parenthesis"):
        faults("sum(", CATALOG)

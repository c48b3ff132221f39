"""The recorded series: named by level, metric and operation, with their window, and all that are used are there."""

from __future__ import annotations

import re

import pytest

from otel_distro.monitoring.files import alert_groups
from otel_distro.monitoring.model import Alert, Recording
from otel_distro.monitoring.parameters import Parameters
from otel_distro.monitoring.recording import business_groups, errors_share, request_groups, slow_share

GROUPS = (*request_groups(Parameters()), *business_groups(Parameters()))
RECORDED = [rule for group in GROUPS for rule in group.rules if isinstance(rule, Recording)]
LABELS = {
    "job": "job",
    "job_endpoint": "job, endpoint",
    "job_currency": "job, currency",
    "job_status": "job, status",
    "job_payment_method": "job, payment_method",
}
_NAME = re.compile(r"\bjob\w*:\w+:\w+")


def test_no_name_is_recorded_twice() -> None:
    assert len({rule.name for rule in RECORDED}) == len(RECORDED)


@pytest.mark.parametrize("rule", RECORDED, ids=lambda rule: rule.name)
def test_a_name_says_its_window_and_the_expression_has_no_other(rule: Recording) -> None:
    windows = set(re.findall(r"\[(\w+)\]", rule.expression))
    assert len(windows) == 1
    assert rule.name.endswith(tuple(windows))


@pytest.mark.parametrize("rule", RECORDED, ids=lambda rule: rule.name)
def test_an_expression_sums_up_by_the_level_of_its_name_or_takes_what_was_summed_up_so(rule: Recording) -> None:
    level = rule.name.partition(":")[0]
    groupings = set(re.findall(r"sum by \(([^)]*)\)", rule.expression))
    assert groupings <= {LABELS[level], f"le, {LABELS[level]}"}
    assert {name.partition(":")[0] for name in _NAME.findall(rule.expression)} <= {level}


def test_every_recorded_series_that_an_alert_or_a_query_names_is_recorded() -> None:
    alerts = [rule for group in alert_groups(Parameters()).values() for rule in group.rules if isinstance(rule, Alert)]
    named = {name for alert in alerts for text in (alert.expression, *alert.queries) for name in _NAME.findall(text)}
    assert len(named) > 10
    assert named <= {rule.name for rule in RECORDED}


def test_rules_that_look_back_for_days_are_evaluated_less_often_and_before_their_series_go_stale() -> None:
    assert [group.interval for group in GROUPS] == [None, None, "2m", None]


def test_shares_over_a_window_are_named_by_it() -> None:
    assert (errors_share(300), slow_share(259_200)) == (
        "job:http_request_errors:ratio_rate5m",
        "job:http_request_slow:ratio_rate3d",
    )

"""Every alert is tried out in each of the five situations, and the cases say what their names promise."""

from __future__ import annotations

from collections import Counter

import pytest

from otel_distro.monitoring.files import alert_groups
from otel_distro.monitoring.model import Alert
from otel_distro.monitoring.parameters import Parameters
from tests.alert_cases.model import KINDS, Case
from tests.alert_cases.render import CASES, RULES

GROUPS = alert_groups(Parameters())
ALL = [case for cases in CASES.values() for case in cases]


@pytest.mark.parametrize("name", GROUPS)
def test_every_alert_of_a_file_has_a_case_of_every_kind(name: str) -> None:
    alerts = {rule.name for rule in GROUPS[name].rules if isinstance(rule, Alert)}
    wanted = {(alert, kind) for alert in alerts for kind in KINDS}
    assert {(case.alert, case.kind) for case in CASES[name]} == wanted


@pytest.mark.parametrize("name", GROUPS)
def test_the_tests_of_a_file_load_its_rules(name: str) -> None:
    assert f"alerts/{name}" in RULES[name]


@pytest.mark.parametrize("case", ALL, ids=lambda case: f"{case.alert} {case.name}")
def test_a_case_expects_what_its_kind_means(case: Case) -> None:
    firing = [bool(expected) for expected in case.at.values()]
    if case.kind == "fires":
        assert any(firing)
    if case.kind == "recovers":
        assert not firing[-1]
    if case.kind == "just under" and "leaves the fastest pair out" not in case.name:
        assert not any(firing)


def test_every_case_has_a_name_of_its_own_that_is_a_sentence() -> None:
    names = Counter(f"{case.alert} {case.name}" for case in ALL)
    assert [name for name, number in names.items() if number > 1] == []
    assert all(case.name.split()[0] in {"is", "fires", "ends", "adds", "does", "warns", "leaves"} for case in ALL)


def test_every_alert_has_a_recovery_that_first_fired() -> None:
    recovering = {case.alert for case in ALL if case.kind == "recovers" and any(case.at.values())}
    assert recovering == {case.alert for case in ALL}

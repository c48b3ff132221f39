"""The rules for gauges that several processes set."""

from __future__ import annotations

import pytest

from otel_distro.metrics.merge import RULES
from otel_distro.metrics.sources import GaugeRules


def test_the_most_recent_value_is_shown_unless_another_rule_is_set() -> None:
    assert GaugeRules().of("level") == "most_recent"


@pytest.mark.parametrize("rule", RULES)
def test_a_gauge_has_the_default_rule_or_its_own(rule: str) -> None:
    rules = GaugeRules(rule, (("queue", "sum"),))
    assert (rules.of("level"), rules.of("queue")) == (rule, "sum")

"""The third generation's promtool judges rules, and knows what the second does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.services import prometheus3

RULES = "groups: [{name: shop, rules: [{record: job:orders, expr: 'sum by (job) (orders_total)'}]}]\n"


def test_it_judges_rules(tmp_path: Path) -> None:
    (tmp_path / "good.yml").write_text(RULES)
    (tmp_path / "bad.yml").write_text(RULES.replace("(orders_total)", "((orders_total)"))
    assert "SUCCESS: 1 rules found" in prometheus3.promtool("check", "rules", tmp_path / "good.yml")
    with pytest.raises(AssertionError, match="unclosed left parenthesis"):
        prometheus3.promtool("check", "rules", tmp_path / "bad.yml")


def test_it_takes_names_in_quotes_which_the_second_generation_does_not_know(tmp_path: Path) -> None:
    (tmp_path / "quoted.yml").write_text(RULES.replace("(orders_total)", '({"orders.total"})'))
    assert "SUCCESS: 1 rules found" in prometheus3.promtool("check", "rules", tmp_path / "quoted.yml")

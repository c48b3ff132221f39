"""The long form of forking from a busy parent."""

from __future__ import annotations

import pytest

from tests.integration.test_metrics_forks import check_forks


@pytest.mark.timeout(900)
def test_a_hundred_children_of_a_busy_parent_neither_hang_nor_report_its_totals() -> None:
    check_forks(100)

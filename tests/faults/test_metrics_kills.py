"""The long form of what the unit and integration tests do a few times: kill processes that share metrics."""

from __future__ import annotations

from pathlib import Path

import pytest

from otel_distro.metrics import group as groups
from tests.unit.test_metrics_folding import check_killed_folders
from tests.unit.test_metrics_group import check_joins, check_leaving_and_joining
from tests.unit.test_metrics_shared import check_kills


@pytest.mark.timeout(600)
def test_what_had_returned_survives_hundreds_of_kills_in_the_middle_of_writing(tmp_path: Path) -> None:
    check_kills(tmp_path, rounds=400)


@pytest.mark.timeout(600)
def test_folding_that_is_killed_hundreds_of_times_never_lowers_or_doubles_a_total(tmp_path: Path) -> None:
    check_killed_folders(tmp_path, kills=400)


@pytest.mark.timeout(600)
def test_joining_and_leaving_hundreds_of_times_at_once_loses_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(groups, "_MEMORY_FOLDER", tmp_path)
    check_joins(rounds=400)
    check_leaving_and_joining(rounds=1000)

"""The long form of what the unit and integration tests do a few times: kill processes that share metrics."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.test_metrics_folding import check_killed_folders
from tests.unit.test_metrics_shared import check_kills


@pytest.mark.timeout(600)
def test_what_had_returned_survives_hundreds_of_kills_in_the_middle_of_writing(tmp_path: Path) -> None:
    check_kills(tmp_path, rounds=400)


@pytest.mark.timeout(600)
def test_folding_that_is_killed_hundreds_of_times_never_lowers_or_doubles_a_total(tmp_path: Path) -> None:
    check_killed_folders(tmp_path, kills=400)

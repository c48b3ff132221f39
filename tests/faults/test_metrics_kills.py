"""The long form of what the unit and integration tests do a few times: kill processes that share metrics."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.test_metrics_shared import check_kills


@pytest.mark.timeout(600)
def test_what_had_returned_survives_hundreds_of_kills_in_the_middle_of_writing(tmp_path: Path) -> None:
    check_kills(tmp_path, rounds=400)

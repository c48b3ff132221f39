"""The committed dashboards are in step with the code."""

from __future__ import annotations

import pytest

from docs.generate import FOLDER, dashboard_files


@pytest.mark.parametrize("name", dashboard_files())
def test_a_dashboard_is_what_the_generator_writes(name: str) -> None:
    assert (FOLDER.parent / name).read_text(encoding="utf-8") == dashboard_files()[name], f"{name}: `make docs`"

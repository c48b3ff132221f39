"""The generated pages of docs/ are in step with the code."""

from __future__ import annotations

import pytest

from docs.generate import FOLDER, PAGES, index_templates, monitoring_files
from otel_distro.settings import OTLP_ENDPOINTS
from otel_distro.variables import VARIABLES


@pytest.mark.parametrize("name", PAGES)
def test_a_generated_page_is_what_the_code_says(name: str) -> None:
    assert (FOLDER / name).read_text(encoding="utf-8") == PAGES[name](), f"{name} is behind the code: `make docs`"


@pytest.mark.parametrize("name", index_templates())
def test_an_index_template_is_what_setup_installs(name: str) -> None:
    assert (FOLDER.parent / name).read_text(encoding="utf-8") == index_templates()[name], f"{name}: `make docs`"


@pytest.mark.parametrize("name", monitoring_files())
def test_rules_alerts_and_runbook_are_what_the_generator_writes(name: str) -> None:
    assert (FOLDER.parent / name).read_text(encoding="utf-8") == monitoring_files()[name], f"{name}: `make docs`"


def test_the_endpoints_that_turn_signals_on_are_named() -> None:
    assert [name for name in OTLP_ENDPOINTS if f"`{name}`" not in PAGES["settings.md"]()] == []


def test_every_variable_has_one_row_of_as_many_cells_as_the_head() -> None:
    rows = [line for line in PAGES["settings.md"]().splitlines() if line.startswith("|")]
    head, _, *variables = rows
    assert [row.split("`")[1] for row in variables] == [variable.name for variable in VARIABLES]
    assert {row.count("|") for row in variables} == {head.count("|")}

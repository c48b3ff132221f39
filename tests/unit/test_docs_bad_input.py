"""The table of bad input names a test for each of its rows, and each of them exists."""

from __future__ import annotations

import ast
import re

import pytest

from tests.processes import ROOT

ROWS = [
    line
    for line in (ROOT / "docs" / "bad-input.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("| ") and not line.startswith(("| ---", "| input"))
]


def test_the_table_has_a_row_for_each_kind_of_input() -> None:
    assert len(ROWS) >= 40


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip())
def test_the_test_that_a_row_names_exists(row: str) -> None:
    (path, name) = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", row)[0]
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    assert name in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}

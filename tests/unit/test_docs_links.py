"""Each link of the pages leads to a file that is there, and to a heading of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.processes import ROOT

PAGES = sorted(
    page for folder in (".", "docs", "collector-config", "examples/*") for page in ROOT.glob(f"{folder}/*.md")
)


def anchors(page: Path) -> set[str]:
    """Return what a reader's browser finds the headings of a page by, as GitHub names them."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_each_link_leads_to_a_file_and_to_a_heading_of_it(page: Path) -> None:
    for link in re.findall(r"\]\((?!https?:)([^)\s]+)\)", page.read_text(encoding="utf-8")):
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_all_pages_are_read() -> None:
    assert {"README.md", "CONTRIBUTING.md", "pipeline.md", "runbook.md"} <= {page.name for page in PAGES}
    assert len([page for page in PAGES if page.parent.parent.name == "examples"]) == 2

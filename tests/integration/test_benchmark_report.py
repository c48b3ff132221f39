"""The runner of the benchmarks in its quick form, without the environments of other packages; times are not judged."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.benchmarks.tables import tables
from tests.processes import ROOT

PARTS = ("flask_cost", "log_line_cost")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run two parts; a counter, a page or a receiver that says another number than was served fails it."""
    folder = tmp_path_factory.mktemp("report")
    only = [word for part in PARTS for word in ("--only", part)]
    command = [sys.executable, "-m", "tests.benchmarks.report", "--quick", "--without-peers", "--out", str(folder)]
    subprocess.run([*command, *only], check=True, timeout=250)
    return folder


def test_the_report_has_every_variant_with_its_spread_and_what_was_checked(folder: Path) -> None:
    promised, requests, lines = tables((folder / "benchmarks.md").read_text())
    assert requests.heading[:3] == ["variant", "x bare", "quartiles"]
    assert [row[0] for row in requests.rows][:6] == [
        "bare",
        "bare again",
        "by hand, labels()",
        "by hand, pre-bound",
        "by hand, multi-process",
        "ours, metrics",
    ]
    assert list(requests.missing()) == []
    for row in requests.rows:
        assert requests.number(row, "x bare")
        assert requests.cell(row, "requests, checked").startswith("601 = ")
    assert requests.number(requests.rows[0], "x bare") == 1
    assert {row[0] for row in lines.rows} >= {"plain", "plain again", "ours"}
    assert {row[2] for row in promised.rows} <= {"yes", "**no**"}
    calls = next(row for row in promised.rows if row[0] == "A request, metrics: at most 400 function calls")
    assert calls[2] == "yes"


def test_every_plot_of_the_report_is_a_picture_with_its_title(folder: Path) -> None:
    text = (folder / "benchmarks.md").read_text()
    plots = sorted((folder / "benchmarks").glob("*.svg"))
    assert [plot.name for plot in plots] == ["flask_calls.svg", "flask_cpu.svg", "log_line.svg"]
    for plot in plots:
        assert f"(benchmarks/{plot.name})" in text
        picture = ElementTree.fromstring(plot.read_text())  # noqa: S314 -- our own file
        assert picture.tag == "{http://www.w3.org/2000/svg}svg"
        assert picture.findtext("{http://www.w3.org/2000/svg}title")


def test_the_report_says_where_and_under_what_load_it_was_made(folder: Path) -> None:
    text = (folder / "benchmarks.md").read_text()
    assert "- Machine: " in text
    assert "- Load of the machine while it ran: " in text
    assert "flask 3" in text
    for part in PARTS:
        assert f"`python -m tests.benchmarks.{part} " in text


def test_a_part_alone_does_not_take_the_others_out_of_the_page(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "tests", tmp_path / "tests", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "benchmarks.md").write_text("kept")
    command = [sys.executable, "-m", "tests.benchmarks.report", "--only", "flask_cost"]
    done = subprocess.run(command, check=False, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "docs/benchmarks.md would lose asgi_cost, page_cost, " in done.stderr
    assert "Run it once without --only and --draw" in done.stderr
    assert (tmp_path / "docs" / "benchmarks.md").read_text() == "kept"

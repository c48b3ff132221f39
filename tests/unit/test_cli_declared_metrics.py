"""`--from` finds what a module of the working folder declares, in a process of its own as the command line is one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.processes import AppProcess

DECLARING = """
from otel_distro import counter, gauge, histogram

counter("signups", "New accounts.", labels=("plan.name",))
gauge("queue_depth", "Jobs that wait.")
histogram("render_seconds", labels=("page",))
histogram("answer_bytes", buckets=())
counter("no name at all")
"""


@contextmanager
def written(folder: Path, place: str) -> Iterator[AppProcess]:
    command: list[str | Path] = ["otel-distro", "dashboards", "--from", place, "--out", folder / "out"]
    with AppProcess(command, cwd=folder) as program:
        program.wait()
        yield program


@pytest.mark.parametrize("place", ["house:metrics", "house.metrics"])
def test_each_declared_metric_has_a_panel_under_its_scraped_name(place: str, tmp_path: Path) -> None:
    (tmp_path / "house").mkdir()
    (tmp_path / "house" / "metrics.py").write_text(DECLARING)
    with written(tmp_path, place) as program:
        assert program.returncode == 0, program.output
    business = json.loads((tmp_path / "out" / "dashboards" / "business.json").read_text())
    rows = [panel["title"] for panel in business["panels"]]
    own = rows[rows.index("Metrics of your own") + 1 :]
    assert own == ["signups_total", "queue_depth", "render_seconds", "answer_bytes"]
    shown = {panel["title"]: panel["targets"][0]["expr"] for panel in business["panels"] if panel["title"] in own}
    assert "sum by (plan_name) (rate(signups_total{" in shown["signups_total"]
    assert "answer_bytes_sum" in shown["answer_bytes"]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("x = 1", "declares no counter, gauge or histogram"),
        ("from otel_distro import BusinessMetrics", "declares no counter, gauge or histogram"),
        ("1 / 0", "cannot be imported: ZeroDivisionError: division by zero"),
        ("raise SystemExit(0)", "cannot be imported: it ends the program"),
        ("def", "cannot be imported: SyntaxError"),
    ],
)
def test_a_module_that_cannot_be_used_is_one_line_and_code_2(source: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(source)
    with written(tmp_path, "mine") as program:
        assert program.returncode == 2, program.output
        assert said in program.stderr
        assert program.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()

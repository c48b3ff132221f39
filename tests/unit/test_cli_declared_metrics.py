"""`--from` finds what a module of the working folder declares, in a process of its own as the command line is one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.processes import AppProcess
from tests.support import free_port

DECLARING = """
from otel_distro import counter, gauge, histogram

counter("signups", "New accounts.", labels=("plan.name",))
gauge("queue_depth", "Jobs that wait.")
histogram("render_seconds", labels=("page",))
histogram("answer_bytes", buckets=())
counter("no name at all")
counter("runs", labels=("job", "instance", "state"))
"""


@contextmanager
def written(folder: Path, place: str, env: dict[str, str] | None = None) -> Iterator[AppProcess]:
    command: list[str | Path] = ["otel-distro", "dashboards", "--from", place, "--out", folder / "out"]
    with AppProcess(command, env, cwd=folder) as program:
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
    assert own == ["signups_total", "queue_depth", "render_seconds", "answer_bytes", "runs_total"]
    shown = {panel["title"]: panel["targets"][0]["expr"] for panel in business["panels"] if panel["title"] in own}
    assert "sum by (plan_name) (rate(signups_total{" in shown["signups_total"]
    assert "answer_bytes_sum" in shown["answer_bytes"]
    assert "sum by (exported_job, exported_instance, state) (rate(runs_total{" in shown["runs_total"]


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


def test_a_module_that_goes_to_another_folder_takes_the_files_nowhere(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("import os, otel_distro\nos.chdir('/')\notel_distro.counter('signups')\n")
    command = ["otel-distro", "dashboards", "--from", "mine", "--out", "out"]
    with AppProcess(command, cwd=tmp_path) as program:
        assert program.wait() == 0, program.output
        assert "out/dashboards/business.json" in program.stdout.splitlines()
    assert (tmp_path / "out" / "dashboards" / "business.json").exists()


def test_a_thread_that_a_module_starts_and_that_never_ends_does_not_keep_the_command(tmp_path: Path) -> None:
    source = "import threading, otel_distro\nthreading.Thread(target=threading.Event().wait).start()\n"
    (tmp_path / "mine.py").write_text(f"{source}otel_distro.counter('signups')\n")
    with written(tmp_path, "mine") as program:
        assert program.returncode == 0, program.output
        assert len(program.stdout.splitlines()) == len(list((tmp_path / "out" / "dashboards").iterdir()))


def test_a_working_folder_that_is_gone_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    command = f"rmdir '{tmp_path}/gone' && exec otel-distro dashboards --from mine --out '{tmp_path}/out'"
    with AppProcess(["/bin/sh", "-c", command], cwd=tmp_path / "gone") as program:
        assert program.wait() == 2
        said = "otel-distro: --from 'mine' cannot be imported: no working folder (No such file or directory)"
        assert program.output.strip() == said


def test_a_service_that_is_imported_starts_no_page_and_no_exporter_and_prints_nothing_among_the_files(
    tmp_path: Path,
) -> None:
    starting = f"""
import otel_distro
from opentelemetry import trace
otel_distro.configure()
otel_distro.start_metrics_server({free_port()})
otel_distro.counter("signups")
print(trace.get_tracer("test").start_span("work").is_recording())
"""
    (tmp_path / "mine.py").write_text(starting)
    receiver = f"http://127.0.0.1:{free_port()}"
    env = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver, "OTEL_DISTRO_LOG_FILE": str(tmp_path / "mine.log")}
    with written(tmp_path, "mine", env) as program:
        assert program.returncode == 0, program.output
        assert all(line.endswith(".json") for line in program.stdout.splitlines())
        assert "False" in program.stderr
        assert "served at" not in program.output
    assert not (tmp_path / "mine.log").exists()

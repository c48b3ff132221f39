"""`otel-distro logs tail` as a process: what was logged last, and what comes, from files and from Elasticsearch."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from tests.elastic import install, load, new_prefix
from tests.log_oracle import Document, log_document, moment_of, write_log
from tests.processes import ROOT, AppProcess, clean_environment
from tests.services.elasticsearch import Elasticsearch
from tests.support import wait_until

NOW = datetime.now(timezone.utc)
OLD = [log_document(NOW - timedelta(seconds=30 - n), n, level="ERROR" if n % 2 else "INFO") for n in range(20)]
# Of the last one's day: that of the next has an index which is being made while it is asked for.
LATER = moment_of(OLD[-1])
COMMAND = [sys.executable, "-m", "otel_distro.cli", "logs", "tail"]


class Logs:
    """A place with the old documents: its options, and a function that adds documents."""

    def __init__(self, options: list[str], add: Callable[[list[Document]], None]) -> None:
        self.options = options
        self.add = add


@pytest.fixture(params=["local", "elasticsearch"])
def logs(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Logs]:
    if request.param == "local":
        path = write_log(tmp_path / "app.log", OLD)

        def append(documents: list[Document]) -> None:
            with path.open("a") as file:
                file.writelines(json.dumps(document) + "\n" for document in documents)

        yield Logs(["-l", str(path)], append)
        return
    server: Elasticsearch = request.getfixturevalue("elasticsearch_server")
    install(server)
    prefix = new_prefix()
    load(server, prefix, OLD)
    yield Logs(["--es", server.url, "--index", f"{prefix}-*"], lambda documents: load(server, prefix, documents))
    server.delete(f"{prefix}-*")


def test_the_runbooks_command_finds_the_warning_that_names_a_rejected_value(tmp_path: Path) -> None:
    env = {"OTEL_DISTRO_LOG_FILE": str(tmp_path / "app.log"), "OTEL_METRICS_EXPORTER": "none"}
    program = "from otel_distro import BusinessMetrics as B; import logging; "
    program += "logging.error('other'); B.record_order('completed', 'alipay', None); logging.warning('another')"
    with AppProcess(["opentelemetry-instrument", "python", "-c", program], env) as app:
        assert app.wait() == 0, app.output
    runbook = (ROOT / "collector-config" / "runbook.md").read_text()
    section = runbook.partition("## TelemetryRejected")[2].partition("## ")[0]
    command = section.partition("```sh\n")[2].partition("```")[0]
    with AppProcess(["sh", "-c", command], env) as asked:
        assert asked.wait() == 0, asked.output
        (found,) = map(json.loads, asked.stdout.splitlines())
    assert found["message"].startswith("metric revenue_total cannot take None")


def _run(logs: Logs, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *logs.options, *arguments],
        env=clean_environment(),
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=60,
    )


def _json(text: str) -> list[Any]:
    return [json.loads(line) for line in text.splitlines() if line.endswith("}")]


def test_the_latest_are_shown_oldest_first_and_the_command_ends(logs: Logs) -> None:
    answer = _run(logs, "--json")
    assert (answer.returncode, answer.stderr) == (0, "")
    assert _json(answer.stdout) == OLD[-10:]
    assert _json(_run(logs, "--json", "-n", "3", "--errors").stdout) == OLD[-5::2]
    assert len(_run(logs, "-n", "5").stdout.splitlines()) == 6


def test_each_new_one_is_shown_once_until_ctrl_c(logs: Logs) -> None:
    new = [log_document(LATER, 100 + n) for n in range(50)]
    with AppProcess([*COMMAND, *logs.options, "-f", "-n", "2", "--json"]) as process:
        process.wait_for_output(OLD[-1]["log_id"])
        for start in range(0, 50, 10):
            logs.add(new[start : start + 10])
            process.wait_for_output(new[start + 9]["log_id"])
        process.signal(signal.SIGINT)
        assert process.wait() == 130
        assert process.stderr.strip() == ""  # a line end after the ^C of the terminal
        assert _json(process.stdout) == OLD[-2:] + new


def test_errors_alone_are_followed_where_asked(logs: Logs) -> None:
    with AppProcess([*COMMAND, *logs.options, "-f", "-n", "1", "--errors"]) as process:
        process.wait_for_output("message 19")
        logs.add([log_document(LATER, n, level=level) for n, level in ((200, "INFO"), (201, "ERROR"))])
        process.wait_for_output("message 201")
        process.signal(signal.SIGINT)
        assert process.wait() == 130
        assert "message 200" not in process.stdout


def test_a_reader_that_goes_away_ends_it_quietly_though_nothing_comes(logs: Logs) -> None:
    process = subprocess.Popen(
        [*COMMAND, *logs.options, "-f"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=clean_environment()
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(60) == 0


def test_rotation_by_another_program_loses_and_doubles_no_line(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    path.touch()
    path.write_text(json.dumps(OLD[0]) + "\n")
    with AppProcess([*COMMAND, "-l", str(path), "-f", "-n", "1", "--json"]) as process:
        process.wait_for_output(OLD[0]["log_id"])
        for number in range(400):
            with path.open("a") as file:
                file.write(json.dumps(log_document(NOW, 1_000 + number)) + "\n")
            if number % 50 == 49:
                os.replace(path, tmp_path / f"app.log.{number // 50 + 1}")
                time.sleep(0.05)
        path.touch()
        # Not the last one alone: what was rotated away meanwhile may come after it.
        wait_until(lambda: len(_json(process.stdout)) > 400, 60, what="every line")
        process.signal(signal.SIGINT)
        process.wait()
        shown = [document["log_id"] for document in _json(process.stdout)]
    assert sorted(shown) == [OLD[0]["log_id"], *(f"{1_000 + number:08d}" for number in range(400))]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-n", "-1"], "last=-1"),
        (["-n", "x"], "Invalid value for '-n'"),
        (["-f", "-l", "none.log"], "no log file matches"),
    ],
)
def test_bad_input_is_one_line_and_code_2(arguments: list[str], said: str) -> None:
    answer = _run(Logs([], lambda _: None), *arguments)
    assert (answer.returncode, answer.stdout) == (2, "")
    assert said in answer.stderr
    assert answer.stderr.count("\n") == 1

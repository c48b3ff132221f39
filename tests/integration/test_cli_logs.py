"""`otel-distro logs` as a process, over real files and pipes."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from otel_distro.cli.plain_text import width
from tests.log_oracle import Document, log_document, write_log
from tests.processes import AppProcess
from tests.support import wait_until

COMMAND = [sys.executable, "-m", "otel_distro.cli"]
HOSTILE = "\x1b[2J\x1b]0;owned\x07\x9b31m wide 用户 \u202e" + "x" * 300 + "\nsecond line"


def _environment(**variables: str) -> dict[str, str]:
    return {**{name: text for name, text in os.environ.items() if not name.startswith("OTEL_")}, **variables}


def _run(*arguments: object, cwd: Path | None = None, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, "logs", *map(str, arguments)],
        cwd=cwd,
        env=_environment(**variables),
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=60,
    )


@pytest.fixture
def documents() -> list[Document]:
    """Give 30 documents of the last half hour, every third an error, with hostile messages."""
    now = datetime.now(timezone.utc).replace(microsecond=0)
    return [
        log_document(
            now - timedelta(minutes=n),
            n,
            level="ERROR" if n % 3 == 0 else "INFO",
            error_type="KeyError" if n % 3 == 0 else None,
            user_id=f"u{n % 5}",
            request_id=f"r{n % 2}",
            trace_id="t",
            message=HOSTILE,
        )
        for n in range(1, 31)
    ]


@pytest.fixture
def log(tmp_path: Path, documents: list[Document]) -> Path:
    """Give the path of a log with those documents."""
    return write_log(tmp_path / "app.log", documents)


def _json(answer: subprocess.CompletedProcess[str]) -> list[Any]:
    assert (answer.returncode, answer.stderr) == (0, "")
    return [json.loads(line) for line in answer.stdout.splitlines()]


def test_json_answers_are_the_documents_as_they_were_logged(log: Path, documents: list[Document]) -> None:
    errors = [document for document in documents if document["level"] == "ERROR"]
    assert _json(_run("errors", "--json", "-l", log)) == errors
    assert _json(_run("errors", "--json", "-l", log, "--size", 2)) == errors[:2]
    assert _json(_run("user", "u1", "--json", "-l", log)) == [one for one in documents if one["user_id"] == "u1"]
    assert _json(_run("request", "r1", "--json", "-l", log)) == [
        one for one in reversed(documents) if one["request_id"] == "r1"
    ]
    assert _json(_run("trace", "t", "--hours", 0.26, "--json", "-l", log))[-1] == documents[0]
    [rate] = _json(_run("rate", "--json", "-l", log))
    assert (rate["total"], rate["errors"]) == (30, 10)
    assert sum(row["total"] for row in rate["hourly"]) == 30
    [group] = _json(_run("top", "--json", "-l", log))
    assert (group["error_type"], group["count"], group["log_id"]) == ("KeyError", 10, "00000003")


@pytest.mark.parametrize("columns", [40, 80, 132])
@pytest.mark.parametrize("question", [["errors"], ["rate"], ["user", "u1"], ["request", "r1"], ["trace", "t"], ["top"]])
def test_tables_fit_the_terminal_and_no_log_line_can_steer_it(log: Path, question: list[str], columns: int) -> None:
    answer = _run(*question, "-l", log, COLUMNS=str(columns))
    assert (answer.returncode, answer.stderr) == (0, "")
    lines = answer.stdout.split("\n")
    assert len(lines) > 2
    assert all(width(line) <= columns for line in lines)
    assert not set(answer.stdout) & set("\x1b\x9b\x07\u202e")


def test_a_table_shows_time_level_type_and_message(log: Path, documents: list[Document]) -> None:
    head, first, *_ = _run("errors", "-l", log, COLUMNS="120").stdout.splitlines()
    assert head.split() == ["time", "level", "type", "message"]
    assert first.startswith(f"{documents[2]['timestamp']}  ERROR     KeyError          31m wide 用户 xxx")


def test_a_table_of_all_levels_shows_the_logger_in_the_place_of_the_type(log: Path, documents: list[Document]) -> None:
    head, first, *_ = _run("request", "r1", "-l", log, COLUMNS="120").stdout.splitlines()
    assert head == f"{'time':<27}  {'level':<8}  {'logger':<16}  message"
    oldest = documents[28]
    assert first.startswith(f"{oldest['timestamp']:<27}  {oldest['level']:<8}  {oldest['logger']:<16}  31m wide")


def test_the_most_frequent_errors_have_their_place_number_and_last_time(log: Path, documents: list[Document]) -> None:
    head, only = _run("top", "-l", log, COLUMNS="140").stdout.splitlines()
    assert head == f"{'count':>9}  {'type':<20}  {'place':<28}  {'last seen':<27}  message"
    error = documents[2]
    place = f"{error['module']}.{error['function']}:{error['line']}"
    assert only.startswith(f"{'10':>9}  {'KeyError':<20}  {place:<28}  {error['timestamp']:<27}  31m wide")


def test_nothing_found_is_a_clear_line(log: Path) -> None:
    assert (
        _run("errors", "--hours", 0.02, "-l", log).stdout == "no errors in the last 0.02 hours in 30 lines of 1 file\n"
    )
    assert _run("user", "nobody", "-l", log).stdout.startswith("nothing of user 'nobody' in the last 24 hours in 30 ")
    assert _run("request", "none", "-l", log).stdout == "nothing of request 'none' in 30 lines of 1 file\n"
    assert _run("trace", "x", "--hours", 1, "-l", log).stdout.startswith(
        "nothing of trace 'x' in the last 1 hour in 30"
    )
    assert _run("errors", "--hours", 0.02, "-l", log, "--json").stdout == ""


@pytest.mark.parametrize("question", [["errors"], ["rate"], ["user", "u1"], ["request", "none"], ["top", "--json"]])
def test_skipped_lines_are_said_beside_the_answer(log: Path, question: list[str]) -> None:
    with log.open("a") as file:
        file.write("not json\n[]\n")
    answer = _run(*question, "-l", log)
    assert answer.returncode == 0
    assert answer.stderr == "otel-distro: 2 lines were skipped: not one JSON object with a timestamp\n"
    assert "skipped" not in answer.stdout


def test_the_logs_are_those_of_the_variable_and_else_of_the_folder_logs(tmp_path: Path, log: Path) -> None:
    assert len(_json(_run("errors", "--json", OTEL_DISTRO_LOG_FILE=str(log)))) == 10
    (tmp_path / "logs").mkdir()
    shutil.move(log, tmp_path / "logs" / "shop.log")
    assert len(_json(_run("errors", "--json", cwd=tmp_path))) == 10


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["errors", "-l", "none.log"], "no log file matches none.log"),
        (["errors", "-l", "logs/*.log"], "no log file matches logs/*.log; give the path of the service's log"),
        (["errors", "-l", "."], ". is a folder"),
        (["errors", "-l", "./"], "./ is a folder"),
        (["errors", "-l", ""], "'' names no logs"),
        (["errors", "-l", "127.0.0.1:1"], "no Elasticsearch can be reached at http://127.0.0.1:1 (Connection refused)"),
        (["errors", "--es", "htps://ann:s3cret@es"], "htps:// in its address is neither http:// nor https://"),
        (["errors", "--es", "es", "--index", ""], "index='' names no index"),
        (["errors", "--hours", "0"], "hours=0.0"),
        (["errors", "--hours", "-1"], "hours=-1.0"),
        (["rate", "--hours", "nan"], "hours=nan"),
        (["top", "--hours", "inf"], "hours=inf"),
        (["user", "u", "--hours", "1e9"], "hours=1000000000.0"),
        (["request", "r", "--hours", "0"], "hours=0.0"),
        (["errors", "--hours", "soon"], "Invalid value for '--hours'"),
        (["errors", "--size", "0"], "size=0"),
        (["errors", "--size", "1.5"], "Invalid value for '--size'"),
        (["user", ""], "user_id=''"),
        (["user"], "Missing argument 'USER_ID'"),
        (["errors", "extra"], "Got unexpected extra argument"),
    ],
)
def test_bad_input_is_one_line_and_code_2(tmp_path: Path, arguments: list[str], said: str) -> None:
    answer = _run(*arguments, cwd=tmp_path)
    assert (answer.returncode, answer.stdout) == (2, "")
    assert said in answer.stderr
    assert answer.stderr.startswith("otel-distro: ")
    assert answer.stderr.count("\n") == 1


def test_without_duckdb_it_is_one_line_that_says_what_to_install(tmp_path: Path, log: Path) -> None:
    (tmp_path / "duckdb.py").write_text("raise ImportError('no duckdb')")
    answer = _run("errors", "-l", log, PYTHONPATH=str(tmp_path))
    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr == 'otel-distro: searching log files needs DuckDB: pip install "otel-distro[local]"\n'


@pytest.mark.parametrize("form", ["--json", None])
def test_a_reader_that_goes_away_is_no_failure(tmp_path: Path, form: str | None) -> None:
    now = datetime.now(timezone.utc)
    log = write_log(tmp_path / "app.log", [log_document(now, n, level="ERROR") for n in range(20_000)])
    arguments = [
        *COMMAND,
        "logs",
        "errors",
        "-l",
        str(log),
        "--hours",
        "24",
        "--size",
        "20000",
        *([form] if form else []),
    ]
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=_environment())
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(60) == 0


@pytest.mark.parametrize("question", [["rate"], ["tail", "-n", "3"]], ids=" ".join)
def test_ctrl_c_ends_a_question_over_files_quietly(tmp_path: Path, log: Path, question: list[str]) -> None:
    path = tmp_path / "long.log.gz"
    path.write_bytes(gzip.compress(log.read_bytes() * 300) * 60)  # half a million lines: seconds of work
    with AppProcess([*COMMAND, "logs", *question, "-l", str(path)]) as process:
        opened = Path(f"/proc/{process.pid}/fd")
        wait_until(lambda: str(path) in map(os.path.realpath, opened.iterdir()), what="a file that is being read")
        process.signal(signal.SIGINT)
        assert process.wait() == 130
        assert process.output.strip() == ""


def test_a_full_disk_under_the_output_is_one_line(log: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        process = subprocess.run(
            [*COMMAND, "logs", "errors", "-l", str(log)],
            stdout=full,
            stderr=subprocess.PIPE,
            env=_environment(),
            check=False,
        )
    assert (process.returncode, process.stderr) == (2, b"otel-distro: [Errno 28] No space left on device\n")


def test_where_standard_error_is_closed_no_error_stands_among_the_answers(tmp_path: Path) -> None:
    command = 'exec "$@" 2>&-'
    answer = subprocess.run(
        ["sh", "-c", command, "sh", *COMMAND, "logs", "errors", "--json", "-l", str(tmp_path / "none.log")],
        stdout=subprocess.PIPE,
        env=_environment(),
        check=False,
    )
    assert (answer.returncode, answer.stdout) == (2, b"")


def test_a_terminal_of_another_encoding_gets_escapes(log: Path) -> None:
    answer = _run("errors", "-l", log, PYTHONIOENCODING="ascii", COLUMNS="120")
    assert (answer.returncode, answer.stderr) == (0, "")
    assert "\\u7528\\u6237" in answer.stdout
    assert len(_json(_run("errors", "--json", "-l", log, PYTHONIOENCODING="ascii"))) == 10


def test_the_console_script_is_the_same_command(log: Path) -> None:
    script = Path(sys.executable).with_name("otel-distro")
    answer = subprocess.run(
        # A question about no hours, as the next one may have begun when the other is asked.
        [script, "logs", "request", "r1", "-l", log],
        env=_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout == _run("request", "r1", "-l", log).stdout
    assert len(answer.stdout.splitlines()) == 16

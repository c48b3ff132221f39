"""LogAnalyzer over local files against jq: the same questions, the same answers, both timed in one run.

    python -m tests.benchmarks.log_analyzer --lines 1000000

makes a log of so many lines, the same one every time (about 450 bytes a line), in a folder for temporary files, checks
that jq and LogAnalyzer give equal answers, times both in turn, and prints a table in Markdown. The target is a tenth of
jq's time for each question, file and programs being in memory for both. It ends with 1 where jq is missing or an answer
differs; a missed target is only shown.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import orjson

from otel_distro.analyzer.analyzer import LogAnalyzer
from otel_distro.analyzer.model import iso

NOW: Final = datetime(2025, 3, 2, 0, 30, tzinfo=timezone.utc)
HOURS: Final = 24
TARGET: Final = 0.1
_SPAN: Final = timedelta(hours=30)  # so that a part of the lines is older than the window
_LEVELS: Final = (["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], [10, 75, 10, 4, 1])

_IN_WINDOW: Final = ".timestamp >= $since and .timestamp < $until"
_IS_ERROR: Final = '(.level == "ERROR" or .level == "CRITICAL")'


@dataclass(frozen=True)
class Question:
    """One question in both languages; `jq` is a program over `inputs`, its answer one JSON value."""

    name: str
    ask: Callable[[LogAnalyzer], Any]
    jq: str


QUESTIONS: Final = (
    Question(
        "search_errors",
        lambda analyzer: analyzer.search_errors(HOURS, 100),
        f"[inputs | select({_IS_ERROR} and {_IN_WINDOW})] | sort_by(.timestamp, .log_id) | reverse | .[:100]",
    ),
    Question(
        "get_error_rate",
        lambda analyzer: {
            row["hour"]: [row["total"], row["errors"]] for row in analyzer.get_error_rate(HOURS)["hourly"]
        },
        f'reduce (inputs | select({_IN_WINDOW})) as $d ({{}}; ($d.timestamp[:13] + ":00:00Z") as $h'
        f" | .[$h] |= [(.[0] // 0) + 1, (.[1] // 0) + (if ($d | {_IS_ERROR}) then 1 else 0 end)])",
    ),
    Question(
        "search_by_user",
        lambda analyzer: analyzer.search_by_user("u42", HOURS),
        f'[inputs | select(.user_id == "u42" and {_IN_WINDOW})] | sort_by(.timestamp, .log_id) | reverse',
    ),
    Question(
        "search_by_request",
        lambda analyzer: analyzer.search_by_request("r42"),
        '[inputs | select(.request_id == "r42")] | sort_by(.timestamp, .log_id)',
    ),
    Question(
        "search_by_trace",
        lambda analyzer: analyzer.search_by_trace(f"{42:032x}"),
        f'[inputs | select(.trace_id == "{42:032x}")] | sort_by(.timestamp, .log_id)',
    ),
    Question(
        "top_errors",
        lambda analyzer: [
            [group["error_type"], group["line"], group["count"], group["log_id"]]
            for group in analyzer.top_errors(HOURS, 10)
        ],
        f"[inputs | select({_IS_ERROR} and {_IN_WINDOW})"
        ' | {timestamp, error_type, logger, "module": .module, function, line, log_id}]'
        " | group_by([.error_type, .logger, .module, .function, .line])"
        " | map(sort_by(.timestamp, .log_id) | {count: length, last: .[-1]})"
        " | sort_by(.count, .last.timestamp) | reverse | .[:10]"
        " | map([.last.error_type, .last.line, .count, .last.log_id])",
    ),
)


def write_lines(path: Path, lines: int) -> None:
    """Write the log: always the same for the same number of lines."""
    source = random.Random(7)
    with path.open("wb") as file:
        for number in range(lines):
            file.write(orjson.dumps(_document(source, number, lines)) + b"\n")
        file.flush()
        os.fsync(file.fileno())  # or the disk would be busy with it while the first question is timed


def _document(source: random.Random, number: int, lines: int) -> dict[str, Any]:
    request = number // 5
    [level] = source.choices(*_LEVELS)
    document: dict[str, Any] = {
        "timestamp": iso(NOW - _SPAN + _SPAN * number / lines),
        "level": level,
        "message": f"handled order {number} with a message of a fairly usual length, café",
        "logger": "shop.orders",
        "module": "orders",
        "function": source.choice(["create_order", "pay", "ship"]),
        "line": source.randrange(20),
        "request_id": f"r{request}",
        "user_id": f"u{request % 200}",
        "trace_id": f"{request:032x}",
        "span_id": f"{source.getrandbits(64):016x}",
        "service": "shop",
        "environment": "production",
        "log_id": f"{source.getrandbits(128):032x}",
        "order": {"id": number, "amount": 99.5},
    }
    if level in ("ERROR", "CRITICAL"):
        document["error_type"] = source.choice(["ValueError", "KeyError", "TimeoutError"])
        document["error_message"] = "refused"
        document["exc_info"] = (
            'Traceback (most recent call last):\n  File "orders.py", line 7, in pay\nValueError: refused'
        )
    return document


def ask_jq(question: Question, path: Path) -> tuple[Any, float]:
    """Return jq's answer and the seconds it took."""
    bounds = ["--arg", "since", iso(NOW - timedelta(hours=HOURS)), "--arg", "until", iso(NOW)]
    begin = time.perf_counter()
    answer = subprocess.run(["jq", "-cn", *bounds, question.jq, path], capture_output=True, check=True)
    seconds = time.perf_counter() - begin
    return json.loads(answer.stdout), seconds


def ask_analyzer(question: Question, path: Path) -> tuple[Any, float, float]:
    """Return the analyzer's answer, the seconds it took, and the peak memory (MB) of the process that asked.

    The question is put in a process of its own, by fork, so that its memory is its own; the time is that of the
    question, with the loading of DuckDB.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.close(reading)
            begin = time.perf_counter()
            answer = question.ask(LogAnalyzer(path, now=lambda: NOW))
            seconds = time.perf_counter() - begin
            with os.fdopen(writing, "wb") as pipe:
                pipe.write(json.dumps([answer, seconds]).encode())
            code = 0
        finally:
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        result = pipe.read()
    _, status, usage = os.wait4(child, 0)
    if status:
        raise RuntimeError(f"{question.name} failed")
    answer, seconds = json.loads(result)
    return answer, seconds, usage.ru_maxrss / 1024


def equal(question: Question, ours: Any, theirs: Any) -> bool:
    """Return whether both answers say the same; jq leaves out the hours that have no line."""
    if question.name == "get_error_rate":
        ours = {hour: counts for hour, counts in ours.items() if counts[0]}
    return bool(ours == theirs)


def compare(path: Path, rounds: int) -> list[str]:
    """Ask everything of both in turn and return the rows of the table; the best of the rounds counts for each.

    Raises:
        RuntimeError: an answer differs.
    """
    rows = [
        "| question | jq s | LogAnalyzer s | of jq's time | jq CPU s | LogAnalyzer CPU s | peak MB |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    ask_jq(QUESTIONS[0], path)  # once unmeasured, so that file and programs are in memory for both
    ask_analyzer(QUESTIONS[0], path)
    for question in QUESTIONS:
        slow, fast, peak, cpu = [], [], 0.0, [_children_cpu()]
        for _ in range(rounds):
            theirs, seconds = ask_jq(question, path)
            slow.append(seconds)
            cpu.append(_children_cpu())
            ours, seconds, memory = ask_analyzer(question, path)
            fast.append(seconds)
            cpu.append(_children_cpu())
            peak = max(peak, memory)
            if not theirs or not equal(question, ours, theirs):
                raise RuntimeError(f"{question.name}: jq and LogAnalyzer differ, or there is nothing to find")
        ratio = min(fast) / min(slow)
        verdict = "" if ratio <= TARGET else " (over the target)"
        spent = [later - earlier for earlier, later in pairwise(cpu)]
        rows.append(
            f"| {question.name} | {min(slow):.2f} | {min(fast):.2f} | {ratio:.1%}{verdict}"
            f" | {min(spent[0::2]):.2f} | {min(spent[1::2]):.2f} | {peak:.0f} |"
        )
    return rows


def _children_cpu() -> float:
    """Return the CPU seconds of all processes that have ended: on a busy machine they tell more than the clock."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def main() -> int:
    """Make the log, compare, print; return the exit code."""
    parser = argparse.ArgumentParser(description="Time LogAnalyzer against jq over the same log.")
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=1)
    arguments = parser.parse_args()
    if shutil.which("jq") is None:
        print("log_analyzer: jq is not on PATH; install it (apt-get install jq) to compare", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="otel-distro-benchmark-") as folder:
        path = Path(folder) / "app.log"
        write_lines(path, arguments.lines)
        print(f"{arguments.lines:,} lines, {path.stat().st_size / 1e6:.0f} MB\n")
        try:
            rows = compare(path, arguments.rounds)
        except RuntimeError as error:
            print(f"log_analyzer: {error}", file=sys.stderr)
            return 1
    print("\n".join(rows))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

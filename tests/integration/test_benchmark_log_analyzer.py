"""The comparison with jq at a small size: both must give the same answers; time is not looked at."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.benchmarks.log_analyzer import QUESTIONS

ROOT = Path(__file__).parents[2]


def _run(*arguments: str, path: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.log_analyzer", *arguments],
        cwd=ROOT,
        env=None if path is None else {"PATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_jq_and_the_analyzer_agree_on_every_question() -> None:
    answer = _run("--lines", "3000")
    assert (answer.returncode, answer.stderr) == (0, "")
    assert all(f"| {question.name} |" in answer.stdout for question in QUESTIONS)


def test_a_machine_without_jq_is_told_so(tmp_path: Path) -> None:
    answer = _run(path=str(tmp_path))
    assert answer.returncode == 1
    assert "jq is not on PATH" in answer.stderr

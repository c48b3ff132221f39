"""Programs that fetch and build: heard of while they run, and their last words in the error when they fail."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.services import commands
from tests.services.errors import ServiceError


def script(text: str) -> list[str]:
    return [sys.executable, "-c", text]


def test_what_it_writes_to_standard_output_is_the_answer(tmp_path: Path) -> None:
    text = "import os, sys; print(os.getcwd(), os.environ['COLOUR']); print('noise', file=sys.stderr)"
    assert commands.run(*script(text), cwd=tmp_path, env={"COLOUR": "red"}) == f"{tmp_path} red\n"


def test_a_failure_shows_its_status_and_its_last_lines() -> None:
    text = "import sys\nfor n in range(100): print('line', n, file=sys.stderr)\nsys.exit(3)"
    with pytest.raises(ServiceError, match=r"ended with status 3: line 88 \| .* \| line 99$"):
        commands.run(*script(text))


def test_a_failure_that_says_nothing_on_standard_error_shows_standard_output() -> None:
    with pytest.raises(ServiceError, match=r"status 1: out of luck$"):
        commands.run(*script("import sys; print('out of luck'); sys.exit(1)"))


def test_a_long_one_is_heard_of_at_its_start_now_and_then_and_at_its_end(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    heard, asked = tmp_path / "heard", list[int]()

    def clock() -> float:
        asked.append(1)
        if len(asked) == 2:  # the first time is that of the start
            heard.touch()
        return 0.0

    monkeypatch.setattr(commands, "_SAY_EVERY_SECONDS", 0.05)
    monkeypatch.setattr(commands, "time", SimpleNamespace(monotonic=clock))
    text = f"import pathlib, time\nwhile not pathlib.Path({str(heard)!r}).exists(): time.sleep(0.01)"
    commands.run(*script(text), what="tool: building")
    said = capsys.readouterr().err.splitlines()
    assert said[:2] == ["tool: building ...", "tool: building ... 0 s"]
    assert said[-1].startswith("tool: building: done after ")


def test_one_that_takes_too_long_is_killed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    busy = tmp_path / "busy"
    monkeypatch.setattr(commands, "_SAY_EVERY_SECONDS", 0.05)
    # The time is over when it has spoken, however long a busy machine takes to start it.
    monkeypatch.setattr(commands, "time", SimpleNamespace(monotonic=lambda: float(busy.exists())))
    text = f"import pathlib, time; print('still busy', flush=True); pathlib.Path({str(busy)!r}).touch(); time.sleep(60)"
    with pytest.raises(ServiceError, match=r"was killed after 0.2 s: still busy$"):
        commands.run(*script(text), seconds=0.2)


def test_a_missing_program_is_named_with_the_reason() -> None:
    with pytest.raises(ServiceError, match=r"^no-such-program not found: it compiles$"):
        commands.need("sh", "no-such-program", why="it compiles")


def test_a_judge_that_says_no_fails_the_test_with_its_words() -> None:
    verdict = "import sys; print(sys.stdin.read() + '!'); sys.exit(0 if len(sys.argv) == 1 else 7)"
    assert commands.judge(*script(verdict), stdin="good") == "good!\n"
    with pytest.raises(AssertionError, match=r"(?s)^\$ .* no\nstatus 7\nbad!"):
        commands.judge(*script(verdict), "no", stdin="bad")

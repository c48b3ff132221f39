"""Programs that fetch and build: their output is kept for the error, and a long one is heard of while it runs."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Final

from tests.services import cache
from tests.services.errors import ServiceError

_SAY_EVERY_SECONDS: Final = 15.0
_LAST_LINES: Final = 12


def need(*programs: str, why: str) -> None:
    """Raise ServiceError, with the reason, unless every program is on PATH."""
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        raise ServiceError(f"{' and '.join(missing)} not found: {why}")


def run(
    *command: str | Path,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    what: str = "",
    seconds: float = 3600.0,
) -> str:
    """Run the program to its end and return its standard output; `env` is laid over the environment.

    With `what`, a line of progress is printed at the start and every 15 seconds. Raises ServiceError with the last
    lines the program said when it fails or takes longer than `seconds`.
    """
    words = [str(word) for word in command]
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        with subprocess.Popen(
            words, cwd=cwd, env={**os.environ, **(env or {})}, stdin=subprocess.DEVNULL, stdout=out, stderr=err
        ) as program:
            try:
                status = _watched(program, what, seconds)
            except BaseException:
                program.kill()
                raise
        said = _text(out)
        if status != 0:
            ending = (_text(err).strip() or said.strip()).splitlines()[-_LAST_LINES:]
            ended = "was killed after {seconds:g} s" if status is None else f"ended with status {status}"
            raise ServiceError(f"{' '.join(words)} {ended.format(seconds=seconds)}: " + " | ".join(ending))
        return said


def judge(*command: str | Path, stdin: str = "", env: Mapping[str, str] | None = None) -> str:
    """Run a program that judges files and return what it says; raises AssertionError with that when it says no.

    `env` is the whole environment (None: this one).
    """
    words = [str(word) for word in command]
    done = subprocess.run(words, input=stdin, env=env, capture_output=True, text=True, check=False, timeout=240)
    said = done.stdout + done.stderr
    assert done.returncode == 0, f"$ {' '.join(words)}\nstatus {done.returncode}\n{said}"
    return said


def _watched(program: subprocess.Popen[bytes], what: str, seconds: float) -> int | None:
    """Wait for its end and return its status; None after killing it because the time was over."""
    started = time.monotonic()
    if what:
        cache.say(f"{what} ...")
    while True:
        try:
            status = program.wait(_SAY_EVERY_SECONDS)
        except subprocess.TimeoutExpired:
            elapsed = time.monotonic() - started
            if elapsed > seconds:
                program.kill()
                return None
            if what:
                cache.say(f"{what} ... {elapsed:.0f} s")
            continue
        if what:
            cache.say(f"{what}: {'done' if status == 0 else 'failed'} after {time.monotonic() - started:.0f} s")
        return status


def _text(file: IO[str]) -> str:
    file.seek(0)
    return file.read()

"""Whether the Python that a name on PATH is, or that runs a command, has this package."""

from __future__ import annotations

import os
import sys
from typing import Final

from otel_distro.doctor.model import OK, WARNING, Finding

NAME: Final = "python"
_NAMES: Final = ("python", "python3")
_ASK: Final = "from importlib.metadata import distribution; distribution('otel-distro')"
_WITHOUT: Final = 1
_SECONDS: Final = 2.0


def look() -> list[Finding]:
    """Return a warning where a service that is started as `python …` or `python3 …` would not have this package."""
    there = [name for name in _NAMES if _found(name)]
    others = [f"{name} is {path}" for name in there if (path := without_us(name))]
    if others:
        found = f"{' and '.join(others)}, without otel-distro: a service started by that is not measured"
        return [Finding(NAME, WARNING, found, mend())]
    return [Finding(NAME, OK, f"{' and '.join(there) or sys.executable} can be started with otel-distro")]


def without_us(command: str) -> str:
    """Return the path of the Python that runs a command where it does not have this package, else an empty text.

    Of a script its first line tells the Python. It is started, and asked, only where its folder does not show that it
    has the package; what cannot be found out is no fault.
    """
    python = _python_of(_found(command))
    if not python or _has_command(os.path.dirname(python)):
        return ""
    from subprocess import DEVNULL, SubprocessError, run

    try:
        asked = run([python, "-c", _ASK], stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL, timeout=_SECONDS, check=False)  # noqa: S603 -- the user's own command
    except (OSError, SubprocessError):
        return ""
    return python if asked.returncode == _WITHOUT else ""


def mend() -> str:
    """Return what helps whoever starts such a Python."""
    return f"name {sys.executable}, or have its folder first on PATH"


def gone(command: str) -> str:
    """Return the program that the first line of a script names where it is not there, else an empty text.

    The system says of the script that there is none, as of one whose environment somebody has moved.
    """
    try:
        with open(_found(command), "rb") as script:
            line = script.readline(256)
    except (OSError, ValueError):
        return ""
    words = os.fsdecode(line[2:]).split() if line.startswith(b"#!") else []
    return words[0] if words and not os.path.exists(words[0]) else ""


def _has_command(folder: str) -> bool:
    own = os.path.dirname(sys.executable)
    return os.path.realpath(folder) == os.path.realpath(own) or os.path.exists(os.path.join(folder, "otel-distro"))


def _found(command: str) -> str:
    """Return the file that a command names, as the system finds it."""
    if os.sep in command:
        return command
    paths = (os.path.join(folder, command) for folder in os.get_exec_path())
    return next((path for path in paths if os.access(path, os.X_OK) and os.path.isfile(path)), "")


def _python_of(path: str) -> str:
    """Return the Python that a file is, or that its first line names; an empty text where it is neither."""
    if _is_python(path):
        return path
    try:
        with open(path, "rb") as script:
            words = os.fsdecode(script.readline(256)).split()
    except (OSError, ValueError):
        return ""
    if not words or not words[0].startswith("#!"):
        return ""
    named = words[0][2:]
    if os.path.basename(named) == "env" and words[1:]:
        named = _found(words[-1])
    return named if _is_python(named) else ""


def _is_python(path: str) -> bool:
    return os.path.basename(path).startswith(("python", "pypy"))

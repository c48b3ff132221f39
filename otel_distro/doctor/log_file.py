"""Whether the log file can be written."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from otel_distro.doctor.model import FAULT, OK, WARNING, Finding
from otel_distro.doctor.places import room, size_text, unwritable

NAME: Final = "log-file"
LITTLE: Final = 100_000_000
"""Bytes; with less free space it is time to look."""
_VARIABLE: Final = "OTEL_DISTRO_LOG_FILE"
_MEND: Final = f"name a file that this user may write to ({_VARIABLE})"


def look(path: str) -> list[Finding]:
    """Return whether a line could be added to the file, or the file be made; it is neither made nor changed."""
    try:
        file = Path(os.path.abspath(path))
    except OSError:
        return [_fault(path, "cannot be made: somebody has removed the folder that this runs in")]
    return _look(path, file)


def _look(path: str, file: Path) -> list[Finding]:
    try:
        kind = file.stat().st_mode
    except OSError:
        wrong = _unmakeable_by_link(file) if file.is_symlink() else unwritable(file.parent)
        return [_fault(path, f"cannot be made: {wrong}")] if wrong else [_space(path, file)]
    if stat.S_ISDIR(kind):
        return [_fault(path, "is a folder", f"name a file, not a folder ({_VARIABLE})")]
    if stat.S_ISFIFO(kind) and not path.startswith(("/dev/", "/proc/")):
        mend = f"name a file ({_VARIABLE}): without a reader lines are lost, with a slow one as well, after a wait"
        return [_fault(path, "is a named pipe", mend)]
    if not stat.S_ISREG(kind):
        return [Finding(NAME, OK, f"{path} is what the process has open, or a device")]
    try:
        os.close(os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC))
    except OSError as error:
        return [_fault(path, f"cannot be opened ({error.strerror})")]
    return [_space(path, file)]


def _unmakeable_by_link(link: Path) -> str:
    """Return why no file can be made where a link leads: a service makes no folder there."""
    folder = link.resolve().parent
    return unwritable(folder) if folder.exists() else f"it is a link, and there is no folder {folder}"


def _space(path: str, file: Path) -> Finding:
    free, files = room(file.resolve())
    found = f"{path} can be written, {size_text(free)} free"
    if not free or not (files or file.exists()):
        return _fault(path, "is on a full disk", "free space on the disk")
    if free < LITTLE:
        return Finding(NAME, WARNING, found, "free space on the disk, or rotate the file")
    return Finding(NAME, OK, found)


def _fault(path: str, wrong: str, mend: str = _MEND) -> Finding:
    return Finding(NAME, FAULT, f"{_VARIABLE}={path} {wrong}", mend)

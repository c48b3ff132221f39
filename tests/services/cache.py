"""The folder outside the repository that keeps fetched servers, one entry for each name and version.

An entry is filled in a folder of its own and gets its name by one rename when it is whole: a run that is killed leaves
nothing that looks finished, and the next one goes on in the same folder. Two runs at once wait for each other.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

VARIABLE: Final = "OTEL_DISTRO_CACHE"
_PARTIAL: Final = ".partial-"


def root() -> Path:
    """Return the cache folder: `$OTEL_DISTRO_CACHE`, `$XDG_CACHE_HOME/otel-distro` or `~/.cache/otel-distro`."""
    named = os.environ.get(VARIABLE)
    if named:
        return Path(named).expanduser().absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "otel-distro"


def newest(name: str) -> Path | None:
    """Return the entry of the name that came last, whichever version it is, or None."""
    folder = root() / name
    entries = [entry for entry in folder.glob("*") if entry.is_dir() and not entry.name.startswith(".")]
    return max(entries, key=lambda entry: entry.stat().st_mtime, default=None)


def obtain(name: str, version: str, fill: Callable[[Path], None]) -> Path:
    """Return the entry of this name and version; `fill` puts its content into a folder when it is not there yet.

    What an earlier `fill` left when it was killed or raised is still in the folder, so that it can go on from there.
    """
    entry = root() / name / version
    if entry.is_dir():
        return entry
    with _locked(root() / name):
        if not entry.is_dir():
            partial = entry.with_name(_PARTIAL + version)
            partial.mkdir(parents=True, exist_ok=True)
            fill(partial)
            _forget_other_partials(partial)
            os.utime(partial)
            partial.rename(entry)
    return entry


def say(line: str) -> None:
    """Print one line of progress: to standard error, since standard output is for `name=path` lines."""
    print(line, file=sys.stderr, flush=True)


def _forget_other_partials(kept: Path) -> None:
    for other in kept.parent.glob(_PARTIAL + "*"):
        if other != kept:
            shutil.rmtree(other)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"{folder.name}: another run is fetching it, waiting ...")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield

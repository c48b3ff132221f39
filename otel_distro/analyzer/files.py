"""Which files a path or glob stands for, rotated and gzipped ones included, and what is wrong with one of them."""

from __future__ import annotations

import glob
import gzip
import os
import re
import stat
import zlib
from fnmatch import fnmatch
from pathlib import Path
from typing import BinaryIO, Final

from otel_distro.errors import StoreError

# What logrotate, RotatingFileHandler and TimedRotatingFileHandler put behind a name: `.1`, `.2.gz`, `-20250131.gz`,
# `.2025-01-31_13-00`. Anything else behind it (`.swp`, `.bak`) is no log.
_ROTATED: Final = re.compile(r"(?P<number>[.-]\d[\d_T:-]*)?(?P<packed>\.gz)?$")
_BLOCK: Final = 1 << 20

Identity = tuple[int, int]
"""Device and inode: what a file is, whatever it is called."""


def find_files(pattern: str) -> list[Path]:
    """Return the regular, non-empty files that the path or glob names, with their rotated and gzipped siblings, sorted.

    `logs/*.log` and `logs/app.log` also stand for `logs/app.log.1`, `logs/app.log.2.gz` and `logs/app.log-20250131.gz`.
    A file with several names (links) is taken once, and `app.log.1.gz` is left out while `app.log.1` is still there,
    because it is then being written. `**` goes through folders.

    Raises:
        StoreError: no file matches, or the path is a folder.
    """
    return [path for _, path in look_for(pattern).values()]


def look_for(pattern: str) -> dict[Identity, tuple[float, Path]]:
    """Return the files of `find_files` by what they are, each with the time of its last change and its path."""
    if os.path.isdir(pattern):
        raise StoreError(f"{pattern} is a folder; name its files: {os.path.join(pattern, '*.log')}")
    found = _look(pattern)
    if found is None:
        found = _look(pattern)  # the only file may have been renamed between its listing and the look at it
    if found is None:
        raise StoreError(f"no log file matches {pattern}; give the path of the service's log, or a glob in quotes")
    return found


def _look(pattern: str) -> dict[Identity, tuple[float, Path]] | None:
    """Return the files, or None where no regular one matches."""
    exact = os.path.exists(pattern)  # a name may hold the characters of a glob
    stem = glob.escape(pattern) if exact else pattern
    names = set(glob.glob(stem, recursive=True))
    for name in glob.glob(stem + "[.-]*", recursive=True):
        base = _ROTATED.sub("", name, count=1)
        if base != name and (base in names or fnmatch(base, stem)):
            names.add(name)
    names = {name for name in names if not (name.endswith(".gz") and name[:-3] in names)}
    found: dict[Identity, tuple[float, Path]] = {}
    matched = False
    for name in sorted(names):
        path = Path(name)
        try:
            status = path.stat()
        except OSError:
            continue  # rotated away since the listing
        if stat.S_ISREG(status.st_mode):
            matched = True
            if status.st_size:
                found.setdefault((status.st_dev, status.st_ino), (status.st_mtime, path))
    return found if matched else None


def find_damage(files: list[Path]) -> str | None:
    """Return one sentence on the first file that cannot be read to its end, or None where all can.

    It reads every gzipped file whole, so it is for the moment after a failure.
    """
    for path in files:
        try:
            with opened(path) as stream:
                while path.suffix == ".gz" and stream.read(_BLOCK):
                    pass
        except FileNotFoundError:
            continue
        except (EOFError, gzip.BadGzipFile, zlib.error):
            return f"{path} is damaged or cut short; move it away or name the other files"
        except OSError as error:
            return f"{path} cannot be read: {error.strerror or error}"
    return None


def opened(path: Path) -> BinaryIO:
    """Open a log file for reading bytes, unpacking it where its name ends with `.gz`."""
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")  # type: ignore[return-value]

"""What can be said of a folder or file without changing anything."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple


class Room(NamedTuple):
    """What is free on a disk: bytes, and whether another file can be made there."""

    free: int
    files: bool


def nearest(path: Path) -> Path:
    """Return the path, or the folder nearest to it that exists; what is no folder counts as well."""
    for place in (path, *path.parents):
        if os.path.lexists(place):
            return place
    return path


def unwritable(folder: Path) -> str:
    """Return why nothing can be made in a folder, or in the nearest one that exists; else an empty text."""
    place = nearest(folder)
    if not place.is_dir():
        return f"{place} is no folder"
    if not os.access(place, os.W_OK | os.X_OK):
        return f"this user ({os.geteuid()}) may not write to {place}"
    return ""


def room(path: Path) -> Room:
    """Return what is free where a path is, or would be; raises OSError where it cannot be known."""
    found = os.statvfs(nearest(path))
    # Some file systems make files without end and say that they have none.
    return Room(found.f_bavail * found.f_frsize, found.f_favail > 0 or found.f_files == 0)


def size_text(size: int) -> str:
    """Return a number of bytes for a person, in kB, MB or GB."""
    if size < 1e6:
        return f"{size / 1e3:.0f} kB"
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"

"""Whether the processes of the service can share their metrics."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Final

from otel_distro.doctor.model import FAULT, OK, WARNING, Finding
from otel_distro.doctor.places import nearest, room, size_text, unwritable
from otel_distro.metrics.group import bases
from otel_distro.metrics.shared import SUFFIX, CellFile, is_alive
from otel_distro.settings import Settings

NAME: Final = "shared-folder"
LITTLE: Final = 8_000_000
"""Bytes; a process takes 64 kB at least, and more with each 500 series or so."""
_VARIABLE: Final = "OTEL_DISTRO_PROMETHEUS_DIR"
_MEND: Final = f"name a folder that this process may write to by {_VARIABLE}"


def look(settings: Settings) -> list[Finding]:
    """Return whether a file of shared metrics can be made, locked and mapped where the service would; none is left."""
    named = settings.prometheus_dir or settings.prometheus_multiproc_dir
    folders = (Path(named).absolute(),) if named else bases()
    wrong = ""
    for folder in folders:
        problem = unwritable(folder) or _problem(nearest(folder))
        if not problem:
            return [_space(folder)]
        wrong = wrong or f"{named or folder}: {problem}"
    return [Finding(NAME, FAULT, f"metrics are not shared between processes: {wrong}", _MEND)]


def _problem(place: Path) -> str:
    """Return what goes wrong with a file of cells in a folder of its own below this one."""
    try:
        folder = Path(tempfile.mkdtemp(prefix="otel-distro-doctor-", dir=place))
    except OSError as error:
        return error.strerror or str(error)
    try:
        path = folder / f"doctor{SUFFIX}"
        file = CellFile(path)
        try:
            file.add("doctor", 1)[0] = 1.0
            return "" if is_alive(path) else "files there cannot be locked"
        finally:
            file.close()
    except OSError as error:
        return error.strerror or str(error)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _space(folder: Path) -> Finding:
    free = room(folder).free
    found = f"{folder} can be written, {size_text(free)} free"
    if free < LITTLE:
        return Finding(NAME, WARNING, found, f"free space there, or name another folder by {_VARIABLE}")
    return Finding(NAME, OK, found)

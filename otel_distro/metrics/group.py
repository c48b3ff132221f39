"""The processes that share one page: the folder of their cells, who belongs to it, and when it goes.

Processes find each other with nothing to configure: a forked one has its parent's folder; a started one finds it named
in its environment; workers that a master starts before it knows of metrics have the same parent and command.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
import shutil
import stat
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from otel_distro.metrics.descriptors import locked
from otel_distro.metrics.shared import SUFFIX, CellFile, is_alive
from otel_distro.settings import Settings

_IDENTITY: Final = "group.json"
_MEMORY_FOLDER: Final = Path("/dev/shm")  # noqa: S108 -- a folder of our own in it, by mode and owner
_NETWORK: Final = "/proc/self/ns/net"
_OLD: Final = 60.0  # seconds that a folder without a process is left alone: its first process may be starting

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Group:
    """The folder of a group; `ours` says that the package made it and may remove it with the last process."""

    folder: Path
    ours: bool
    _claims: list[tuple[int, CellFile]] = field(default_factory=list, compare=False, repr=False)

    def claim(self) -> Group:
        """Make the file of the calling process now, by which the others see that the group lives; return the group."""
        self._claims.append((os.getpid(), self._made()))
        return self

    def new_file(self) -> CellFile:
        """Return a new file for the calling process."""
        while self._claims:
            pid, file = self._claims.pop()
            if pid == os.getpid():  # else it is the parent's
                return file
        return self._made()

    def _made(self) -> CellFile:
        return CellFile(self.folder / f"{os.getpid()}-{os.urandom(4).hex()}{SUFFIX}")

    def leave(self) -> None:
        """Remove the folder if no other process lives; for the end of a process whose own file is closed."""
        if not self.ours:
            return
        try:
            # Nobody joins meanwhile, and nobody reads.
            with locked(self.folder.parent, fcntl.LOCK_EX), locked(self.folder, fcntl.LOCK_EX):
                if not _living(self.folder):
                    shutil.rmtree(self.folder, ignore_errors=True)
        except OSError:
            return


def join(settings: Settings, host: str, port: int) -> Group | None:
    """Return the group of this process, made if it is the first; None with one warning where no folder can be had.

    A folder that the user names is kept as it is found, and dead processes' counters in it go on counting. One of our
    own is emptied when no process lives in it, so that a service that is started again begins at zero.
    """
    named = settings.prometheus_dir or settings.prometheus_multiproc_dir
    try:
        if named:
            folder = Path(named).absolute()
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            return Group(folder, ours=False).claim()
        identity = json.dumps([settings.service_name, host, port])
        inherited = Path(settings.group_dir) if settings.group_dir else None
        return (_inherited_group(inherited, identity) if inherited else None) or _own_group(identity)
    except OSError as error:
        variable = "OTEL_DISTRO_PROMETHEUS_DIR" if settings.prometheus_dir else "PROMETHEUS_MULTIPROC_DIR"
        where = f"{variable}={named}" if named else error.filename or "a folder for shared metrics"
        _logger.warning(
            "metrics are not shared between processes: %s: %s; name a folder that this process may write to by "
            "OTEL_DISTRO_PROMETHEUS_DIR",
            where,
            error.strerror or error,
        )
        return None


def _inherited_group(folder: Path, identity: str) -> Group | None:
    if not _is_ours(folder) or not _is_ours(folder.parent):
        return None
    with locked(folder.parent, fcntl.LOCK_EX):
        # Asked under the lock: the one that named it may be the last to leave just now.
        if _is_ours(folder) and _identity(folder) == identity:
            return Group(folder, ours=True).claim()
    return None


def _own_group(identity: str) -> Group:
    base = _base()
    family = json.dumps([identity, os.getppid(), sys.orig_argv, _here(), _network()])
    folder = base / hashlib.sha256(family.encode("utf-8", "surrogateescape")).hexdigest()[:16]
    with locked(base, fcntl.LOCK_EX):
        _sweep(base)
        folder.mkdir(mode=0o700, exist_ok=True)
        if not _living(folder):
            for entry in folder.iterdir():
                entry.unlink()
            (folder / _IDENTITY).write_text(identity, encoding="utf-8")
        os.utime(folder)
        # Under the lock: whoever joins next must find a living process here, else it empties the folder.
        return Group(folder, ours=True).claim()


def _here() -> str:
    """Return the folder that this process runs in; nothing where somebody has removed it."""
    try:
        return os.getcwd()
    except OSError:
        return ""


def _network() -> str:
    """Return what tells networks apart: containers that share memory (`--ipc=host`) have pages of their own."""
    try:
        return os.readlink(_NETWORK)
    except OSError:
        return ""


def _base() -> Path:
    """Return the folder of this user's groups; in memory where the system has such a place."""
    for base in bases():
        try:
            base.mkdir(mode=0o700, exist_ok=True)
        except OSError:
            continue
        if _is_ours(base):
            return base
    return Path(tempfile.mkdtemp(prefix=f"{base.name}-"))


def bases() -> tuple[Path, ...]:
    """Return where this user's groups may have their folders, the best place first; nothing is made."""
    return tuple(parent / f"otel-distro-{os.getuid()}" for parent in (_MEMORY_FOLDER, Path(tempfile.gettempdir())))


def _is_ours(folder: Path) -> bool:
    """Say whether a folder is there, no link, and nobody else's to write to."""
    try:
        status = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid() and not status.st_mode & 0o022


def _identity(folder: Path) -> str:
    try:
        return (folder / _IDENTITY).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def _living(folder: Path) -> bool:
    return any(is_alive(entry) for entry in folder.glob(f"*{SUFFIX}"))


def _sweep(base: Path) -> None:
    """Remove what groups left behind whose last process was killed."""
    for folder in base.iterdir():
        if folder.is_dir() and folder.stat().st_mtime < time.time() - _OLD and not _living(folder):
            shutil.rmtree(folder, ignore_errors=True)

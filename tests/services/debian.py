"""Servers from Debian's and Ubuntu's packages: fetched by apt-get and unpacked, never installed, so no service starts.

Only refreshing the package lists needs root; everything else works as any user.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from tests.services import cache, commands
from tests.services.errors import ServiceError

_URI = re.compile(r"^'\S+' (?P<file>[^_\s]+_(?P<version>\S+)_[^_\s]+\.deb) (?P<size>\d+)", re.MULTILINE)


def fetch(package: str) -> Path:
    """Return the folder the package is unpacked in (`usr/bin/...`), from the cache where some version is there.

    Raises ServiceError with apt-get's own words.
    """
    return cache.newest(package) or _fetch(package)


def _fetch(package: str) -> Path:
    commands.need("apt-get", "dpkg", why="not a Debian or Ubuntu system")
    try:
        return _download(package)
    except ServiceError as error:
        # Fresh containers have no package lists, and old lists name files that are gone from the mirrors.
        cache.say(f"{package}: {error}; refreshing the package lists (apt-get update) ...")
        try:
            commands.run("apt-get", "update", "-q")
        except ServiceError as failed:
            root = "" if os.geteuid() == 0 else " (it needs root)"
            raise ServiceError(f"{error}; then {failed}{root}") from None
        return _download(package)


def _download(package: str) -> Path:
    found = _URI.search(commands.run("apt-get", "download", "--print-uris", package))
    if found is None:
        raise ServiceError(f"apt-get knows no file of package {package!r}")
    file, version, size = found["file"], found["version"], int(found["size"])

    def fill(folder: Path) -> None:
        cache.say(f"{package}: fetching {version.replace('%3a', ':')} ({size / 1e6:.0f} MB) ...")
        commands.run("apt-get", "download", "-q", "-o", "APT::Sandbox::User=root", package, cwd=folder)
        commands.run("dpkg", "-x", str(folder / file), str(folder))
        (folder / file).unlink()

    return cache.obtain(package, version.replace("%3a", "+"), fill)

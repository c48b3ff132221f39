"""Programs built from their published Go modules: fetched, checked against Go's checksum database, and compiled."""

from __future__ import annotations

from pathlib import Path

from tests.services import cache, commands

_SMALL = ("-trimpath", "-ldflags=-s -w")


def fetch(name: str, version: str, *packages: str, tags: str = "") -> Path:
    """Return the folder with the programs of these packages of one module at this version, from the cache or built.

    What Go has fetched and compiled when it is killed stays in Go's own caches, so the next try goes on. `name` is that
    of the entry. Raises ServiceError where there is no Go or it fails.
    """
    return cache.obtain(name, version, lambda folder: install(folder, name, version, *packages, tags=tags))


def install(folder: Path, name: str, version: str, *packages: str, tags: str = "") -> None:
    """Build the programs into the folder, with a line of progress now and then under `name`."""
    commands.need("go", why=f"{name.partition(':')[0]} is built with it")
    command = ["go", "install", *_SMALL, f"-tags={tags}", *(f"{package}@v{version}" for package in packages)]
    what = f"{name}: building {version} with Go (minutes the first time)"
    commands.run(*command, cwd=folder, env={"GOBIN": str(folder)}, what=what)

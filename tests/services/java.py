"""A Java that is new enough for the servers written in it."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.services import commands
from tests.services.errors import ServiceError

SYSTEM: Final = Path("/usr/lib/jvm")
_OLDEST: Final = 21
_VERSION: Final = re.compile(r'^JAVA_VERSION="(\d+)', re.MULTILINE)


def home(server: Path) -> Path:
    """Return the home of a Java 21 or newer: the server's own, `$ES_JAVA_HOME`, `$JAVA_HOME`, PATH's or a system one.

    Raises ServiceError where there is none.
    """
    found = [folder for folder in _candidates(server) if _major(folder) >= _OLDEST]
    if not found:
        raise ServiceError(
            f"elasticsearch: no Java {_OLDEST} or newer found in $ES_JAVA_HOME, $JAVA_HOME, PATH or {SYSTEM}. "
            "Install one (a JRE without a screen is enough), or set JAVA_HOME to its folder."
        )
    return found[0]


def _candidates(server: Path) -> Iterator[Path]:
    yield server / "jdk"
    yield from (Path(os.environ[name]) for name in ("ES_JAVA_HOME", "JAVA_HOME") if os.environ.get(name))
    if program := shutil.which("java"):
        yield Path(program).resolve().parent.parent
    yield from sorted(SYSTEM.glob("*"), key=_major, reverse=True)


def _major(folder: Path) -> int:
    """Return the version that the folder's `release` file tells, 0 where it tells none."""
    try:
        found = _VERSION.search((folder / "release").read_text())
    except OSError:
        return 0
    return int(found[1]) if found else 0


def compile_classes(java_home: Path, source: Path, libraries: str, target: Path) -> None:
    """Compile one source file into the folder; raises ServiceError where this Java has no compiler or it refuses."""
    compiler = java_home / "bin" / "javac"
    if not compiler.is_file():
        raise ServiceError(f"elasticsearch: {java_home} has no javac, which security needs; set JAVA_HOME to a JDK")
    commands.run(compiler, "--release", str(_OLDEST), "-cp", libraries, "-d", target, source, seconds=300)

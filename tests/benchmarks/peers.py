"""Environments of packages that are compared with this one: each its own, made once, kept in the cache of the tests."""

from __future__ import annotations

import subprocess
import sys
from hashlib import sha256
from pathlib import Path

from tests.services.cache import obtain, say


def python_with(*packages: str) -> Path | None:
    """Return the Python of an environment that has the packages; None, with a line why, where none is to be had."""
    version = sha256(" ".join((sys.version, *packages)).encode()).hexdigest()[:16]

    def fill(folder: Path) -> None:
        say(f"making an environment with {', '.join(packages)}")
        subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
        pip = [str(folder / "venv" / "bin" / "python"), "-m", "pip", "install", "--quiet", *packages]
        subprocess.run(pip, check=True)

    try:
        return obtain("peers", version, fill) / "venv" / "bin" / "python"
    except (OSError, subprocess.CalledProcessError) as error:
        say(f"left out: {', '.join(packages)}: {error}")
        return None

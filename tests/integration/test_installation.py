"""The README's first command, as a user's pip sees it today: without the lock file, in an environment of its own."""

from __future__ import annotations

import os
import shutil
import venv
from pathlib import Path

import pytest

from tests.processes import ROOT, AppProcess

_SOURCES = ("pyproject.toml", "README.md", "LICENSE", "otel_distro")


@pytest.mark.timeout(900)
def test_pip_can_install_the_package_with_every_extra_from_what_is_published_today(tmp_path: Path) -> None:
    # A copy: pip builds the package where it lies, and others may read this folder meanwhile.
    source = tmp_path / "source"
    source.mkdir()
    for name in _SOURCES:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, source / name)
    python = tmp_path / "env" / "bin" / "python"
    venv.create(tmp_path / "env", with_pip=True)
    command: list[str | Path] = [
        python,
        "-m",
        "pip",
        "install",
        "--disable-pip-version-check",
        "--dry-run",
        f"{source}[all]",
    ]
    # pip asks the registry that the machine is set up for.
    env = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_", "REQUESTS_"))}
    with AppProcess(command, env) as install:
        assert install.wait(600) == 0, install.output
        assert "Would install" in install.output
        assert "otel-distro" in install.output.split("Would install", 1)[1]

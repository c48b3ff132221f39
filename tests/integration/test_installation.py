"""The README's commands of pip, as a user's pip sees them today: without the lock file, in a new environment."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import venv
from pathlib import Path

import pytest

from tests.processes import ROOT, AppProcess

_SOURCES = ("pyproject.toml", "README.md", "LICENSE", "otel_distro")
_COMMANDS = re.findall(r"^    pip install (.*)$", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.timeout(900)
def test_pip_can_install_what_the_readme_says_from_what_is_published_today(tmp_path: Path) -> None:
    assert len(_COMMANDS) == 2
    words = set(shlex.split(" ".join(_COMMANDS)))  # the longer command holds the shorter one
    wanted = [word.replace(".[", f"{tmp_path / 'source'}[") for word in sorted(words)]
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
        *wanted,
    ]
    # pip asks the registry that the machine is set up for.
    env = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_", "REQUESTS_"))}
    with AppProcess(command, env) as install:
        assert install.wait(600) == 0, install.output
        assert "Would install" in install.output
        installed = install.output.split("Would install", 1)[1]
        assert "otel-distro" in installed
        # One family, whatever is beside the package.
        assert set(re.findall(r"opentelemetry-instrumentation\S*-(\d\S*)", installed)) == {"0.66b1"}

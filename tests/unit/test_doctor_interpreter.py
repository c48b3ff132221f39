"""Which Python runs a command, and whether it has this package."""

from __future__ import annotations

import os
import sys
import venv
from pathlib import Path

import pytest

from otel_distro.doctor import interpreter
from otel_distro.doctor.interpreter import without_us


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the programs' folder of an environment with nothing in it."""
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder, symlinks=True)
    return folder / "bin"


def script(folder: Path, first_line: str) -> str:
    path = folder / "serve"
    path.write_text(f"{first_line}\nprint(1)\n")
    path.chmod(0o755)
    return str(path)


def test_a_python_without_the_package_is_named_by_itself_by_path_and_by_the_first_line_of_a_script(
    bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = str(bare / "python")
    assert without_us(python) == python
    assert without_us(script(tmp_path, f"#!{python} -s")) == python
    monkeypatch.setenv("PATH", str(bare))
    assert without_us("python") == python
    assert without_us(script(tmp_path, "#!/usr/bin/env python")) == python


def test_on_path_only_a_file_that_can_be_executed_is_a_python(
    bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "folder" / "python").mkdir(parents=True)
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "python").touch(mode=0o644)
    monkeypatch.setenv("PATH", os.pathsep.join(map(str, (tmp_path / "folder", tmp_path / "text", bare))))
    assert without_us("python") == str(bare / "python")


def test_a_python_beside_the_command_of_this_package_is_not_asked(bare: Path, tmp_path: Path) -> None:
    (tmp_path / "python").symlink_to(bare / "python")
    assert without_us(str(tmp_path / "python")) == str(tmp_path / "python")
    (tmp_path / "otel-distro").touch()
    assert without_us(str(tmp_path / "python")) == ""


def test_a_python_that_has_it_by_whatever_way_is_well(
    bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert without_us(sys.executable) == ""
    (tmp_path / "otel_distro-1.dist-info").mkdir()
    (tmp_path / "otel_distro-1.dist-info" / "METADATA").write_text("Name: otel-distro\nVersion: 1\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert without_us(str(bare / "python")) == ""


@pytest.mark.parametrize("first_line", ["#!/bin/sh", "#!", "#!/usr/bin/env", "\x7fELF", "#!/nowhere/python"])
def test_what_is_no_python_or_cannot_be_asked_is_let_alone(first_line: str, tmp_path: Path) -> None:
    assert without_us(script(tmp_path, first_line)) == ""
    assert without_us(str(tmp_path)) == without_us("no-such-command") == without_us("") == ""


def test_the_doctor_warns_of_a_python_on_path_that_has_no_package(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent))
    assert [found.status for found in interpreter.look()] == ["ok"]
    monkeypatch.setenv("PATH", f"{bare}{os.pathsep}{os.environ['PATH']}")
    (found,) = interpreter.look()
    assert (found.status, f"python is {bare / 'python'}" in found.found) == ("warning", True)
    assert sys.executable in found.mend

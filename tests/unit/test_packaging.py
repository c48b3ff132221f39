"""What a user installs: the wheel and the source archive hold the package, its metadata and nothing else."""

from __future__ import annotations

import configparser
import re
import sys
import tarfile
import zipfile
from email.message import Message
from email.parser import Parser
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import otel_distro
from tests.processes import ROOT, AppProcess

INFO = f"otel_distro-{otel_distro.__version__}.dist-info"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    with AppProcess(["python", "-m", "hatchling", "build", "-d", folder]) as build:
        assert build.wait() == 0, build.output
    return folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> zipfile.ZipFile:
    (file,) = built.glob("*.whl")
    return zipfile.ZipFile(file)


@pytest.fixture(scope="module")
def metadata(wheel: zipfile.ZipFile) -> Message:
    return Parser().parsestr(wheel.read(f"{INFO}/METADATA").decode())


def test_the_wheel_holds_every_module_and_the_typing_mark_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    sources = {str(file.relative_to(ROOT)) for file in (ROOT / "otel_distro").rglob("*.py")}
    assert {name for name in wheel.namelist() if not name.startswith(INFO)} == sources | {"otel_distro/py.typed"}


def test_the_source_archive_holds_what_the_wheel_is_built_from(built: Path, wheel: zipfile.ZipFile) -> None:
    (file,) = built.glob("*.tar.gz")
    with tarfile.open(file) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    package = {name for name in wheel.namelist() if name.startswith("otel_distro/")}
    assert package | {"pyproject.toml", "README.md", "LICENSE", "PKG-INFO"} <= names
    assert not [name for name in names if name.startswith(("tests", ".venv", "examples", "docs"))]


def test_the_metadata_says_what_it_is(metadata: Message) -> None:
    assert metadata["Name"] == "otel-distro"
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["License-File"] == "LICENSE"
    assert metadata["Requires-Python"] == ">=3.10"
    assert "Typing :: Typed" in metadata.get_all("Classifier", [])
    assert sorted(metadata.get_all("Provides-Extra", [])) == [
        "all",
        "dashboards",
        "elasticsearch",
        "flask",
        "local",
        "rules",
    ]


def test_the_version_is_the_one_that_the_package_names(metadata: Message) -> None:
    assert metadata["Version"] == otel_distro.__version__


def test_the_upstream_distribution_is_neither_required_nor_here(metadata: Message) -> None:
    # It registers under the same two entry points, and the first one found wins.
    required = metadata.get_all("Requires-Dist", [])
    assert not [name for name in required if name.startswith("opentelemetry-distro")]
    for group, own in (
        ("opentelemetry_distro", "otel_distro.distro:OtelDistro"),
        ("opentelemetry_configurator", "otel_distro.distro:OtelConfigurator"),
    ):
        assert [point.value for point in entry_points(group=group)] == [own]


def test_both_opentelemetry_families_are_held_to_one_release(metadata: Message) -> None:
    required = [name for name in metadata.get_all("Requires-Dist", []) if name.startswith("opentelemetry")]
    assert len(required) >= 9
    assert not [name for name in required if ("<1.45.2" in name) == ("<0.66b2" in name)]


def test_every_entry_point_of_the_wheel_leads_somewhere(wheel: zipfile.ZipFile) -> None:
    points = configparser.ConfigParser()
    points.read_string(wheel.read(f"{INFO}/entry_points.txt").decode())
    assert {group: dict(points[group]) for group in points.sections()} == {
        "console_scripts": {"otel-distro": "otel_distro.cli:main"},
        "opentelemetry_configurator": {"otel_distro": "otel_distro.distro:OtelConfigurator"},
        "opentelemetry_distro": {"otel_distro": "otel_distro.distro:OtelDistro"},
    }
    for group in points.sections():
        for point in entry_points(group=group):
            if point.name in points[group]:
                assert callable(point.load())


def test_the_command_is_installed() -> None:
    with AppProcess(["otel-distro", "--help"]) as command:
        assert command.wait() == 0, command.output
        assert command.stdout.startswith("Usage: otel-distro")
        assert command.arguments[0].startswith(str(Path(sys.executable).parent))


def test_the_lock_holds_what_the_package_requires_by_hash_and_names_no_registry(metadata: Message) -> None:
    text = (ROOT / "requirements-dev.lock").read_text()
    pins = re.findall(r"^([a-z0-9._-]+)==(\S+).* \\\n    --hash=sha256:", text, re.MULTILINE)
    assert len(pins) == len(re.findall(r"^\w", text, re.MULTILINE))
    assert "://" not in text
    assert "index-url" not in text
    assert "opentelemetry-distro" not in dict(pins)
    required = [Requirement(line) for line in metadata.get_all("Requires-Dist", [])]
    for requirement in (one for one in required if one.name != "otel-distro"):
        locked = [version for name, version in pins if name == requirement.name]
        assert locked, f"{requirement} is not in the lock: `make lock`"
        assert all(requirement.specifier.contains(version, prereleases=True) for version in locked), requirement


def test_a_name_that_the_package_does_not_have_is_an_error_and_one_to_type_checkers_too() -> None:
    # `make types` fails where the remark to the type checker is not needed.
    with pytest.raises(ImportError, match="cuonter"):
        from otel_distro import cuonter  # type: ignore[attr-defined]  # noqa: F401

"""The folder of shared metrics, where nothing is left."""

from __future__ import annotations

from pathlib import Path

import pytest

from otel_distro.doctor import shared_folder
from otel_distro.doctor.model import Finding
from otel_distro.doctor.places import Room
from otel_distro.metrics import group
from otel_distro.settings import Settings


def found(folder: Path | str = "") -> Finding:
    (finding,) = shared_folder.look(Settings.from_environ({"OTEL_DISTRO_PROMETHEUS_DIR": str(folder)}))
    return finding


@pytest.mark.parametrize("name", ["", "new/folder"])
def test_a_folder_that_is_there_or_is_to_be_made_is_well_and_nothing_is_left(name: str, tmp_path: Path) -> None:
    assert found(tmp_path / name).status == "ok"
    assert list(tmp_path.iterdir()) == []


def test_without_a_name_the_first_of_the_users_own_places_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group, "_MEMORY_FOLDER", tmp_path)
    assert found().found.startswith(f"{tmp_path}/otel-distro-")
    (tmp_path / "file").touch()
    monkeypatch.setattr(group, "_MEMORY_FOLDER", tmp_path / "file")
    assert found().status == "ok"
    monkeypatch.setattr("otel_distro.metrics.group.tempfile.gettempdir", lambda: str(tmp_path / "file"))
    assert (found().status, "is no folder" in found().found) == ("fault", True)


@pytest.mark.parametrize("lost", ["locks", "room", "making"])
def test_a_folder_without_locks_without_room_or_without_rights_is_a_fault(
    lost: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    if lost == "locks":
        monkeypatch.setattr(shared_folder, "is_alive", lambda _: False)
    elif lost == "room":
        monkeypatch.setattr("os.posix_fallocate", refuse)
    else:
        monkeypatch.setattr("tempfile.mkdtemp", refuse)
    fault = found(tmp_path)
    assert fault.status == "fault"
    assert ("cannot be locked" if lost == "locks" else "No space left") in fault.found
    assert "OTEL_DISTRO_PROMETHEUS_DIR" in fault.mend
    assert list(tmp_path.iterdir()) == []


def test_the_folder_of_this_package_counts_before_that_of_prometheus_client(tmp_path: Path) -> None:
    theirs = {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path / "theirs")}
    ours = {"OTEL_DISTRO_PROMETHEUS_DIR": str(tmp_path / "ours")}
    for variables, name in ((theirs, "theirs"), (theirs | ours, "ours")):
        (finding,) = shared_folder.look(Settings.from_environ(variables))
        assert finding.found.startswith(f"{tmp_path / name} can be written, ")


def test_a_folder_is_told_as_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.chdir(tmp_path)
    wrong = f"file/metrics: {tmp_path / 'file'} is no folder"
    assert found("file/metrics").found == f"metrics are not shared between processes: {wrong}"


def test_little_room_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_folder, "room", lambda _: Room(10**6, True))
    assert found(tmp_path).status == "warning"

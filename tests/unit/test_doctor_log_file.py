"""The log file, which is neither made nor changed by looking at it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from otel_distro.doctor import log_file
from otel_distro.doctor.places import Room


def test_a_file_that_is_to_be_made_and_one_that_is_there_are_well_and_stay_as_they_are(tmp_path: Path) -> None:
    (new,) = log_file.look(str(tmp_path / "logs" / "new.log"))
    there = tmp_path / "there.log"
    there.write_text("line\n")
    before = there.stat()
    (old,) = log_file.look(str(there))
    assert (new.status, old.status) == ("ok", "ok")
    assert [file.name for file in tmp_path.iterdir()] == ["there.log"]
    after = there.stat()
    assert (after.st_mtime_ns, after.st_size) == (before.st_mtime_ns, before.st_size)


def test_a_folder_a_pipe_and_a_place_below_a_file_are_faults(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "file" / "gone.log")
    said = {
        "": "is a folder",
        "pipe": "is a named pipe",
        "file/x.log": "file is no folder",
        "link": "file is no folder",
    }
    for name, wrong in said.items():
        (fault,) = log_file.look(str(tmp_path / name))
        assert (fault.status, wrong in fault.found) == ("fault", True), fault
        assert "OTEL_DISTRO_LOG_FILE" in fault.found
        assert "OTEL_DISTRO_LOG_FILE" in fault.mend


def test_of_a_link_the_folder_counts_that_it_leads_to_which_has_to_be_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image, disk = tmp_path / "image", tmp_path / "disk"
    image.mkdir()
    disk.mkdir()
    (image / "a.log").symlink_to(disk / "a.log")
    (image / "b.log").symlink_to(disk / "new" / "b.log")
    (disk / "c.log").symlink_to(image / "c.log")
    monkeypatch.setattr(os, "access", lambda place, _: Path(place) != image)
    (made,) = log_file.look(str(image / "a.log"))
    assert made.status == "ok"
    (nowhere,) = log_file.look(str(image / "b.log"))
    assert f"cannot be made: it is a link, and there is no folder {disk / 'new'}" in nowhere.found
    (refused,) = log_file.look(str(disk / "c.log"))
    assert refused.found.endswith(f"may not write to {image}")


def test_a_pipe_that_the_process_has_open_is_well() -> None:
    reading, writing = os.pipe()
    try:
        (found,) = log_file.look(f"/proc/self/fd/{writing}")
    finally:
        os.close(reading)
        os.close(writing)
    assert (found.status, found.found.endswith("is what the process has open, or a device")) == ("ok", True)


def test_a_file_that_is_there_needs_no_room_for_another_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_file, "room", lambda _: Room(10**9, False))
    (tmp_path / "a.log").touch()
    assert log_file.look(str(tmp_path / "a.log"))[0].status == "ok"


def test_a_file_that_this_user_may_not_open_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "a.log").touch()
    monkeypatch.setattr(os, "open", refuse)
    (fault,) = log_file.look(str(tmp_path / "a.log"))
    assert fault.found.endswith("cannot be opened (Permission denied)")


def test_standard_output_is_well() -> None:
    assert log_file.look("/dev/null")[0].status == "ok"


@pytest.mark.parametrize(
    ("left", "status"), [(Room(0, True), "fault"), (Room(10**6, True), "warning"), (Room(10**9, False), "fault")]
)
def test_a_disk_that_is_full_or_nearly_is_told(
    left: Room, status: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_file, "room", lambda _: left)
    (found,) = log_file.look(str(tmp_path / "new.log"))
    assert (found.status, "free space on the disk" in found.mend) == (status, True)


def test_a_name_alone_is_a_fault_where_the_folder_that_it_is_in_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "release").mkdir()
    monkeypatch.chdir(tmp_path / "release")
    (tmp_path / "release").rmdir()
    (fault,) = log_file.look("x.log")
    assert (fault.status, fault.found.endswith("somebody has removed the folder that this runs in")) == ("fault", True)

"""What is said of places where nothing is changed."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from otel_distro.doctor.places import Room, nearest, room, size_text, unwritable


def test_the_nearest_place_that_exists_is_found_be_it_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert nearest(tmp_path / "a" / "b") == tmp_path
    assert nearest(tmp_path / "file" / "b") == tmp_path / "file"


def test_a_file_in_the_way_and_a_folder_of_others_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    assert unwritable(tmp_path / "new" / "folder") == ""
    assert unwritable(tmp_path / "file" / "b") == f"{tmp_path}/file is no folder"
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert unwritable(tmp_path).endswith(f"may not write to {tmp_path}")


@pytest.mark.parametrize(("free", "all_", "another"), [(0, 5, False), (3, 5, True), (0, 0, True)])
def test_room_is_bytes_and_whether_another_file_can_be_made_be_it_on_a_disk_that_counts_none(
    free: int, all_: int, another: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = SimpleNamespace(f_bavail=10, f_frsize=4096, f_favail=free, f_files=all_)
    monkeypatch.setattr(os, "statvfs", lambda _: disk)
    assert room(tmp_path) == Room(40_960, another)


def test_room_is_that_of_the_disk_and_is_told_in_round_numbers(tmp_path: Path) -> None:
    assert room(tmp_path / "new").free > 0
    assert [size_text(size) for size in (40_900, 10**6, 1_500_000, 10**9, 25_300_000_000)] == [
        "41 kB",
        "1.0 MB",
        "1.5 MB",
        "1.0 GB",
        "25.3 GB",
    ]

"""Which files a path or glob stands for."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from otel_distro.analyzer.files import find_damage, find_files
from otel_distro.errors import StoreError


def _make(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(gzip.compress(b"{}\n") if name.endswith(".gz") else b"{}\n")


def _found(folder: Path, pattern: str) -> list[str]:
    return [str(path.relative_to(folder)) for path in find_files(str(folder / pattern))]


ROTATED = ["app.log", "app.log-20250301.gz", "app.log.1", "app.log.2.gz", "app.log.2025-03-01_13-00"]


@pytest.mark.parametrize("pattern", ["*.log", "app.log"])
def test_rotated_and_gzipped_siblings_belong_to_a_log_and_nothing_else_does(tmp_path: Path, pattern: str) -> None:
    _make(tmp_path, *ROTATED, "app.log.bak", "app.log.swp", "app.logs", "app.log.1.tmp", "other.txt", "xapp.logx.1")
    assert _found(tmp_path, pattern) == ROTATED


def test_a_log_that_is_only_there_rotated_is_found(tmp_path: Path) -> None:
    _make(tmp_path, "app.log.1")
    assert _found(tmp_path, "app.log") == ["app.log.1"]
    assert _found(tmp_path, "*.log") == ["app.log.1"]


def test_a_file_that_is_just_being_gzipped_is_read_once(tmp_path: Path) -> None:
    _make(tmp_path, "app.log", "app.log.1", "app.log.1.gz")
    assert _found(tmp_path, "*.log") == ["app.log", "app.log.1"]


def test_links_to_one_file_are_read_once(tmp_path: Path) -> None:
    _make(tmp_path, "app.log")
    (tmp_path / "current.log").symlink_to("app.log")
    os.link(tmp_path / "app.log", tmp_path / "hard.log")
    (tmp_path / "dangling.log").symlink_to("nowhere")
    assert _found(tmp_path, "*.log") == ["app.log"]


def test_two_stars_go_through_folders(tmp_path: Path) -> None:
    _make(tmp_path, "a.log", "x/b.log", "x/y/c.log.1")
    assert _found(tmp_path, "**/*.log") == ["a.log", "x/b.log", "x/y/c.log.1"]


@pytest.mark.parametrize("name", ["a[1].log", "a*b.log", "a?b.log", "a{1}.log"])
def test_a_name_with_characters_of_a_glob_is_that_file(tmp_path: Path, name: str) -> None:
    _make(tmp_path, name, name + ".1", "a1.log", "axb.log")
    assert _found(tmp_path, name) == [name, name + ".1"]


def test_empty_files_count_as_found_and_need_no_reading(tmp_path: Path) -> None:
    (tmp_path / "app.log").touch()
    (tmp_path / "app.log.1.gz").touch()
    assert _found(tmp_path, "*.log") == []


def test_folders_and_pipes_are_no_logs(tmp_path: Path) -> None:
    (tmp_path / "folder.log").mkdir()
    os.mkfifo(tmp_path / "pipe.log")
    with pytest.raises(StoreError, match="no log file matches"):
        _found(tmp_path, "*.log")


def test_no_file_and_a_folder_are_said_with_their_names(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"no log file matches .*none\.log"):
        _found(tmp_path, "none.log")
    with pytest.raises(StoreError, match=r"is a folder; name its files: .*/\*\.log"):
        find_files(str(tmp_path))


def test_damage_names_the_first_file_that_cannot_be_read_to_its_end(tmp_path: Path) -> None:
    good, cut = tmp_path / "a.log.1.gz", tmp_path / "b.log.1.gz"
    good.write_bytes(gzip.compress(b"{}\n" * 1000))
    cut.write_bytes(good.read_bytes()[:-9])
    assert find_damage([good, tmp_path / "gone.log"]) is None
    assert str(find_damage([good, cut])).startswith(f"{cut} is damaged")

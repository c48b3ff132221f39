"""New lines of growing files: each once, through every way of rotation."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from otel_distro.analyzer import follow_files
from otel_distro.analyzer.files import find_files
from otel_distro.analyzer.follow_files import FollowedFiles
from otel_distro.errors import StoreError


def _write(path: Path, *lines: str, end: str = "\n") -> None:
    with path.open("a") as file:
        file.write("\n".join(lines) + end)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "app.log"
    _write(file, "old 1", "old 2")
    return file


@pytest.fixture
def files(path: Path) -> Iterator[FollowedFiles]:
    followed = FollowedFiles(str(path))
    yield followed
    followed.close()


def _new(files: FollowedFiles) -> list[str]:
    return [line.decode() for line in files.lines()]


def test_only_what_comes_after_the_start_is_new_and_each_line_once(path: Path, files: FollowedFiles) -> None:
    assert _new(files) == []
    _write(path, "a", "b")
    assert _new(files) == ["a", "b"]
    assert _new(files) == []


def test_a_line_is_given_when_it_is_whole_also_one_that_was_half_at_the_start(path: Path) -> None:
    _write(path, "half", end="")
    files = FollowedFiles(str(path))
    assert _new(files) == []
    _write(path, " and half", "next", end="")
    assert _new(files) == ["half and half"]
    _write(path, "")
    assert _new(files) == ["next"]
    files.close()


@pytest.mark.parametrize("begun", ["", "half", "\nhalf"], ids=["empty", "half a line", "half a second line"])
def test_the_first_line_of_a_file_is_given_when_it_is_whole(tmp_path: Path, begun: str) -> None:
    path = tmp_path / "new.log"
    path.write_text(begun)
    _write(tmp_path / "new.log.1", "older")  # an empty file alone is none to look at
    files = FollowedFiles(str(path))
    _write(path, " and half", "next")
    assert _new(files) == [f"{begun.strip()} and half", "next"]
    files.close()


def test_a_moment_without_any_file_as_in_a_rotation_ends_nothing(path: Path, files: FollowedFiles) -> None:
    _write(path, "a")
    path.rename(path.with_name("elsewhere"))
    assert _new(files) == ["a"]
    assert _new(files) == []
    _write(path, "b")
    assert _new(files) == ["b"]


def test_a_file_that_is_renamed_is_read_to_its_end_and_the_new_one_from_its_beginning(
    path: Path, files: FollowedFiles
) -> None:
    _write(path, "a")
    path.rename(path.with_name("app.log.1"))
    _write(path.with_name("app.log.1"), "b")
    _write(path, "c")
    assert sorted(_new(files)) == ["a", "b", "c"]


def test_files_rotated_twice_between_two_looks_are_read_whole(path: Path, files: FollowedFiles) -> None:
    _write(path, "a")
    path.rename(path.with_name("app.log.1"))
    _write(path, "b")
    path.with_name("app.log.1").rename(path.with_name("app.log.2"))
    path.rename(path.with_name("app.log.1"))
    _write(path, "c")
    assert sorted(_new(files)) == ["a", "b", "c"]


@pytest.mark.parametrize("after", ["x", "much longer than everything that stood in the file before" * 50])
def test_a_file_that_is_copied_and_cut_back_is_read_on_in_its_copy(
    path: Path, files: FollowedFiles, after: str
) -> None:
    _write(path, "a")
    assert _new(files) == ["a"]
    _write(path, "b")
    shutil.copy(path, path.with_name("app.log.1"))
    path.write_text("")
    _write(path, after)
    assert sorted(_new(files)) == sorted(["b", after])
    assert _new(files) == []


def test_a_copy_that_is_seen_before_the_file_is_cut_doubles_nothing(path: Path, files: FollowedFiles) -> None:
    _write(path, "a")
    shutil.copy(path, path.with_name("app.log.1"))
    assert _new(files) == ["a"]
    assert _new(files) == []
    path.write_text("")
    assert _new(files) == []
    _write(path, "b")
    assert _new(files) == ["b"]


def test_a_second_copy_that_is_seen_before_its_cut_is_known_though_no_look_was_between_the_two(
    path: Path, files: FollowedFiles
) -> None:
    shutil.copy(path, path.with_name("app.log.1"))
    path.write_text("")
    _write(path, "a")
    path.with_name("app.log.1").rename(path.with_name("app.log.2"))
    shutil.copy(path, path.with_name("app.log.1"))
    assert _new(files) == ["a"]
    path.write_text("")
    _write(path, "b")
    assert _new(files) == ["b"]


def test_a_copy_over_the_copy_before_doubles_nothing(path: Path, files: FollowedFiles) -> None:
    for number, (seen, unseen) in enumerate([(1, 1), (0, 1), (0, 0), (2, 1), (0, 0), (1, 0), (1, 1)]):
        written, found = [f"{number} {line}" for line in range(seen + unseen)], []
        for line in written[:seen]:
            _write(path, line)
            found += _new(files)
        if unseen:
            _write(path, written[seen])
        shutil.copy(path, path.with_name("app.log.1"))
        path.write_text("")
        assert [*found, *_new(files), *_new(files)] == written


@pytest.mark.parametrize("listed", [False, True])
def test_a_file_that_is_copied_and_cut_in_the_midst_of_a_look_is_read_on_in_its_copy(
    path: Path, files: FollowedFiles, listed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def look(pattern: str) -> list[Path]:
        before = find_files(pattern)
        _write(path, "a")
        shutil.copy(path, path.with_name("app.log.1"))
        path.write_text("")
        return find_files(pattern) if listed else before

    with monkeypatch.context() as patch:
        patch.setattr(follow_files, "find_files", look)
        found = _new(files)
    _write(path, "b")
    assert sorted(found + _new(files) + _new(files)) == ["a", "b"]


def test_a_file_that_has_no_whole_line_yet_hides_no_other(tmp_path: Path, path: Path) -> None:
    (tmp_path / "killed.log").write_text('{"timestamp":"2026')
    files = FollowedFiles(str(tmp_path / "*.log"))
    _write(tmp_path / "new.log", '{"timestamp":"2026-11-24"}')
    assert _new(files) == ['{"timestamp":"2026-11-24"}']
    files.close()


def test_a_file_that_is_replaced_by_a_longer_copy_of_itself_is_read_on_there(path: Path, files: FollowedFiles) -> None:
    for number in range(4):
        copy = path.with_name("next")
        shutil.copy(path, copy)
        _write(copy, f"in the copy {number}")
        copy.replace(path)
        found = _new(files) + _new(files)
        _write(path, f"behind it {number}")
        assert found + _new(files) == [f"in the copy {number}", f"behind it {number}"]


def test_a_file_that_is_replaced_by_a_shorter_one_that_begins_alike_goes_on_from_its_end(
    path: Path, files: FollowedFiles
) -> None:
    _write(path, *(f"{number:0100}" for number in range(100)))
    assert len(_new(files)) == 100
    shorter = path.with_name("next")
    shorter.write_text("".join(path.read_text().splitlines(keepends=True)[:50]))
    shorter.replace(path)
    assert _new(files) + _new(files) == []
    _write(path, "a")
    assert _new(files) == ["a"]


def test_a_file_that_is_packed_or_removed_gives_nothing_again(path: Path, files: FollowedFiles) -> None:
    _write(path, "a")
    assert _new(files) == ["a"]
    path.with_name("app.log.1.gz").write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()
    assert _new(files) == []
    _write(path, "b")
    assert _new(files) == ["b"]


def test_a_new_file_of_a_glob_is_read_from_its_beginning(tmp_path: Path, path: Path) -> None:
    files = FollowedFiles(str(tmp_path / "*.log"))
    _write(tmp_path / "other.log", "first")
    assert _new(files) == ["first"]
    files.close()


def test_a_line_beyond_the_limit_does_not_fill_the_memory_and_the_next_is_given(
    path: Path, files: FollowedFiles
) -> None:
    _write(path, "x" * (40 << 20), "next")
    lines = _new(files)
    assert lines[-1] == "next"
    assert max(map(len, lines)) <= 18 << 20


def test_no_file_at_the_start_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no log file matches"):
        FollowedFiles(str(tmp_path / "none.log"))

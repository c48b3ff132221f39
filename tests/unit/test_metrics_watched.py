"""Files that a variable names, and what happens when they change."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from otel_distro.errors import InputError
from otel_distro.metrics.watched import MOST_BYTES, NamedFile, Watched


def text_of(file: NamedFile) -> str:
    text = file.read().decode()
    if text == "bad":
        raise file.error("is bad")
    return text


def replace(file: Path, text: str) -> None:
    # As whoever rotates a file does it: written beside and moved, so that nobody reads half of it.
    beside = file.with_suffix(".new")
    beside.write_text(text)
    beside.replace(file)


def test_a_file_is_read_whole(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * MOST_BYTES)
    assert len(NamedFile("A", str(tmp_path / "a"), "mend").read()) == MOST_BYTES


def test_a_file_that_is_missing_is_named_with_its_variable_and_the_mend(tmp_path: Path) -> None:
    file = tmp_path / "gone"
    with pytest.raises(InputError) as caught:
        NamedFile("A_FILE", str(file), "name another").read()
    assert str(caught.value) == f"A_FILE='{file}' cannot be read (No such file or directory); name another"


@pytest.mark.parametrize("kind", ["folder", "pipe", "device", "large"])
def test_what_could_keep_us_waiting_or_fill_the_memory_is_refused(kind: str, tmp_path: Path) -> None:
    file = tmp_path / "a"
    if kind == "pipe":
        os.mkfifo(file)
    elif kind == "large":
        file.write_bytes(b"x" * (MOST_BYTES + 1))
    else:
        file = tmp_path if kind == "folder" else Path("/dev/zero")
    with pytest.raises(InputError, match="is no regular file of at most 1 MiB; mend"):
        NamedFile("A", str(file), "mend").read()


@pytest.mark.parametrize(
    "value", ["ann:hunter2", "hunter2", "/hunter2==", "q8/hunter2/x", "hunter2" * 1000, "hunter2\0", "/nowhere/hunter2"]
)
def test_a_secret_in_place_of_a_file_is_not_repeated(value: str) -> None:
    with pytest.raises(InputError, match=r"^A=\(not shown") as caught:
        NamedFile("A", value, "mend").read()
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_a_file_in_this_folder_is_named_when_it_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tokens.txt").touch()
    monkeypatch.chdir(tmp_path)
    assert str(NamedFile("A", "tokens.txt", "mend").error("holds nothing")) == "A='tokens.txt' holds nothing; mend"


def test_a_relative_path_stays_the_same_file_when_the_application_moves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_text("here")
    monkeypatch.chdir(tmp_path)
    file = NamedFile("A", "a", "mend")
    monkeypatch.chdir("/")
    assert file.read() == b"here"


def test_a_file_that_does_not_change_is_loaded_once(tmp_path: Path) -> None:
    file = NamedFile("A", str(tmp_path / "a"), "mend")
    Path(file.path).write_text("one")
    loads: list[str] = []

    def load() -> str:
        loads.append(text_of(file))
        return loads[-1]

    watched = Watched((file, None), load)
    assert [watched.value() for _ in range(3)] == ["one"] * 3
    assert loads == ["one"]
    replace(Path(file.path), "two")
    assert [watched.value() for _ in range(3)] == ["two"] * 3
    assert loads == ["one", "two"]


def test_a_new_time_alone_is_a_change(tmp_path: Path) -> None:
    file = NamedFile("A", str(tmp_path / "a"), "mend")
    Path(file.path).write_text("one")
    watched = Watched((file,), lambda: text_of(file))
    with open(file.path, "r+") as same:  # neither another inode nor another length
        same.write("two")
    os.utime(file.path, ns=(0, 1))
    assert watched.value() == "two"


@pytest.mark.parametrize("harm", ["bad", "gone"])
def test_the_last_good_content_stands_while_the_file_cannot_be_used(
    harm: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = NamedFile("A", str(tmp_path / "a"), "mend")
    Path(file.path).write_text("one")
    watched = Watched((file,), lambda: text_of(file))
    if harm == "gone":
        Path(file.path).unlink()
    else:
        replace(Path(file.path), "bad")
    assert [watched.value() for _ in range(3)] == ["one"] * 3
    problem = "cannot be read (No such file or directory)" if harm == "gone" else "is bad"
    assert [record.getMessage() for record in caplog.records] == [
        f"A='{file.path}' {problem}; mend; until then what was read there before stays in force"
    ]
    replace(Path(file.path), "two")
    assert watched.value() == "two"


def test_a_file_that_is_wrong_from_the_start_is_an_error(tmp_path: Path) -> None:
    file = NamedFile("A", str(tmp_path / "a"), "mend")
    with pytest.raises(InputError):
        Watched((file,), lambda: text_of(file))

"""Lines are appended whole, follow rotation, and a disk that fails costs lines but never the application."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import threading
import time
from pathlib import Path

import pytest

from otel_distro.logs import line_file
from otel_distro.logs.line_file import LOOK_AFTER, OPEN_AGAIN_AFTER, LineFile
from tests.shared_metrics import in_child


class Clock:
    """A clock that stands until it is moved, or goes on by `step` seconds at each look."""

    def __init__(self, step: float = 0.0) -> None:
        self.now = 100.0
        self._step = step

    def __call__(self) -> float:
        self.now += self._step
        return self.now


def test_missing_folders_are_made_and_modes_are_tight(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        LineFile(tmp_path / "a" / "b" / "x.log").write(b"one\n")
    finally:
        os.umask(before)
    assert (tmp_path / "a" / "b" / "x.log").read_bytes() == b"one\n"
    assert (tmp_path / "a" / "b" / "x.log").stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o750


def test_what_is_in_the_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    path.write_bytes(b"old\n")
    LineFile(path).write(b"new\n")
    assert path.read_bytes() == b"old\nnew\n"


def test_the_path_stays_the_same_when_the_process_changes_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = LineFile("x.log")
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    file.write(b"one\n")
    assert (tmp_path / "x.log").read_bytes() == b"one\n"


def test_a_renamed_file_is_left_and_a_new_one_opened(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    file = LineFile(path, Clock(LOOK_AFTER))
    file.write(b"one\n")
    path.rename(tmp_path / "x.log.1")
    file.write(b"two\n")
    path.rename(tmp_path / "x.log.2")
    path.touch()
    file.write(b"three\n")
    assert [(tmp_path / name).read_bytes() for name in ("x.log.1", "x.log.2", "x.log")] == [
        b"one\n",
        b"two\n",
        b"three\n",
    ]


def test_a_deleted_file_and_folder_are_made_again(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "x.log"
    file = LineFile(path, Clock(LOOK_AFTER))
    file.write(b"one\n")
    path.unlink()
    path.parent.rmdir()
    file.write(b"two\n")
    assert path.read_bytes() == b"two\n"


def test_lines_right_after_a_look_go_where_it_led(tmp_path: Path) -> None:
    path, clock = tmp_path / "x.log", Clock()
    file = LineFile(path, clock)
    file.write(b"one\n")
    path.rename(tmp_path / "x.log.1")
    file.write(b"two\n")
    clock.now += LOOK_AFTER
    file.write(b"three\n")
    assert (tmp_path / "x.log.1").read_bytes() == b"one\ntwo\n"
    assert path.read_bytes() == b"three\n"


def test_a_truncated_file_is_continued_at_its_start(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    file = LineFile(path)
    file.write(b"one\n")
    os.truncate(path, 0)
    file.write(b"two\n")
    assert path.read_bytes() == b"two\n"


def test_a_file_that_was_closed_is_opened_by_the_next_line(tmp_path: Path) -> None:
    file = LineFile(tmp_path / "x.log")
    file.write(b"one\n")
    file.close()
    file.close()
    file.write(b"two\n")
    assert (tmp_path / "x.log").read_bytes() == b"one\ntwo\n"


def test_a_daemon_that_closes_all_that_is_open_after_its_fork_writes_into_the_log_and_nothing_else(
    tmp_path: Path,
) -> None:
    path, other = tmp_path / "x.log", tmp_path / "other"
    file = LineFile(path, Clock())
    file.write(b"one\n")

    def child() -> None:
        # Another file gets its number.
        taken = os.dup2(os.open(other, os.O_CREAT | os.O_RDWR), file._descriptor)
        file.write(b"two\n")
        file.close()
        os.write(taken, b"mine")

    in_child(child)
    file.write(b"three\n")
    assert path.read_bytes() == b"one\ntwo\nthree\n"
    assert other.read_bytes() == b"mine"


def test_a_file_that_somebody_has_closed_loses_a_line_and_is_opened_again(tmp_path: Path) -> None:
    file = LineFile(tmp_path / "x.log")
    file.write(b"one\n")
    os.close(file._descriptor)
    file.write(b"two\n")
    file.write(b"three\n")
    assert (tmp_path / "x.log").read_bytes() == b"one\nthree\n"
    assert file.dropped == 1
    assert "Bad file descriptor" in file.problem


def test_a_line_that_an_ended_process_left_torn_is_isolated(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    path.write_bytes(b'one\n{"torn": ')
    file = LineFile(path)
    file.write(b"two\n")
    file.write(b"three\n")
    assert path.read_bytes() == b'one\n{"torn": \ntwo\nthree\n'


def test_a_path_that_cannot_be_opened_is_one_problem_and_tried_again_each_second(tmp_path: Path) -> None:
    clock = Clock()
    (tmp_path / "logs").write_text("in the way")
    path = tmp_path / "logs" / "x.log"
    file = LineFile(path, clock)
    file.open()
    assert str(path) in file.problem
    assert "Not a directory" in file.problem
    file.problem = ""
    file.write(b"one\n")
    (tmp_path / "logs").unlink()
    file.write(b"two\n")
    assert (file.dropped, file.problem, path.exists()) == (2, "", False)
    clock.now += OPEN_AGAIN_AFTER
    file.write(b"three\n")
    assert path.read_bytes() == b"three\n"
    assert file.dropped == 2


@pytest.mark.parametrize(
    ("name", "problem"),
    [("", "Is a directory"), ("x\0y", "null"), ("n" * 300, "too long")],
    ids=["folder", "null character", "long name"],
)
def test_a_name_that_no_file_can_have_is_a_problem(tmp_path: Path, name: str, problem: str) -> None:
    file = LineFile(tmp_path / name)
    file.write(b"one\n")
    assert problem in file.problem
    assert file.dropped == 1


def test_a_socket_in_the_place_of_the_file_is_not_taken_for_a_pipe_without_a_reader(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # the path of a socket must be short
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("x.log")
        file = LineFile("x.log")
        file.write(b"one\n")
    assert "a socket or an absent device is none" in file.problem
    assert file.dropped == 1


def test_a_full_disk_is_one_problem_and_each_line_is_counted() -> None:
    file = LineFile("/dev/full")
    for _ in range(3):
        file.write(b"one\n")
    assert "No space left" in file.problem
    assert "free space" in file.problem
    file.problem = ""
    file.write(b"two\n")
    assert (file.dropped, file.problem) == (4, "")


def test_a_second_period_of_failure_is_a_second_problem(tmp_path: Path) -> None:
    link = tmp_path / "x.log"
    link.symlink_to("/dev/full")
    file = LineFile(link, Clock(LOOK_AFTER))
    file.write(b"one\n")
    first, file.problem = file.problem, ""
    link.unlink()
    file.write(b"two\n")
    assert file.problem == ""
    link.unlink()
    link.symlink_to("/dev/full")
    file.write(b"three\n")
    assert first
    assert file.problem == first


def test_a_pipe_without_a_reader_does_not_stop_the_application(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    file = LineFile(path)
    file.write(b"one\n")
    assert "start the reader" in file.problem
    assert file.dropped == 1


def test_a_pipe_with_a_reader_gets_the_lines(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    LineFile(path).write(b"one\n")
    assert os.read(reader, 100) == b"one\n"
    os.close(reader)


def test_a_pipe_whose_reader_stands_still_is_waited_for_once_and_loses_only_what_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line_file, "_PATIENCE", 0.2)
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    file = LineFile(path)
    lines = [b"%d" % number + b"x" * 9_999 + b"\n" for number in range(50)]
    started = time.monotonic()
    for line in lines:
        file.write(line)
    assert time.monotonic() - started < 50 * 0.2  # it is not waited for again for each line
    assert "let the reader of the pipe go on" in file.problem
    before = file.dropped
    got = b""
    with contextlib.suppress(BlockingIOError):
        while block := os.read(reader, 1 << 16):
            got += block
    file.write(b"after\n")
    file.write(b"all\n")
    got += os.read(reader, 100)
    whole = [line for line in got.splitlines(keepends=True) if line in lines]
    assert len(whole) + before == len(lines)
    assert file.dropped == before
    assert got.endswith(b"\nafter\nall\n")
    os.close(reader)


def test_a_pipe_with_a_slow_reader_gets_a_line_that_is_longer_than_the_pipe(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    file, line, got = LineFile(path), b"x" * 500_000 + b"\n", b""
    writer = threading.Thread(target=file.write, args=(line,))
    writer.start()
    while writer.is_alive() or select.select([reader], [], [], 0)[0]:
        if select.select([reader], [], [], 0.1)[0]:
            got += os.read(reader, 50_000)
    assert (got, file.dropped) == (line, 0)
    os.close(reader)


def test_when_the_new_file_cannot_be_opened_lines_stay_in_the_renamed_one(tmp_path: Path) -> None:
    clock = Clock()
    path = tmp_path / "x.log"
    file = LineFile(path, clock)
    file.write(b"one\n")
    path.rename(tmp_path / "x.log.1")
    path.mkdir()
    for line in (b"two\n", b"three\n"):
        file.write(line)
        clock.now += 2
    assert (tmp_path / "x.log.1").read_bytes() == b"one\ntwo\nthree\n"
    assert "Is a directory" in file.problem
    assert file.dropped == 0
    file.problem = ""
    (tmp_path / "x.log.1").unlink()
    file.write(b"four\n")
    assert (file.dropped, file.problem) == (1, "")
    clock.now += 2
    path.rmdir()
    file.write(b"five\n")
    assert path.read_bytes() == b"five\n"

"""Locks end with the process that took them, whatever it had forked."""

from __future__ import annotations

import fcntl
import os
import signal
import stat
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from otel_distro.metrics import descriptors
from otel_distro.metrics.descriptors import close_lockable, locked, open_lockable
from otel_distro.metrics.shared import CellFile, is_alive
from tests.shared_metrics import ended, forked, in_child


def _is_free(path: Path) -> bool:
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def _left_by(parent: Callable[[Callable[[], None]], None], check: Callable[[], None]) -> None:
    """Run a parent that forks children by the function it is given, kill it, and check while the children live on."""
    ready, say_ready = os.pipe()
    held, hold = os.pipe()

    def fork_one() -> None:
        if not os.fork():
            os.close(hold)
            os.write(say_ready, b".")
            os.read(held, 1)  # until the test is over
            os._exit(0)
        os.write(say_ready, b"+")

    def run() -> None:
        parent(fork_one)
        os.write(say_ready, b"!")
        signal.pause()

    try:
        with forked(run):
            os.close(say_ready)
            with os.fdopen(ready, "rb", buffering=0) as pipe:
                seen = b""
                while b"!" not in seen or seen.count(b".") < seen.count(b"+"):
                    part = pipe.read(100)
                    assert part, "the parent ended"
                    seen += part
        check()
    finally:
        os.close(hold)
        os.close(held)


def test_no_child_keeps_a_lock_that_another_thread_takes_while_it_is_forked(tmp_path: Path) -> None:
    paths = [tmp_path / str(number) for number in range(20)]

    def parent(fork_one: Callable[[], None]) -> None:
        def take_and_leave() -> None:
            while True:
                for path in paths:
                    descriptor = open_lockable(path, os.O_RDWR | os.O_CREAT)
                    fcntl.flock(descriptor, fcntl.LOCK_EX)
                    close_lockable(descriptor)

        threading.Thread(target=take_and_leave, daemon=True).start()
        kept = open_lockable(tmp_path / "kept", os.O_RDWR | os.O_CREAT)
        fcntl.flock(kept, fcntl.LOCK_EX)
        for _ in range(400):
            fork_one()

    _left_by(parent, lambda: _all_free([*paths, tmp_path / "kept"]))


def _all_free(paths: list[Path]) -> None:
    assert [path.name for path in paths if path.exists() and not _is_free(path)] == []


def test_a_process_whose_file_is_mapped_is_dead_when_it_dies_and_not_when_its_children_do(tmp_path: Path) -> None:
    path = tmp_path / "1.cells"

    def parent(fork_one: Callable[[], None]) -> None:
        file = CellFile(path)
        file.add("entry", 1)[0] = 1
        fork_one()
        file.add("x" * 100_000, 1)
        fork_one()
        assert is_alive(path)

    def check() -> None:
        assert not is_alive(path)

    _left_by(parent, check)


def test_a_mapped_file_that_is_closed_is_a_dead_ones(tmp_path: Path) -> None:
    file = CellFile(tmp_path / "1.cells")
    cells = file.add("entry", 1)
    file.close()
    assert not is_alive(tmp_path / "1.cells")
    cells[0] += 1  # what is late still has its memory
    file.close()


def test_a_number_that_the_fork_has_closed_is_not_closed_again(tmp_path: Path) -> None:
    descriptor = open_lockable(tmp_path / "a", os.O_RDWR | os.O_CREAT)
    opened = os.fstat(descriptor)

    def child() -> None:
        with suppress(OSError):  # closed, unless the page that another test has left took the number for its own file
            assert not os.path.samestat(os.fstat(descriptor), opened)
        # The number is somebody else's now.
        os.dup2(os.open(tmp_path / "a", os.O_RDONLY), descriptor)
        close_lockable(descriptor)
        os.fstat(descriptor)

    in_child(child)
    os.fstat(descriptor)
    close_lockable(descriptor)


def test_a_fork_in_the_midst_of_an_opening_does_not_wait_for_itself() -> None:
    """A signal handler may fork while its own thread is opening a file."""

    def fork_within() -> None:
        with descriptors._descriptors._guard:
            in_child(lambda: None, timeout=30)

    in_child(fork_within)


def test_forks_are_watched_once_however_many_files_are_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    watched: list[object] = []
    monkeypatch.setattr(os, "register_at_fork", lambda **hooks: watched.append(hooks))
    made = descriptors._Descriptors()
    for _ in range(3):
        made.close(made.open(tmp_path / "a", os.O_RDWR | os.O_CREAT))
    assert len(watched) == 1


def test_any_thread_of_a_forked_child_opens_files(tmp_path: Path) -> None:
    close_lockable(open_lockable(tmp_path / "a", os.O_RDWR | os.O_CREAT))

    def child() -> None:
        thread = threading.Thread(target=open_lockable, args=(tmp_path / "a", os.O_RDWR), daemon=True)
        thread.start()
        thread.join(30)
        assert not thread.is_alive()

    in_child(child)


def test_a_folder_is_locked_alone_or_shared(tmp_path: Path) -> None:
    shared = locked(tmp_path, fcntl.LOCK_SH)
    with shared, locked(tmp_path, fcntl.LOCK_SH), pytest.raises(BlockingIOError):
        locked(tmp_path, fcntl.LOCK_EX | fcntl.LOCK_NB).__enter__()
    with locked(tmp_path, fcntl.LOCK_EX | fcntl.LOCK_NB):
        assert not _is_free(tmp_path / "lock")
    assert _is_free(tmp_path / "lock")


def test_a_lock_of_the_parent_is_still_its_own_after_a_fork(tmp_path: Path) -> None:
    with locked(tmp_path, fcntl.LOCK_EX):
        with forked(lambda: None) as pid:
            assert ended(pid) == 0
        assert not _is_free(tmp_path / "lock")


def test_in_a_folder_of_another_user_roots_files_are_that_users(tmp_path: Path) -> None:
    """Where root does not run the tests, the folder stays the tests' own."""
    owner = os.getuid() or 65534
    os.chown(tmp_path, owner, -1)
    for name in ("new", "new"):
        close_lockable(open_lockable(tmp_path / name, os.O_RDWR | os.O_CREAT))
    with locked(tmp_path, fcntl.LOCK_EX):
        pass
    CellFile(tmp_path / "1.cells").close()
    found = {path.name: (path.lstat().st_uid, stat.S_IMODE(path.lstat().st_mode)) for path in tmp_path.iterdir()}
    assert found == dict.fromkeys(("new", "lock", "1.cells"), (owner, 0o600))
    with pytest.raises(FileExistsError):
        open_lockable(tmp_path / "new", os.O_RDWR | os.O_CREAT | os.O_EXCL)


def test_no_link_in_the_folder_is_followed_to_a_file_that_is_written_to_or_made(tmp_path: Path) -> None:
    """As another user may have put it there, for root to write to."""
    folder, there, nowhere = tmp_path / "folder", tmp_path / "there", tmp_path / "nowhere"
    folder.mkdir()
    there.touch()
    for target in (there, nowhere):
        (folder / "link").symlink_to(target)
        with pytest.raises(OSError, match="symbolic links"):
            open_lockable(folder / "link", os.O_RDWR | os.O_CREAT)
        (folder / "link").unlink()
    assert there.stat().st_uid == os.getuid()
    assert not nowhere.exists()

"""Who shares a page with whom, from when the counting is, and who removes what is left."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from otel_distro.metrics import group as groups
from otel_distro.metrics.group import Group
from otel_distro.metrics.shared import is_alive
from otel_distro.metrics.store import CellStore
from otel_distro.settings import Settings
from tests.shared_metrics import COUNTER, ended, forked, in_child, merger, samples


@pytest.fixture(autouse=True)
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of this user's groups, in a place of the test's own."""
    memory = tmp_path / "memory"
    memory.mkdir()
    monkeypatch.setattr(groups, "_MEMORY_FOLDER", memory)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return memory / f"otel-distro-{os.getuid()}"


@pytest.fixture
def members() -> Iterator[Callable[..., Member]]:
    """Make members, and let them all leave in the end."""
    made: list[Member] = []

    def make(**variables: str) -> Member:
        made.append(Member(**variables))
        return made[-1]

    yield make
    for member in made:
        member.leave()


class Member:
    """What a process does at its start: it joins, and makes its file."""

    def __init__(self, service: str = "shop", host: str = "localhost", port: str = "9464", **variables: str) -> None:
        settings = Settings.from_environ({"OTEL_SERVICE_NAME": service, **variables})
        joined = groups.join(settings, host, int(port))
        assert joined is not None
        self.group: Group = joined
        self.folder = joined.folder
        self.store = CellStore(self.group.new_file)
        self.store.open()
        assert self.store.overflow is None, "its file could not be made"

    def count(self, amount: float = 1) -> None:
        self.store.cells(COUNTER, ())[0] += amount

    def die(self) -> None:
        """End as a killed process does."""
        self.store.close()

    def leave(self) -> None:
        """End as a process does that comes to its end."""
        self.store.close()
        self.group.leave()


def _hits(folder: Path) -> float:
    return samples(merger(folder)).get(("hits_total", ()), 0.0)


Make = Callable[..., Member]


def test_two_networks_have_a_page_each(members: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As two containers of one service that share the memory of their machine."""
    (tmp_path / "net").symlink_to("net:[1]")
    one = members()
    monkeypatch.setattr(groups, "_NETWORK", str(tmp_path / "net"))
    two, three = members(), members()
    monkeypatch.setattr(groups, "_NETWORK", str(tmp_path / "none"))
    four = members()
    assert len({one.folder, two.folder, four.folder}) == 3
    assert two.folder == three.folder


def test_processes_of_one_parent_command_service_and_address_share_a_page(members: Make, base: Path) -> None:
    one, two = members(), members()
    assert one.folder == two.folder
    assert one.folder.parent == base
    one.count(2)
    two.count(3)
    assert _hits(one.folder) == 5
    assert [folder.stat().st_mode & 0o777 for folder in (base, one.folder)] == [0o700, 0o700]


def test_processes_that_run_in_a_folder_which_is_gone_share_a_page(
    members: Make, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "release").mkdir()
    monkeypatch.chdir(tmp_path / "release")
    (tmp_path / "release").rmdir()
    one, two = members(), members()
    assert one.folder == two.folder
    assert one.folder.parent == base


@pytest.mark.parametrize("other", [{"service": "till"}, {"port": "9465"}, {"host": "0.0.0.0"}], ids=str)  # noqa: S104 -- a name only
def test_another_service_or_address_is_another_group(other: dict[str, str], members: Make) -> None:
    assert members().folder != members(**other).folder


@pytest.mark.parametrize("differs", ["parent", "command", "folder"])
def test_a_stranger_that_was_started_in_another_way_is_another_group(
    differs: str, members: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    first = members()
    if differs == "parent":
        monkeypatch.setattr(os, "getppid", lambda: 12345)
    elif differs == "command":
        monkeypatch.setattr("sys.orig_argv", ["python", "other.py"])
    else:
        monkeypatch.chdir(tmp_path)
    assert members().folder != first.folder


def test_a_forked_process_counts_in_the_group_of_its_parent_from_zero(members: Make) -> None:
    parent = members()
    parent.count(5)

    def child() -> None:
        parent.store.after_fork()
        parent.count(2)
        assert parent.store.file is not None
        assert parent.store.file.path is not None
        assert parent.store.file.path.name.startswith(f"{os.getpid()}-")

    in_child(child)
    assert _hits(parent.folder) == 7


def test_a_child_forked_before_the_first_file_does_not_take_the_one_of_its_parent(base: Path) -> None:
    group = groups.join(Settings.from_environ({}), "localhost", 9464)
    assert group is not None

    def child() -> None:
        path = group.new_file().path
        assert path is not None
        assert path.name.startswith(f"{os.getpid()}-")

    in_child(child)
    path = group.new_file().path
    assert path is not None
    assert path.name.startswith(f"{os.getpid()}-")
    assert is_alive(path)


def test_a_started_process_joins_the_group_that_its_environment_names(
    members: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    parent = members()
    monkeypatch.setattr(os, "getppid", lambda: 12345)
    monkeypatch.setattr("sys.orig_argv", ["python", "-c", "from multiprocessing.spawn import spawn_main"])
    child = members(OTEL_DISTRO_GROUP_DIR=str(parent.folder))
    assert child.folder == parent.folder
    assert child.group.ours


@pytest.mark.parametrize("other", [{"service": "till"}, {"port": "9465"}], ids=str)
def test_another_service_that_this_one_starts_does_not_join_it(other: dict[str, str], members: Make) -> None:
    parent = members()
    assert members(OTEL_DISTRO_GROUP_DIR=str(parent.folder), **other).folder != parent.folder


def _link(folder: Path) -> Path:
    link = folder.with_name("link")
    link.symlink_to(folder)
    return link


def _writable(folder: Path) -> Path:
    folder.chmod(0o777)
    return folder


def _in_a_writable(folder: Path) -> Path:
    folder.parent.chmod(0o777)
    return folder


def _gone(folder: Path) -> Path:
    return folder.with_name("gone")


def _file(folder: Path) -> Path:
    path = folder.with_name("file")
    path.touch()
    return path


@pytest.mark.parametrize("doubtful", [_link, _writable, _in_a_writable, _gone, _file])
def test_an_inherited_folder_that_is_no_folder_of_this_user_alone_is_not_joined(
    doubtful: Callable[[Path], Path], members: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    parent = members()
    named = doubtful(parent.folder)
    monkeypatch.setattr(os, "getppid", lambda: 12345)  # so that its own way leads elsewhere
    child = members(OTEL_DISTRO_GROUP_DIR=str(named))
    assert child.folder.name not in (parent.folder.name, named.name)
    assert not child.folder.is_symlink()


def test_an_inherited_folder_of_another_user_is_not_joined(
    members: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    parent = members()
    monkeypatch.setattr(os, "getppid", lambda: 12345)
    # Somebody else's, seen from here; so is what is made from now on, and the last resort is taken.
    monkeypatch.setattr(os, "getuid", lambda: 4711)
    child = members(OTEL_DISTRO_GROUP_DIR=str(parent.folder))
    assert parent.folder not in (child.folder, *child.folder.parents)


@pytest.mark.parametrize("taken", ["link", "writable", "file"])
def test_a_base_that_is_not_this_users_alone_is_not_used(taken: str, base: Path, members: Make, tmp_path: Path) -> None:
    if taken == "link":
        (tmp_path / "elsewhere").mkdir()
        base.symlink_to(tmp_path / "elsewhere")
    elif taken == "writable":
        base.mkdir()
        base.chmod(0o777)
    else:
        base.touch()
    member = members()
    assert base not in member.folder.parents
    assert member.folder.parent.parent == tmp_path
    assert member.folder.stat().st_mode & 0o077 == 0


def test_without_memory_folders_the_groups_are_among_the_temporary_files(
    members: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(groups, "_MEMORY_FOLDER", tmp_path / "nowhere")
    assert members().folder.parent == tmp_path / f"otel-distro-{os.getuid()}"


@pytest.mark.parametrize("variable", ["OTEL_DISTRO_PROMETHEUS_DIR", "PROMETHEUS_MULTIPROC_DIR"])
def test_a_folder_that_cannot_be_had_is_one_warning_that_names_it(
    variable: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    named = str(tmp_path / "file" / "metrics")
    assert groups.join(Settings.from_environ({variable: named}), "localhost", 9464) is None
    assert len(caplog.messages) == 1
    assert f": {variable}={named}: " in caplog.messages[0]


def test_a_named_folder_that_takes_no_file_is_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def child() -> None:
        if not os.getuid():
            os.setgid(65534)
            os.setuid(65534)
        assert groups.join(Settings.from_environ({"OTEL_DISTRO_PROMETHEUS_DIR": "/proc"}), "localhost", 9464) is None
        assert len(caplog.messages) == 1
        assert "OTEL_DISTRO_PROMETHEUS_DIR=/proc" in caplog.messages[0]

    in_child(child)


def test_a_service_that_is_started_again_begins_at_zero(members: Make) -> None:
    before = members()
    before.count(5)
    before.die()
    after = members()
    assert after.folder == before.folder
    assert _hits(after.folder) == 0
    after.count(1)
    assert _hits(after.folder) == 1


def test_a_service_of_which_one_process_lives_is_not_begun_anew(members: Make) -> None:
    one, two = members(), members()
    one.count(5)
    one.die()
    members()
    assert _hits(two.folder) == 5


@pytest.mark.parametrize("variable", ["OTEL_DISTRO_PROMETHEUS_DIR", "PROMETHEUS_MULTIPROC_DIR"])
def test_a_named_folder_keeps_counting(variable: str, members: Make, tmp_path: Path) -> None:
    named = {variable: str(tmp_path / "deep" / "metrics")}
    for expected in (1, 2, 3):
        member = members(**named)
        assert member.folder == tmp_path / "deep" / "metrics"
        assert not member.group.ours
        member.count(1)
        assert _hits(member.folder) == expected
        member.leave()
        assert member.folder.exists()


def test_the_last_one_out_removes_the_folder_and_nobody_before(members: Make, base: Path) -> None:
    one, two = members(), members()
    one.leave()
    assert two.folder.exists()
    two.count(1)
    two.leave()
    assert not two.folder.exists()
    assert [path for path in base.iterdir() if path.is_dir()] == []


def test_leaving_twice_or_after_somebody_has_removed_the_folder_is_quiet(members: Make) -> None:
    member = members()
    member.leave()
    member.leave()


@pytest.mark.parametrize(("age", "alive", "stays"), [(3600, False, False), (3600, True, True), (0, False, True)])
def test_what_killed_groups_left_is_swept_away_when_the_next_one_starts(
    age: float, alive: bool, stays: bool, members: Make
) -> None:
    old = members(service="old")
    if not alive:
        old.die()
    then = time.time() - age
    os.utime(old.folder, (then, then))
    members()
    assert old.folder.exists() is stays


def test_those_who_join_at_the_same_time_find_each_other() -> None:
    check_joins(rounds=15)


def check_joins(rounds: int) -> None:
    """Let four processes join at once, again and again, while those of the round before leave.

    The long form is among the faults.
    """
    for _ in range(rounds):
        _join_at_once()


def _join_at_once() -> None:
    go, start = os.pipe()
    gate, hold = os.pipe()
    said, say = os.pipe()

    def join() -> None:
        os.close(start)
        os.close(hold)
        os.read(go, 1)  # ends for all at once, when the last copy of the other end is closed
        member = Member()
        member.count(1)
        os.write(say, os.fsencode(member.folder) + b"\n")
        os.read(gate, 1)
        assert _hits(member.folder) == 4, "a process, or what it counted, was lost"
        member.leave()

    with forked(join) as a, forked(join) as b, forked(join) as c, forked(join) as d:
        os.close(start)
        os.close(say)
        with os.fdopen(said) as pipe:
            folders = [pipe.readline() for _ in range(4)]
            assert len(set(folders)) == 1, folders
        # One after another, as those who leave first must not take the others' values: here they only must be there.
        os.close(hold)
        statuses = [ended(pid) for pid in (a, b, c, d)]
        assert statuses == [0, 0, 0, 0]
    for descriptor in (go, gate):
        os.close(descriptor)
    assert not Path(folders[0].strip()).exists(), "the last one out removes the folder"


def test_who_joins_while_the_last_one_leaves_has_a_folder(base: Path) -> None:
    check_leaving_and_joining(rounds=40)


def check_leaving_and_joining(rounds: int) -> None:
    """Let two processes join, count and leave without pause; each must always find its own count."""

    def come_and_go() -> None:
        for _ in range(rounds):
            member = Member()
            member.count(1)
            assert _hits(member.folder) >= 1
            member.leave()

    with forked(come_and_go) as one, forked(come_and_go) as two:
        assert [ended(one), ended(two)] == [0, 0]

"""The cells of this process: where they are, and what happens when there is no room for them."""

from __future__ import annotations

import ctypes
import fcntl
import logging
import os
import resource
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from opentelemetry.sdk.metrics import MeterProvider

from otel_distro.metrics.merge import Merger
from otel_distro.metrics.reader import PrometheusReader
from otel_distro.metrics.shared import SEGMENT, CellFile, is_alive
from otel_distro.metrics.store import CellStore
from tests.interruptions import points
from tests.shared_metrics import COUNTER, HISTOGRAM, UP_DOWN, Worker, in_child, merger, samples

_NEW_NAMESPACES = 0x10000000 | 0x20000  # user, mounts
_PRIVATE = 0x4000 | 0x40000
_ROOM = 256 * 1024


def _shrink_disk(folder: Path) -> None:
    """Let this process alone have a folder of 256 kB; where the system forbids that, files of at most so many."""
    libc = ctypes.CDLL(None, use_errno=True)
    uid, gid = os.getuid(), os.getgid()
    if libc.unshare(_NEW_NAMESPACES) == 0:
        with suppress(OSError):
            Path("/proc/self/setgroups").write_text("deny")
        with suppress(OSError):
            Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
            Path("/proc/self/gid_map").write_text(f"0 {gid} 1")
        libc.mount(b"none", b"/", None, _PRIVATE, None)
        if libc.mount(b"tmpfs", os.fsencode(folder), b"tmpfs", 0, f"size={_ROOM}".encode()) == 0:
            return
    resource.setrlimit(resource.RLIMIT_FSIZE, (_ROOM, _ROOM))


class _Messages(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


@contextmanager
def _messages() -> Iterator[list[str]]:
    handler = _Messages()
    logger = logging.getLogger("otel_distro")
    logger.addHandler(handler)
    try:
        yield handler.texts
    finally:
        logger.removeHandler(handler)


def _count_past_the_room(folder: Path, *, before: int = 0) -> None:
    """Make more series than there is room for, and see them all on the page of this process."""
    with _messages() as messages:
        store = CellStore(lambda: CellFile(folder / f"{os.getpid()}-x.cells"))
        reader = Merger(store, folder)
        cells = []
        for number in range(6000):
            cells.append(store.cells(COUNTER, (("number", str(number)),)))
            cells[-1][0] += number
        histogram = store.cells(HISTOGRAM, ())
        for number in range(6000):
            cells[number][0] += 1
        histogram[0], histogram[1] = 3.0, 1
        for _ in range(2):
            said = samples(reader)
            expected = sum(number + 1 for number in range(6000)) + before
            assert sum(value for (name, _), value in said.items() if name == "hits_total") == expected
            assert said["took_seconds_sum", ()] == 3.0
        assert store.overflow is not None
        assert len([message for message in messages if "cannot be shared" in message]) == 1, messages
        assert str(folder) in messages[0] or "folder of shared metrics" in messages[0]


def test_a_disk_that_fills_up_costs_one_warning_and_no_value_of_this_process(tmp_path: Path) -> None:
    def child() -> None:
        _shrink_disk(tmp_path)
        _count_past_the_room(tmp_path)

    in_child(child)


def test_a_file_that_may_not_grow_costs_one_warning_and_no_value_of_this_process(tmp_path: Path) -> None:
    def child() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (_ROOM, _ROOM))
        _count_past_the_room(tmp_path)

    in_child(child)


def test_a_disk_that_is_full_from_the_start_is_the_same(tmp_path: Path) -> None:
    def child() -> None:
        _shrink_disk(tmp_path)
        with suppress(OSError), (tmp_path / "other").open("wb", buffering=0) as file:
            while file.write(bytes(4096)):
                pass
        _count_past_the_room(tmp_path)

    in_child(child)


def test_on_a_full_disk_what_ended_processes_left_stays_on_the_page(tmp_path: Path) -> None:
    def child() -> None:
        _shrink_disk(tmp_path)
        for number in range(3):
            worker = Worker(tmp_path, f"{number}-x")
            worker.record(COUNTER, 5)
            worker.die()
        reader = merger(tmp_path)
        with suppress(OSError), (tmp_path / "other").open("wb", buffering=0) as file:
            while file.write(bytes(4096)):
                pass
        with _messages() as messages:
            for _ in range(3):
                assert samples(reader) == {("hits_total", ()): 15}
        assert len(messages) <= 1, messages
        (tmp_path / "other").unlink()
        for _ in range(2):
            assert samples(reader) == {("hits_total", ()): 15}

    in_child(child)


def test_a_disk_with_room_for_a_part_of_a_folding_alone_costs_one_warning_of_it(tmp_path: Path) -> None:
    def child() -> None:
        _shrink_disk(tmp_path)
        worker = Worker(tmp_path, "1-x")
        for number in range(1500):
            worker.record(COUNTER, 1, ("number", str(number)))
        worker.die()
        with suppress(OSError), (tmp_path / "other").open("wb", buffering=0) as file:
            while file.write(bytes(4096)):
                pass
        os.truncate(tmp_path / "other", (tmp_path / "other").stat().st_size - SEGMENT)
        reader = merger(tmp_path)
        with _messages() as messages:
            for _ in range(3):
                assert sum(samples(reader).values()) == 1500
        # None where the disk could not be made smaller, but only what a file may take.
        assert len(messages) <= 1, messages
        assert all("cannot be folded" in message for message in messages), messages
        assert not list(tmp_path.glob("folding*"))

    in_child(child)


def test_a_file_that_is_reserved_takes_no_room_and_its_process_lives(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = CellStore(lambda: CellFile(tmp_path / "1-own.cells"))
    store.reserve()
    assert (tmp_path / "1-own.cells").stat().st_size == 0
    reader = merger(tmp_path)
    assert samples(reader) == {}
    assert reader.living == 1
    store.cells(COUNTER, ())[0] += 4
    assert samples(reader) == {("hits_total", ()): 4}
    CellStore(lambda: CellFile(tmp_path / "none" / "1.cells")).reserve()
    assert not caplog.messages
    store.close()


def test_a_file_that_somebody_has_removed_is_one_warning_and_this_process_keeps_its_values(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = CellStore(lambda: CellFile(tmp_path / "1-own.cells"))
    cells = store.cells(COUNTER, ())
    cells[0] += 4
    other = Worker(tmp_path, "2-x")
    other.record(COUNTER, 1)
    reader = Merger(store, tmp_path)
    assert samples(reader) == {("hits_total", ()): 5}
    store.watch()
    assert not caplog.messages
    (tmp_path / "1-own.cells").unlink()
    for _ in range(2):
        cells[0] += 1
        store.watch()
    assert samples(reader) == samples(reader) == {("hits_total", ()): 7}
    assert reader.living == 2
    assert len(caplog.messages) == 1
    assert f"somebody has removed {tmp_path / '1-own.cells'}" in caplog.text
    other.die()


def test_a_file_that_has_been_folded_is_none_that_somebody_has_removed(tmp_path: Path) -> None:
    """The application has closed all that it did not open, so that the others took this process for dead."""
    store = CellStore(lambda: CellFile(tmp_path / "1-own.cells"))
    store.cells(COUNTER, ())[0] += 4
    assert store.file is not None
    fcntl.flock(store.file._descriptor, fcntl.LOCK_UN)
    for _ in range(3):
        assert samples(merger(tmp_path)) == samples(Merger(store, tmp_path)) == {("hits_total", ()): 4}
    store.close()


def test_a_folder_that_takes_no_file_leaves_the_values_in_memory(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = CellStore(lambda: CellFile(tmp_path / "nowhere" / "1.cells"))
    store.open()
    store.cells(COUNTER, ())[0] += 4
    assert samples(Merger(store)) == {("hits_total", ()): 4}
    assert len(caplog.messages) == 1
    assert "OTEL_DISTRO_PROMETHEUS_DIR" in caplog.messages[0]


def test_who_counts_log_records_counts_the_warning_too(tmp_path: Path) -> None:
    reader = PrometheusReader(store=CellStore(lambda: CellFile(tmp_path / "nowhere" / "1.cells")))
    lines = MeterProvider([reader], shutdown_on_exit=False).get_meter("app").create_counter("lines")

    class Counting(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.add(1, {"level": record.levelname})

    handler, logger = Counting(), logging.getLogger("otel_distro")
    logger.addHandler(handler)
    try:
        # The very series that the handler counts in is the first that finds no folder.
        first = threading.Thread(target=lines.add, args=(1, {"level": "WARNING"}), daemon=True)
        first.start()
        first.join(60)
        assert not first.is_alive()
    finally:
        logger.removeHandler(handler)
    assert 'lines_total{level="WARNING"} 2\n' in reader.page().decode()


@pytest.mark.parametrize("has_room", [True, False])
def test_series_that_are_made_in_the_midst_of_another_one_count(tmp_path: Path, has_room: bool) -> None:
    folder = tmp_path if has_room else tmp_path / "nowhere"
    stores: list[CellStore] = []

    def prepare() -> tuple[Callable[[], None], Callable[[], None]]:
        store = CellStore(lambda: CellFile(folder / f"{os.urandom(4).hex()}.cells"))
        stores.append(store)

        def count(number: int, *labels: tuple[str, str]) -> None:
            store.cells(COUNTER, labels)[0] += number

        def handler() -> None:
            count(2, ("who", "handler"))
            count(3)
            store.cells(UP_DOWN, ())[0] += 4

        return lambda: count(5), handler

    for at in points(prepare, every=3):
        reader = Merger(stores[-1], folder)
        handled = {("hits_total", (("who", "handler"),)): 2, ("open", ()): 4}
        assert samples(reader) == {("hits_total", ()): 8, **handled}, at
        reader.close()
        stores[-1].close()
        for file in tmp_path.glob("*.cells"):
            file.unlink()
    stores[-1].close()


def test_without_a_folder_all_is_in_memory() -> None:
    store = CellStore()
    store.cells(COUNTER, (("a", "b"),))[0] += 1
    store.cells(HISTOGRAM, ())[1] += 1
    assert samples(Merger(store))["hits_total", (("a", "b"),)] == 1
    store.close()


def test_a_child_begins_at_zero_in_a_file_of_its_own(tmp_path: Path) -> None:
    store = CellStore(lambda: CellFile(tmp_path / f"{os.getpid()}-x.cells"))
    inherited = store.cells(COUNTER, ())
    inherited[0] += 10

    def child() -> None:
        store.after_fork()
        assert store.file is None
        store.cells(COUNTER, ())[0] += 1
        assert store.file is not None
        assert is_alive(tmp_path / f"{os.getpid()}-x.cells")

    in_child(child)
    assert inherited[0] == 10
    assert len(list(tmp_path.glob("*.cells"))) == 2
    assert samples(Merger(store, tmp_path)) == {("hits_total", ()): 11}
    store.close()


def test_the_lock_goes_with_the_end_of_the_store_and_the_file_stays(tmp_path: Path) -> None:
    store = CellStore(lambda: CellFile(tmp_path / "1.cells"))
    store.open()
    assert is_alive(tmp_path / "1.cells")
    store.close()
    assert not is_alive(tmp_path / "1.cells")
    assert (tmp_path / "1.cells").exists()

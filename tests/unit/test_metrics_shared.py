"""Cells in files: what a call has written is there for every reader, whatever happens to the writer."""

from __future__ import annotations

import os
import pickle
import random
import struct
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, nullcontext, suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_distro.metrics.shared import MAGIC, SEGMENT, CellFile, CellReader, ForeignFileError, is_alive
from tests.interruptions import points
from tests.shared_metrics import descriptors_of, forked, in_child, kill_after

Seen = list[tuple[str, list[float]]]

_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=60) | st.integers(0, 70_000).map("x".__mul__)
_entries = st.tuples(_texts, st.lists(st.floats(allow_nan=False), max_size=12))


@pytest.fixture
def file(tmp_path: Path) -> Iterator[CellFile]:
    with closing(CellFile(tmp_path / "1.cells")) as made:
        yield made


def _path(file: CellFile) -> Path:
    assert file.path is not None
    return file.path


def _seen(reader: CellReader) -> Seen:
    words = reader.read()
    return [(text, list(words[first : first + cells])) for text, first, cells in reader.entries]


def _add(file: CellFile, text: str, values: list[float]) -> None:
    cells = file.add(text, len(values))
    for index, value in enumerate(values):
        cells[index] = value


def _seen_elsewhere(path: Path) -> Seen:
    """Return what another process sees."""
    receive, send = os.pipe()

    def look() -> None:
        with os.fdopen(send, "wb") as pipe:
            pickle.dump(_seen(CellReader(path)), pipe)

    with forked(look):
        os.close(send)
        with os.fdopen(receive, "rb") as pipe:
            found: Seen = pickle.load(pipe)  # noqa: S301 -- our own child's
            return found


@settings(max_examples=60, deadline=None)
@given(st.lists(_entries, max_size=12), st.data())
def test_every_reader_sees_every_entry_and_value_at_every_point(entries: Seen, data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder, closing(CellFile(Path(folder) / "1.cells")) as file:
        path = _path(file)
        with closing(CellReader(path)) as early, closing(CellReader(path)) as late:
            expected: Seen = []
            for text, values in entries:
                _add(file, text, values)
                expected.append((text, values))
                assert _seen(early) == expected
                if data.draw(st.booleans()):
                    assert _seen(late) == expected
            assert _seen(late) == expected
            with closing(CellReader(path)) as fresh:
                assert _seen(fresh) == expected
        assert _seen_elsewhere(path) == expected


def test_memory_without_a_file_is_read_the_same_way() -> None:
    file = CellFile(None)
    reader = CellReader(file)
    _add(file, "a", [1.0])
    assert _seen(reader) == [("a", [1.0])]
    _add(file, "b" * SEGMENT, [2.0, 3.0])
    assert _seen(reader) == [("a", [1.0]), ("b" * SEGMENT, [2.0, 3.0])]


def test_a_file_grows_by_segments_and_a_reader_follows(file: CellFile) -> None:
    with closing(CellReader(_path(file))) as reader:
        for number in range(3000):
            _add(file, f"entry {number}", [float(number)] * 5)
            if number % 250 == 0:
                assert len(_seen(reader)) == number + 1
        seen = _seen(reader)
    assert seen == [(f"entry {number}", [float(number)] * 5) for number in range(3000)]
    assert _path(file).stat().st_size >= 3 * SEGMENT


def test_an_entry_may_be_larger_than_a_segment(file: CellFile) -> None:
    _add(file, "small", [1.0])
    _add(file, "t" * (2 * SEGMENT), [2.0] * SEGMENT)
    _add(file, "after", [3.0])
    with closing(CellReader(_path(file))) as reader:
        assert [(text[:5], sum(values)) for text, values in _seen(reader)] == [
            ("small", 1.0),
            ("t" * 5, 2.0 * SEGMENT),
            ("after", 3.0),
        ]


def test_cells_stay_valid_while_the_file_grows(file: CellFile) -> None:
    first = file.add("first", 1)
    for number in range(5000):
        file.add(f"entry {number}", 4)
    first[0] += 7.5
    with closing(CellReader(_path(file))) as reader:
        assert _seen(reader)[0] == ("first", [7.5])


def test_a_reader_in_another_process_sees_only_whole_entries_while_the_file_grows(file: CellFile) -> None:
    path = _path(file)

    def read_until_the_end() -> None:
        reader = CellReader(path)
        known = 0
        while True:
            seen = _seen(reader)
            assert len(seen) >= known
            for text, values in seen[known:]:
                number = int(text.partition(" ")[0])
                assert len(values) == number % 7
            known = len(seen)
            if seen and seen[-1][0].endswith("end"):
                return

    with forked(read_until_the_end) as pid:
        for number in range(20_000):
            file.add(f"{number} {'x' * (number % 900)}", number % 7)
        file.add("0 end", 0)
        _, status = os.waitpid(pid, 0)
    assert status == 0


def test_an_entry_that_is_made_in_the_midst_of_another_one_stands_beside_it(tmp_path: Path) -> None:
    made: list[CellFile] = []

    def prepare() -> tuple[Callable[[], None], Callable[[], None]]:
        file = CellFile(tmp_path / f"{len(made)}.cells")
        made.append(file)

        def handler() -> None:
            _add(file, "handler", [2.0])
            _add(file, "h" * SEGMENT, [3.0])

        def action() -> None:
            _add(file, "action", [1.0])
            _add(file, "after", [4.0])

        return action, handler

    for at in points(prepare):
        with closing(made[-1]), closing(CellReader(_path(made[-1]))) as reader:
            all_four = [("action", [1.0]), ("after", [4.0]), ("handler", [2.0]), ("h" * SEGMENT, [3.0])]
            assert sorted(_seen(reader)) == all_four, at
    made[-1].close()


def test_an_entry_that_is_given_up_in_its_midst_spoils_no_other(tmp_path: Path) -> None:
    def prepare() -> tuple[Callable[[], None], Callable[[], None]]:
        file = CellFile(tmp_path / f"{os.urandom(4).hex()}.cells")

        is_adding = False

        def handler() -> None:
            if is_adding:
                raise KeyboardInterrupt

        def action() -> None:
            nonlocal is_adding
            is_adding = True
            try:  # noqa: SIM105 -- whose end would be a further point
                file.add("given up" * 9, 0)
            except KeyboardInterrupt:
                pass
            is_adding = False
            cells = file.add("after", 9)
            assert list(cells) == [0] * 9
            cells[0] = 1
            with closing(CellReader(_path(file))) as reader:
                assert _seen(reader)[-1] == ("after", [1.0] + [0.0] * 8)
            file.close()

        return action, handler

    sum(1 for _ in points(prepare))


def test_a_segment_that_is_allocated_and_has_no_head_yet_is_not_in_use(file: CellFile) -> None:
    _add(file, "a", [1.0])
    with _path(file).open("ab") as raw:
        raw.write(bytes(SEGMENT))
    with closing(CellReader(_path(file))) as reader:
        assert _seen(reader) == [("a", [1.0])]


def test_a_segment_whose_head_is_half_written_is_not_in_use(file: CellFile) -> None:
    """The magic is written last: size and used are there before it, never after."""
    _add(file, "a", [1.0])
    with _path(file).open("ab") as raw:
        raw.write((bytes(8) + struct.pack("=QQ", SEGMENT, 24)).ljust(SEGMENT, b"\0"))
    with closing(CellReader(_path(file))) as reader:
        assert _seen(reader) == [("a", [1.0])]


def test_what_had_returned_survives_a_kill_in_the_middle_of_writing(tmp_path: Path) -> None:
    check_kills(tmp_path, rounds=15)


def check_kills(folder: Path, rounds: int) -> None:
    """Kill a writer at random points; the long form is among the faults."""
    chance = random.Random(rounds)
    # Every other time not before it has written: on a busy machine it may not come to that in so short a time.
    counts = [
        _kill_one(folder / f"{number}.cells", chance.uniform(0.0, 0.03), least=11 * (number % 2))
        for number in range(rounds)
    ]
    assert max(counts) > 10, counts


def _text(number: int) -> str:
    return f"{number} {'x' * (number * 7919 % 5000)}"


def _kill_one(path: Path, seconds: float, least: int) -> int:
    receive, send = os.pipe()

    def write() -> None:
        file = CellFile(path)
        os.write(send, b"0")
        number = 0
        while True:
            cells = file.add(_text(number), 1 + number % 3)
            cells[0] += number
            os.write(send, b"1")
            number += 1

    with forked(write) as pid:
        os.close(send)
        with os.fdopen(receive, "rb", buffering=0) as pipe:
            begun = pipe.read(1)
            assert begun == b"0"
            returned = 0
            while returned < least:
                returned += len(pipe.read(least - returned))
            kill_after(pid, seconds)
            while part := pipe.read(65536):
                returned += len(part)
    assert not is_alive(path)
    with closing(CellReader(path)) as reader:
        seen = _seen(reader)
    assert returned <= len(seen) <= returned + 1
    assert [text for text, _ in seen] == [_text(number) for number in range(len(seen))]
    assert [values[0] for _, values in seen[:returned]] == [float(number) for number in range(returned)]
    return returned


@settings(max_examples=200, deadline=None)
@given(st.binary(min_size=1).filter(lambda data: any(data[:8])))
def test_a_file_of_anything_else_is_foreign(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "1.cells"
        path.write_bytes(data)
        with closing(CellReader(path)) as reader, pytest.raises(ForeignFileError):
            reader.read()


@settings(max_examples=100, deadline=None)
@given(st.integers(1, SEGMENT - 1) | st.integers(SEGMENT + 24, 2 * SEGMENT - 1))
def test_a_file_that_was_cut_is_foreign_to_new_and_old_readers(size: int) -> None:
    # Where the next segment begins a cut cannot be told from a file that has not grown yet by who never saw it longer.
    with tempfile.TemporaryDirectory() as folder, closing(CellFile(Path(folder) / "1.cells")) as file:
        for number in range(6):
            _add(file, f"{number} {'x' * 20_000}", [1.0])
        path = _path(file)
        with closing(CellReader(path)) as old, closing(CellReader(path)) as new:
            old.read()
            os.truncate(path, size)
            with pytest.raises(ForeignFileError):
                old.read()
            with pytest.raises(ForeignFileError):
                new.read()


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 400), st.binary(min_size=1, max_size=8))
def test_a_damaged_file_is_foreign_or_read_without_any_other_error(at: int, damage: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder, closing(CellFile(Path(folder) / "1.cells")) as file:
        for number in range(6):
            _add(file, f"entry {number}", [1.0])
        path = _path(file)
        with path.open("r+b") as raw:
            raw.seek(at)
            raw.write(damage)
        with closing(CellReader(path)) as reader:
            for _ in range(2):
                try:
                    reader.read()
                except ForeignFileError:
                    assert len(reader.entries) <= 6, "a damaged file must not be taken in again at every reading"


@pytest.mark.parametrize("head", [b"\x7fELF as a core dump", bytes(8)])
def test_a_file_that_is_larger_than_memory_is_not_read(tmp_path: Path, head: bytes) -> None:
    path = tmp_path / "1.cells"
    path.write_bytes(head)
    os.truncate(path, 1 << 40)
    reader = CellReader(path)
    with pytest.raises(ForeignFileError) if any(head) else nullcontext():
        assert len(reader.read()) == 0
    reader.close()


def test_an_empty_file_is_one_of_a_process_that_had_written_nothing(tmp_path: Path) -> None:
    path = tmp_path / "1.cells"
    path.touch()
    with closing(CellReader(path)) as reader:
        assert _seen(reader) == []


def test_a_named_pipe_in_the_place_of_a_file_does_not_stop_the_reader(tmp_path: Path) -> None:
    path = tmp_path / "1.cells"
    os.mkfifo(path)

    def look() -> None:
        assert not is_alive(path)
        with closing(CellReader(path)) as reader, pytest.raises((OSError, ForeignFileError)):
            reader.read()

    in_child(look)


def test_who_is_done_with_a_file_has_no_descriptor_of_it(tmp_path: Path) -> None:
    file = CellFile(tmp_path / "1.cells")
    reader = CellReader(_path(file))
    assert descriptors_of(_path(file)) == 3

    def child() -> None:
        file.forget()
        reader.close()
        assert descriptors_of(_path(file)) == 0

    in_child(child)
    for _ in range(2):
        reader.close()
        file.close()
    assert descriptors_of(_path(file)) == 0


def test_the_owner_is_alive_until_it_closes_the_file_or_dies(tmp_path: Path) -> None:
    path = tmp_path / "1.cells"
    file = CellFile(path)
    assert is_alive(path)
    file.close()
    assert not is_alive(path)

    def open_and_die() -> None:
        CellFile(path.with_name("2.cells"))

    in_child(open_and_die)
    assert path.with_name("2.cells").exists()
    assert not is_alive(path.with_name("2.cells"))


def test_nobody_is_taken_for_dead_because_its_file_cannot_be_opened(tmp_path: Path) -> None:
    path = tmp_path / "1.cells"
    loop = tmp_path / "2.cells"
    loop.symlink_to(loop)
    assert is_alive(loop)
    assert not is_alive(path), "a file that is gone is nobody's"


def test_a_file_has_its_name_only_once_it_is_locked(tmp_path: Path) -> None:
    path = tmp_path / "1.cells"
    with closing(CellFile(path)):
        assert [entry.name for entry in tmp_path.iterdir()] == ["1.cells"]
    with pytest.raises(OSError, match="No such file"):
        CellFile(tmp_path / "nowhere" / "1.cells")


def test_the_magic_is_a_word(file: CellFile) -> None:
    file.add("", 0)
    assert _path(file).read_bytes()[:8] == MAGIC


def _close_all_in(folder: Path) -> None:
    """Close what is open in a folder alone: what else a test run has open, gRPC's, is missed at the next fork."""
    for number in map(int, os.listdir("/proc/self/fd")):
        with suppress(OSError):  # the listing's own
            if os.readlink(f"/proc/self/fd/{number}").startswith(str(folder)):
                os.close(number)


@pytest.mark.parametrize("first", ["the file is held again", "the file has to grow"])
def test_who_closes_all_that_is_open_loses_no_value_and_finds_its_own_files_as_they_are(
    tmp_path: Path, first: str
) -> None:
    """As daemons do when they begin: the numbers that were the cells' are those of the application's files then."""

    def child() -> None:
        file = CellFile(tmp_path / "1.cells")
        file.add("before", 1)[0] = 1
        _close_all_in(tmp_path)
        assert not is_alive(tmp_path / "1.cells")
        own = [os.open(tmp_path / f"own-{number}", os.O_RDWR | os.O_CREAT) for number in range(20)]
        if first == "the file is held again":
            file.hold()
            assert is_alive(tmp_path / "1.cells")
        file.add("x" * SEGMENT, 1)[0] = 2
        assert is_alive(tmp_path / "1.cells")
        assert [value for _, (value,) in _seen(CellReader(tmp_path / "1.cells"))] == [1, 2]
        in_child(file.forget)  # as after a fork: nothing of the application's is closed there
        file.close()
        assert not is_alive(tmp_path / "1.cells")
        for descriptor in own:
            assert os.fstat(descriptor).st_size == 0

    in_child(child)


def test_a_forked_child_has_the_files_whose_numbers_were_the_cells(tmp_path: Path) -> None:
    def child() -> None:
        file = CellFile(tmp_path / "1.cells")
        _close_all_in(tmp_path)
        own = [os.open(tmp_path / f"own-{number}", os.O_RDWR | os.O_CREAT) for number in range(20)]

        def grandchild() -> None:
            file.forget()
            for descriptor in own:
                os.fstat(descriptor)

        in_child(grandchild)

    in_child(child)

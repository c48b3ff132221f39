"""What ended processes have left becomes one file, and whatever interrupts that, each value counts once."""

from __future__ import annotations

import fcntl
import math
import os
import random
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_distro.metrics import folding
from otel_distro.metrics.descriptors import locked
from otel_distro.metrics.folding import FOLDED, exact_sum, fold
from otel_distro.metrics.merge import Merger
from otel_distro.metrics.shared import CellReader
from otel_distro.metrics.store import CellStore
from tests.shared_metrics import (
    COUNTER,
    GAUGE,
    HISTOGRAM,
    UP_DOWN,
    Worker,
    ended,
    forked,
    kill_after,
    merger,
    samples,
)


def _dead(folder: Path, name: str, amount: float = 1.0) -> Worker:
    worker = Worker(folder, name)
    worker.record(COUNTER, amount)
    worker.record(COUNTER, amount, ("plan", name))
    worker.record(HISTOGRAM, amount)
    worker.record(UP_DOWN, 1)
    worker.die()
    return worker


def _files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*.cells"))


def test_a_thousand_ended_processes_become_one_file_and_the_page_stays_the_same(tmp_path: Path) -> None:
    for number in range(1000):
        worker = Worker(tmp_path, f"{number}-x")
        worker.record(COUNTER, number / 8)
        worker.record(HISTOGRAM, number / 8)
        worker.put(GAUGE, [number, 100.0 + number])
        worker.die()
        worker.store.file = None  # so that its memory can go
    reader = merger(tmp_path)
    before = samples(reader)
    assert _files(tmp_path) == [FOLDED]
    assert samples(reader) == before
    assert samples(merger(tmp_path)) == before
    assert before["hits_total", ()] == sum(range(1000)) / 8
    assert before["took_seconds_count", ()] == 1000
    assert before["level", ()] == 999
    assert (tmp_path / FOLDED).stat().st_size < 200_000


def test_sums_beyond_the_largest_number_are_folded_as_they_stand_on_the_page(tmp_path: Path) -> None:
    for number in range(3):
        _dead(tmp_path, f"{number}-dead", 1.7e308)
    for _ in range(2):
        fold(tmp_path)
        assert _files(tmp_path) == [FOLDED]
        assert samples(merger(tmp_path))["hits_total", ()] == math.inf
        _dead(tmp_path, "3-dead", 1.7e308)


def test_the_living_are_not_folded(tmp_path: Path) -> None:
    worker = Worker(tmp_path, "1-alive")
    worker.record(COUNTER, 5)
    _dead(tmp_path, "2-dead")
    fold(tmp_path)
    assert _files(tmp_path) == ["1-alive.cells", FOLDED]
    worker.record(COUNTER, 2)
    assert samples(merger(tmp_path))["hits_total", ()] == 8
    worker.die()


def test_what_does_not_last_is_not_in_the_folded_file(tmp_path: Path) -> None:
    _dead(tmp_path, "2-dead")
    fold(tmp_path)
    assert "open" not in "".join(text for text, _, _ in _entries(tmp_path / FOLDED))


def _entries(path: Path) -> list[tuple[str, int, int]]:
    reader = CellReader(path)
    reader.read()
    return list(reader.entries)


def test_nothing_to_fold_writes_nothing(tmp_path: Path) -> None:
    _dead(tmp_path, "1-dead")
    fold(tmp_path)
    before = (tmp_path / FOLDED).stat()
    fold(tmp_path)
    after = (tmp_path / FOLDED).stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_who_finds_the_folder_taken_lets_the_other_fold(tmp_path: Path) -> None:
    _dead(tmp_path, "1-dead")
    with locked(tmp_path, fcntl.LOCK_SH):
        merger(tmp_path).fold(tmp_path)
        assert _files(tmp_path) == ["1-dead.cells"]
    merger(tmp_path).fold(tmp_path)
    assert _files(tmp_path) == [FOLDED]


class _StopError(Exception):
    pass


@pytest.mark.parametrize("step", range(9))
def test_a_folding_that_stops_at_any_step_counts_each_value_once(
    step: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each change of the folder is a step: the ones before it are done, it and all after it are not."""
    for number in range(4):
        _dead(tmp_path, f"{number}-first")
    fold(tmp_path)
    for number in range(4):
        _dead(tmp_path, f"{number}-second")
    expected = {key: value for key, value in samples(_reading_alone(tmp_path)).items() if key[0] != "open"}
    left = [step]

    def stopping(change: Callable[..., object]) -> Callable[..., object]:
        def stop_or_change(*arguments: object, **options: object) -> object:
            if not left[0]:
                raise _StopError
            left[0] -= 1
            return change(*arguments, **options)

        return stop_or_change

    with monkeypatch.context() as patch:
        for owner, name in ((Path, "unlink"), (Path, "replace"), (os, "rename")):
            patch.setattr(owner, name, stopping(getattr(owner, name)))
        with suppress(_StopError):
            fold(tmp_path)
    assert samples(_reading_alone(tmp_path)) == expected
    reader = merger(tmp_path)
    for _ in range(3):
        assert samples(reader) == expected
    assert _files(tmp_path) == [FOLDED]


class _ReadingAlone(Merger):
    def fold(self, folder: Path) -> None:
        pass


def _reading_alone(folder: Path) -> Merger:
    return _ReadingAlone(CellStore(), folder)


def test_a_damaged_file_is_left_where_it_is(tmp_path: Path) -> None:
    (tmp_path / "1-damaged.cells").write_text("nothing of ours")
    _dead(tmp_path, "2-dead")
    fold(tmp_path)
    assert _files(tmp_path) == ["1-damaged.cells", FOLDED]


def test_a_damaged_folded_file_is_left_and_the_others_go_on_counting(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / FOLDED).write_text("nothing of ours")
    _dead(tmp_path, "2-dead", 7)
    reader = merger(tmp_path)
    for _ in range(3):
        assert samples(reader)["hits_total", ()] == 7
        assert reader.skipped == 1
    assert _files(tmp_path) == ["2-dead.cells", FOLDED]
    assert len(caplog.messages) == 2  # it is left out, and nothing can be folded


@given(st.lists(st.floats(-1e300, 1e300), min_size=1, max_size=20), st.randoms())
def test_the_sum_is_the_same_in_every_order_and_its_parts_have_exactly_it(
    values: list[float], chance: random.Random
) -> None:
    shuffled = list(values)
    chance.shuffle(shuffled)
    assert exact_sum(values) == exact_sum(shuffled)
    assert exact_sum([*folding._parts(values), *(-value for value in values)]) == 0


@given(st.lists(st.floats(allow_nan=False), min_size=1, max_size=20))
def test_a_sum_beyond_every_double_is_some_number_and_ends(values: list[float]) -> None:
    assert isinstance(exact_sum(values), float)
    assert folding._parts(values)


@settings(max_examples=40)
@given(st.lists(st.floats(0, 1e12), min_size=1, max_size=12))
def test_folding_in_any_portions_keeps_the_exact_sum(amounts: list[float]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number, amount in enumerate(amounts):
            _dead(folder, f"{number}-x", amount)
            if number % 2:
                fold(folder)
        assert samples(merger(folder))["took_seconds_sum", ()] == math.fsum(amounts)


def test_folding_that_is_killed_at_any_point_never_lowers_or_doubles_a_total(tmp_path: Path) -> None:
    check_killed_folders(tmp_path, kills=12)


def check_killed_folders(folder: Path, kills: int) -> None:
    """Kill those who fold, again and again, while another process reads and workers come and go.

    The long form is among the faults.
    """
    chance = random.Random(kills)
    amounts: list[float] = []
    joins = Worker(folder, "0-alive")
    done = folder / "done"

    def fold_for_ever() -> None:
        while True:
            samples(merger(folder))

    def read_until_done() -> None:
        reader, last = merger(folder), 0.0
        while True:
            finished = done.exists()
            said = samples(reader).get(("hits_total", ()), 0.0)
            assert said >= last, f"{said!r} after {last!r}"
            last = said
            if finished:
                assert said == float(done.read_text())
                return

    with forked(read_until_done) as watcher:
        for number in range(kills):
            for worker in range(chance.randrange(1, 12)):
                amounts.append(chance.random())
                _dead(folder, f"{number}-{worker}", amounts[-1])
            with forked(fold_for_ever) as pid:
                joins.record(COUNTER, 1)
                kill_after(pid, chance.uniform(0.0, 0.03))
            said = samples(_reading_alone(folder))
            assert said["hits_total", ()] == exact_sum([*amounts, number + 1])
            assert said["took_seconds_count", ()] == len(amounts)
        last = folder / "last"
        last.write_text(repr(exact_sum([*amounts, kills])))
        last.rename(done)
        assert ended(watcher) == 0, "a total went down, or was another one at the end"
    samples(merger(folder))
    assert _files(folder) == ["0-alive.cells", FOLDED]
    joins.die()

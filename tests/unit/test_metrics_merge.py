"""Many processes, one truth: what the page says of whom, alive or dead, and that no file can take the page away."""

from __future__ import annotations

import gc
import logging
import math
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from otel_distro.metrics import streams
from otel_distro.metrics.families import Families
from otel_distro.metrics.merge import RULES, Merger
from otel_distro.metrics.shared import CellFile
from otel_distro.metrics.sources import GaugeRules
from otel_distro.metrics.store import CellStore
from otel_distro.metrics.streams import Stream
from tests.shared_metrics import (
    COUNTER,
    EXPONENTIAL,
    GAUGE,
    HISTOGRAM,
    OBSERVED_COUNTER,
    OBSERVED_GAUGE,
    OBSERVED_UP_DOWN,
    UP_DOWN,
    Samples,
    Worker,
    in_child,
    merger,
    samples,
)

A = (("plan", "a"),)


@pytest.fixture
def two(tmp_path: Path) -> Iterator[tuple[Worker, Worker]]:
    """One that has died, and one that lives."""
    dead, alive = Worker(tmp_path, "1-dead"), Worker(tmp_path, "2-alive")
    yield dead, alive
    dead.die()
    alive.die()


def test_counters_and_histograms_of_the_living_and_the_dead_add_up(tmp_path: Path, two: tuple[Worker, Worker]) -> None:
    for worker, amount in zip(two, (0.25, 0.75), strict=True):
        worker.record(COUNTER, amount, *A)
        worker.record(HISTOGRAM, amount, *A)
        worker.record(EXPONENTIAL, amount, *A)
    two[0].die()
    reader = merger(tmp_path)
    for _ in range(3):
        said = samples(reader)
        assert said["hits_total", A] == 1.0
        assert said["took_seconds_bucket", (("le", "0.5"), *A)] == 1
        assert said["took_seconds_bucket", (("le", "1.0"), *A)] == 2
        assert said["took_seconds_count", A] == 2
        assert said["took_seconds_sum", A] == 1.0
        assert said["size_count", A] == 2
        assert said["size_sum", A] == 1.0


@pytest.mark.parametrize("stream", [UP_DOWN, OBSERVED_UP_DOWN, OBSERVED_GAUGE], ids=lambda stream: stream.kind)
def test_what_is_true_of_a_living_process_only_goes_with_it(
    stream: Stream, tmp_path: Path, two: tuple[Worker, Worker]
) -> None:
    for worker in two:
        worker.record(stream, 3)
    two[0].record(stream, 3, *A)
    reader = merger(tmp_path)
    assert samples(reader)[stream.name, A] == 3
    two[0].die()
    for _ in range(2):
        assert samples(reader) == {(stream.name, ()): 3}


def test_an_observed_counter_of_the_dead_keeps_counting_as_last_observed(
    tmp_path: Path, two: tuple[Worker, Worker]
) -> None:
    two[0].put(OBSERVED_COUNTER, [5, 1000.0])
    two[1].put(OBSERVED_COUNTER, [7, 1000.0])
    two[1].put(OBSERVED_COUNTER, [9, 0.0], *A)  # the last round of observations did not have it
    two[0].die()
    reader = merger(tmp_path)
    for _ in range(3):
        assert samples(reader) == {("cpu_total", ()): 12}


def test_an_observation_that_was_gone_before_its_process_does_not_come_back_by_folding(
    tmp_path: Path, two: tuple[Worker, Worker]
) -> None:
    for worker, time in zip(two, (0.0, 1000.0), strict=True):
        worker.put(OBSERVED_COUNTER, [5, time])
        worker.die()
    reader = merger(tmp_path)
    for _ in range(3):
        assert samples(reader) == {("cpu_total", ()): 5}


@pytest.mark.parametrize(
    ("rule", "before", "after"),
    [("most_recent", 4, 4), ("sum", 11, 7), ("min", 2, 2), ("max", 5, 5)],
)
def test_a_set_gauge_follows_its_rule(rule: str, before: float, after: float, tmp_path: Path) -> None:
    """The dead one was the last to set it: the most recent value stays, the other rules are about the living."""
    workers = [Worker(tmp_path, f"{number}-x") for number in (1, 2, 3)]
    for worker, value, time in zip(workers, (5, 2, 4), (10.0, 20.0, 30.0), strict=True):
        worker.put(GAUGE, [value, time])
    reader = merger(tmp_path, GaugeRules(rule))
    assert samples(reader)["level", ()] == before
    workers[2].die()
    for _ in range(3):
        assert samples(reader)["level", ()] == after
    for worker in workers:
        worker.die()


def test_what_a_gauge_was_set_to_before_the_clock_was_set_back_is_older_than_what_came_since(tmp_path: Path) -> None:
    ahead = 4e9  # in 2096
    workers = [Worker(tmp_path, f"{number}-x") for number in range(4)]
    for worker, value, moment in zip(workers, (1, 2, 3, 4), (10.0, ahead, ahead - 1, ahead - 2), strict=True):
        worker.put(GAUGE, [value, moment])
    reader = merger(tmp_path)
    assert samples(reader)["level", ()] == 1
    workers[0].die()
    for _ in range(3):
        assert samples(reader)["level", ()] == 1
    for worker in workers[1:]:
        worker.die()
    for _ in range(3):  # folded by now
        assert samples(merger(tmp_path))["level", ()] == 1


def test_of_what_a_gauge_was_set_to_before_the_clock_was_set_back_the_last_stands(tmp_path: Path) -> None:
    ahead = 4e9  # in 2096
    workers = [Worker(tmp_path, f"{number}-x") for number in range(3)]
    for worker, value, moment in zip(workers, (1, 2, 3), (ahead, ahead + 2, ahead + 1), strict=True):
        worker.put(GAUGE, [value, moment])
    assert samples(merger(tmp_path))["level", ()] == 2
    for worker in workers:
        worker.die()
    for _ in range(2):
        assert samples(merger(tmp_path))["level", ()] == 2


def test_a_gauge_by_the_rule_each_is_shown_for_every_living_process(tmp_path: Path) -> None:
    one, two = Worker(tmp_path, "11-x"), Worker(tmp_path, "12-x")
    one.record(GAUGE, 1)
    two.record(GAUGE, 2)
    reader = merger(tmp_path, GaugeRules("most_recent", (("level", "each"),)))
    assert samples(reader) == {("level", (("pid", "11"),)): 1, ("level", (("pid", "12"),)): 2}
    two.die()
    for _ in range(3):
        assert samples(reader) == {("level", (("pid", "11"),)): 1}
    one.die()


def test_a_gauge_that_has_a_label_pid_itself_is_shown_for_every_process_with_both(tmp_path: Path) -> None:
    worker = Worker(tmp_path, "11-x")
    for number in ("1", "2"):
        worker.record(GAUGE, float(number), ("pid", number))
    assert samples(merger(tmp_path, GaugeRules("each"))) == {
        ("level", (("exported_pid", number), ("pid", "11"))): float(number) for number in ("1", "2")
    }
    worker.die()


def test_a_rule_of_one_gauge_leaves_the_others_alone(tmp_path: Path) -> None:
    other = Stream("other", streams.GAUGE, "", "")
    for number, value in ((1, 3), (2, 4)):
        worker = Worker(tmp_path, f"{number}-x")
        worker.put(GAUGE, [value, float(number)])
        worker.put(other, [value, float(number)])
    assert samples(merger(tmp_path, GaugeRules("most_recent", (("level", "sum"),)))) == {
        ("level", ()): 7,
        ("other", ()): 4,
    }


def test_series_that_become_one_on_the_page_add_up_within_and_across_processes(
    tmp_path: Path, two: tuple[Worker, Worker]
) -> None:
    for worker in two:
        for _ in range(2):  # 1 and "1" are two series to the SDK
            cells = worker.store.cells(COUNTER, A)
            cells[0] += 1
    two[0].die()
    reader = merger(tmp_path)
    for _ in range(3):
        assert samples(reader) == {("hits_total", A): 4}


def test_the_memory_of_this_process_counts_beside_the_folder(tmp_path: Path, two: tuple[Worker, Worker]) -> None:
    two[1].record(COUNTER, 2)
    store = CellStore()  # its folder took no file
    store.cells(COUNTER, ())[0] = 5
    assert samples(Merger(store, tmp_path)) == {("hits_total", ()): 7}
    assert samples(Merger(store)) == {("hits_total", ()): 5}
    assert samples(Merger(store, tmp_path / "gone")) == {("hits_total", ()): 5}


def test_a_process_that_has_measured_nothing_has_a_page_where_the_folder_has_gone(tmp_path: Path) -> None:
    assert samples(merger(tmp_path / "gone")) == {}


def test_a_series_that_no_file_has_any_more_is_forgotten(tmp_path: Path) -> None:
    reader = merger(tmp_path, GaugeRules("each"))
    for number in range(20):
        worker = Worker(tmp_path, f"{number}-x")
        worker.record(GAUGE, 1)
        worker.record(UP_DOWN, 1, ("pid", str(number)))
        assert len(samples(reader)) == 2
        worker.die()
        samples(reader)
    samples(reader)
    remembered = sum(len(totals) for totals in reader._totals.values())
    assert remembered <= 1, "only the folded gauge"


def test_what_living_processes_declare_otherwise_than_ended_ones_is_shown(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As after a reload with other buckets and kinds."""
    coarse = Stream("took", streams.HISTOGRAM, "", "", (1.0,))
    fine = coarse._replace(bounds=(0.5, 1.0))
    before, after = Worker(tmp_path, "1-x"), Worker(tmp_path, "2-x")
    before.put(coarse, [8, 4, 2], ("kind", "a"))
    before.put(coarse, [9, 9, 9], ("kind", "b"))
    before.record(Stream("jobs", streams.COUNTER, "", ""), 5)
    before.record(GAUGE._replace(help="Worded otherwise."), 8)
    before.die()
    after.put(fine, [3, 1, 2, 0], ("kind", "a"))
    after.record(Stream("jobs", streams.GAUGE, "", ""), 7)
    after.record(GAUGE, 9)
    reader = merger(tmp_path)
    for known in (reader, reader, merger(tmp_path)):  # read and folded; known and folded; folded
        found = samples(known)
        bounds = {
            dict(labels)["le"]: value
            for (name, labels), value in found.items()
            if ("kind", "a") in labels and "le" in dict(labels)
        }
        assert bounds == {"0.5": 1, "1.0": 3, "+Inf": 3}
        assert found["took_count", (("kind", "b"),)] == 18
        assert (found["jobs", ()], found["level", ()]) == (7, 9)
    assert caplog.text == ""
    after.die()
    assert samples(reader)["took_count", (("kind", "a"),)] in (3, 6)


def test_what_a_process_declared_while_it_lived_gives_way_at_the_page_after_its_end(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    reader = merger(tmp_path)
    for number, bound in enumerate((1.0, 2.0)):
        worker = Worker(tmp_path, f"{number}-x")
        worker.put(Stream("took", streams.HISTOGRAM, "", "", (bound,)), [1, 1, 0])
        assert samples(reader)["took_bucket", (("le", str(bound)),)] == 1
        worker.die()
    assert caplog.text == ""


def test_two_living_processes_with_other_bounds_are_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for number, bounds in enumerate(((1.0,), (2.0,))):
        worker = Worker(tmp_path, f"{number}-x")
        for kind in "ab":
            worker.put(Stream("took", streams.HISTOGRAM, "", "", bounds), [1, 1, 0], ("kind", kind))
    assert samples(merger(tmp_path))["took_count", (("kind", "a"),)] == 1
    assert caplog.text.count("has two sets of bounds; the first is shown") == 1


# ---- against a model of the rules

_amounts = st.integers(0, 2**40) | st.floats(0, 1e9)
_cells = {
    COUNTER: st.tuples(_amounts),
    UP_DOWN: st.tuples(st.integers(-100, 100)),
    HISTOGRAM: st.tuples(_amounts, st.integers(0, 9), st.integers(0, 9), st.integers(0, 9)),
    OBSERVED_COUNTER: st.tuples(_amounts, st.sampled_from([0.0, 50.0])),
    OBSERVED_UP_DOWN: st.tuples(st.integers(-100, 100), st.sampled_from([0.0, 50.0])),
}
_series = st.one_of(
    *(st.tuples(st.just(stream), st.sampled_from(["a", "b"]), cells) for stream, cells in _cells.items()),
    st.tuples(st.just(GAUGE), st.sampled_from(["a", "b"]), st.tuples(st.integers(-9, 9))),
)
_workers = st.lists(st.tuples(st.booleans(), st.lists(_series, max_size=6)), max_size=6)


def _model(workers: list[tuple[bool, list[Any]]]) -> Samples:
    """Return what the rules say: sums by fractions, the most recent gauge, whose time is its place in the list."""
    parts: dict[Any, list[tuple[bool, Any]]] = {}
    for alive, series in workers:
        for stream, plan, cells in series:
            parts.setdefault((stream, plan), []).append((alive, cells))
    said: Samples = {}
    for (stream, plan), found in parts.items():
        labels = (("plan", plan),)
        observed = stream.kind.startswith("observed")
        lasts = stream.kind in ("counter", "histogram", "observed_counter", "gauge")
        shown = [cells for alive, cells in found if (alive or lasts) and (not observed or cells[1])]
        if not shown:
            continue
        total = math.fsum(cells[0] for cells in shown)
        if stream == HISTOGRAM:
            counts = [sum(cells[1 + bucket] for cells in shown) for bucket in range(3)]
            for bucket, bound in enumerate(("0.5", "1.0", "+Inf")):
                said["took_seconds_bucket", (("le", bound), *labels)] = sum(counts[: bucket + 1])
            said["took_seconds_count", labels] = sum(counts)
            said["took_seconds_sum", labels] = total
        elif stream == GAUGE:
            said["level", labels] = shown[-1][0]
        else:
            said[stream.name + ("_total" if "counter" in stream.kind else ""), labels] = total
    return said


@settings(max_examples=120, deadline=None)
@given(_workers)
def test_the_page_is_what_the_rules_say_before_and_after_every_folding(workers: list[tuple[bool, list[Any]]]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made = []
        time = 100.0
        for number, (_, series) in enumerate(workers):
            worker = Worker(folder, f"{number}-x")
            made.append(worker)
            for stream, plan, cells in series:
                time += 1
                values = [*cells, time] if stream == GAUGE else list(cells)
                for index, value in enumerate(values):
                    # A new entry each time: the same labels twice in one process are two series there.
                    if not index:
                        words = worker.store.cells(stream, (("plan", plan),))
                    words[index] = value
        for worker, (alive, _) in zip(made, workers, strict=True):
            if not alive:
                worker.die()
        expected = _model(workers)
        early = merger(folder)
        assert samples(early) == expected  # read, then folded
        assert samples(early) == expected  # folded, read by who knew it before
        assert samples(merger(folder)) == expected
        for worker in made:
            worker.die()
        expected = _model([(False, series) for _, series in workers])
        for reader in (early, merger(folder), early):
            assert samples(reader) == expected
        assert len(list(folder.glob("*.cells"))) <= 1


def test_a_sum_of_fractions_never_changes_by_folding(tmp_path: Path) -> None:
    """0.1 + 0.2 + 0.3 is another double than 0.3 + 0.2 + 0.1; a counter that goes down has restarted."""
    reader, last, expected = merger(tmp_path), 0.0, []
    alive = Worker(tmp_path, "0-alive")
    alive.record(COUNTER, 1e-3)
    expected.append(1e-3)
    for number in range(1, 120):
        worker = Worker(tmp_path, f"{number}-x")
        worker.record(COUNTER, amount := 10.0 ** (number % 9 - 4) / 3)
        expected.append(amount)
        for dies in (False, True, True):
            if dies:
                worker.die()
            said = samples(reader)["hits_total", ()]
            assert said == math.fsum(expected)
            assert said >= last
            last = said
    alive.die()


# ---- files that are none of ours, or damaged


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Callable[[], Samples]]:
    """A page of one living process in the folder that the test puts something else into."""
    worker = Worker(tmp_path, "5-alive")
    worker.record(COUNTER, 1)
    reader = merger(tmp_path)

    def read() -> Samples:
        found = samples(reader)
        read.skipped = reader.skipped  # type: ignore[attr-defined]
        return found

    yield read
    worker.die()


def _dead_bytes(folder: Path) -> bytes:
    worker = Worker(folder, "9-dead")
    worker.record(COUNTER, 1)
    worker.record(HISTOGRAM, 1)
    worker.die()
    data = worker.path.read_bytes()
    worker.path.unlink()
    return data


def _with_text(text: str, cells: int = 4) -> Callable[[Path], object]:
    def put(path: Path) -> None:
        file = CellFile(path)
        file.add(text, cells)
        file.close()

    return put


DAMAGED: dict[str, Callable[[Path], object]] = {
    "text": lambda path: path.write_text("not a file of cells, but long enough to be one"),
    "short": lambda path: path.write_bytes(b"\1"),
    "cut": lambda path: path.write_bytes(_dead_bytes(path.parent)[:1000]),
    "folder": lambda path: path.mkdir(),
    "pipe": os.mkfifo,
    "link in a circle": lambda path: path.symlink_to(path),
    "no JSON": _with_text("["),
    "no list": _with_text("7"),
    "a number that is a list": _with_text('["stream",[],"n","counter","","",[],["","","",[]]]'),
    "an unknown kind": _with_text('["stream",0,"n","sundial","","",[],["","","",[]]]'),
    "a kind that is none": _with_text('["stream",0,"n",[],"","",[],["","","",[]]]'),
    "no scope": _with_text('["stream",0,"n","counter","","",[],null]'),
    "bounds of text": _with_text('["stream",0,"n","histogram","","",["x"],["","","",[]]]'),
    "a label that is no name": _with_text('["series",0,[["!plan","a"]]]'),
    "a label without a name": _with_text('["series",0,[["","a"]]]'),
    "a label twice": _with_text('["series",0,[["plan","a"],["plan","b"]]]'),
    "an endless number": _with_text('["series",1e999,[]]'),
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_file_is_skipped_with_one_warning_and_counted(
    damage: str, tmp_path: Path, page: Callable[[], Samples], caplog: pytest.LogCaptureFixture
) -> None:
    DAMAGED[damage](tmp_path / "7-damaged.cells")
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert page() == {("hits_total", ()): 1}
            assert page.skipped == 1  # type: ignore[attr-defined]
    assert len(caplog.messages) == 1
    assert "7-damaged.cells" in caplog.messages[0]
    assert "7-damaged.cells" in os.listdir(tmp_path), "left for who wants to look at it"


def test_the_page_says_how_many_files_it_skipped_and_how_many_processes_live(tmp_path: Path) -> None:
    worker = Worker(tmp_path, "5-alive")
    (tmp_path / "7.cells").write_text("x")
    (tmp_path / "README").write_text("somebody else's")
    families = Families()
    merger(tmp_path).add_to(families, scope_labels=False)
    own = {family.name: family.series for family in families}
    assert own["otel_distro_skipped_files"] == {(): 1}
    assert own["otel_distro_processes"] == {(): 1}
    worker.die()


def test_a_damaged_file_does_not_keep_the_others_from_being_folded(tmp_path: Path, page: Callable[[], Samples]) -> None:
    (tmp_path / "1-damaged.cells").write_text("x")
    (tmp_path / "8-damaged.cells").write_text("x")
    for number in (2, 9):
        worker = Worker(tmp_path, f"{number}-dead")
        worker.record(COUNTER, 10)
        worker.die()
    for _ in range(3):
        assert page() == {("hits_total", ()): 21}
    assert sorted(path.name for path in tmp_path.glob("*.cells")) == [
        "1-damaged.cells",
        "5-alive.cells",
        "8-damaged.cells",
        "folded.cells",
    ]


def test_a_file_that_nobody_may_read_is_skipped(caplog: pytest.LogCaptureFixture) -> None:
    def look(folder: Path) -> None:
        if not os.getuid():
            os.setgid(65534)
            os.setuid(65534)
        reader = merger(folder)
        for _ in range(2):
            assert samples(reader) == {("hits_total", ()): 1}
            assert reader.skipped == 1

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o777)
        worker, secret = Worker(folder, "1-x"), Worker(folder, "2-x")
        worker.record(COUNTER, 1)
        secret.record(COUNTER, 1)
        worker.path.chmod(0o644)
        secret.path.chmod(0)
        in_child(lambda: look(folder))
        assert stat.S_IMODE(secret.path.stat().st_mode) == 0
        worker.die()
        secret.die()


def test_counts_that_are_none_leave_out_their_series_alone(
    tmp_path: Path, page: Callable[[], Samples], caplog: pytest.LogCaptureFixture
) -> None:
    worker = Worker(tmp_path, "7-odd")
    worker.put(HISTOGRAM, [1.0, math.nan, 1.0])
    worker.put(HISTOGRAM, [1.0, 1.0, 1.0], *A)
    worker.put(COUNTER, [math.inf], *A)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            said = page()
    assert said["hits_total", ()] == 1
    assert said["took_seconds_count", A] == 2
    assert ("took_seconds_count", ()) not in said
    assert len(caplog.messages) == 1
    worker.die()


_json = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=8,
)
_almost = st.tuples(
    st.sampled_from(["stream", "series", "exemplars", "absorbed", "open"]),
    st.just(0) | _json,
    st.text(max_size=3) | _json,
    st.sampled_from(streams.KINDS) | _json,
    st.text(max_size=3) | _json,
    st.text(max_size=3) | _json,
    st.lists(st.floats(), max_size=3) | _json,
    st.just(["", "", "", []]) | _json,
)


_NAMELESS = ["stream", 0, "", streams.COUNTER, "", "", [], ["", "", "", []]]


@settings(max_examples=200, deadline=None)
@example([(_NAMELESS, []), (["series", 0, []], [1.0])])
@given(st.lists(st.tuples(_almost.map(list) | _json, st.lists(st.floats(), max_size=5)), max_size=5))
def test_whatever_the_entries_of_a_file_say_the_page_stays(entries: list[tuple[Any, list[float]]]) -> None:
    import json

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        worker = Worker(folder, "0-alive")
        worker.record(COUNTER, 1)
        file = CellFile(folder / "7-odd.cells")
        for what, values in entries:
            cells = file.add(json.dumps(what), len(values))
            for index, value in enumerate(values):
                cells[index] = value
        reader = merger(folder)
        for _ in range(2):
            assert samples(reader)["hits_total", ()] == 1
        file.close()
        for _ in range(3):
            assert samples(reader)["hits_total", ()] == 1
        worker.die()


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 700), st.binary(min_size=1, max_size=8)), min_size=1, max_size=3))
def test_whatever_is_damaged_in_a_file_the_page_stays(damages: list[tuple[int, bytes]]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        worker = Worker(folder, "0-alive")
        worker.record(COUNTER, 1, *A)
        dead = Worker(folder, "1-dead")
        dead.record(HISTOGRAM, 1, *A)
        dead.record(Stream("other", streams.COUNTER, "", ""), 1, *A)
        dead.die()
        with dead.path.open("r+b") as raw:
            for at, data in damages:
                raw.seek(at)
                raw.write(data)
        reader = merger(folder)
        for _ in range(3):
            assert samples(reader)["hits_total", A] == 1
        worker.die()


def test_a_folder_that_goes_leaves_the_page_of_this_process(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "group"
    folder.mkdir()
    store = CellStore(lambda: CellFile(folder / "1-me.cells"))
    cells = store.cells(COUNTER, ())
    cells[0] += 1
    reader = Merger(store, folder)
    assert samples(reader) == {("hits_total", ()): 1}
    shutil.rmtree(folder)
    with caplog.at_level(logging.WARNING):
        for amount in (2, 3):
            cells[0] += 1
            assert samples(reader) == {("hits_total", ()): amount}
    assert len(caplog.messages) == 1
    assert str(folder) in caplog.messages[0]
    assert samples(Merger(store, folder)) == {("hits_total", ()): 3}, "whose first page comes after that"
    store.close()


def test_a_process_whose_file_was_removed_is_still_one_that_lives(tmp_path: Path) -> None:
    store = CellStore(lambda: CellFile(tmp_path / "1-me.cells"))
    store.cells(COUNTER, ())[0] = 1
    (tmp_path / "1-me.cells").unlink()
    families = Families()
    Merger(store, tmp_path).add_to(families, scope_labels=False)
    own = {family.name: family.series for family in families}
    assert (own["otel_distro_processes"], own["hits"]) == ({(): 1}, {(): 1})
    store.close()


def test_a_process_whose_folder_was_moved_and_made_anew_keeps_its_values_on_the_page(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "shared"
    folder.mkdir()
    store = CellStore(lambda: CellFile(folder / "1-me.cells"))
    store.cells(COUNTER, ())[0] = 1
    folder.rename(tmp_path / "old")
    folder.mkdir()
    store.watch()
    assert "somebody has removed" in caplog.text
    assert samples(Merger(store, folder)) == {("hits_total", ()): 1}
    store.close()


def test_reading_keeps_no_descriptor_of_files_that_have_gone(tmp_path: Path) -> None:
    reader = merger(tmp_path)

    def used() -> int:
        gc.collect()  # what is mapped goes with its worker
        return len(os.listdir("/proc/self/fd"))

    samples(reader)
    before = used()
    for number in range(50):
        worker = Worker(tmp_path, f"{number}-x")
        worker.record(COUNTER, 1)
        samples(reader)
        worker.die()
        (tmp_path / f"{number}-damaged.cells").write_text("x")
        samples(reader)
        (tmp_path / f"{number}-damaged.cells").unlink()
        del worker
    samples(reader)
    assert used() <= before + 1, "the folded file's"
    reader.close()
    assert used() <= before


def test_the_rules_are_the_documented_ones() -> None:
    assert RULES == ("most_recent", "sum", "min", "max", "each")

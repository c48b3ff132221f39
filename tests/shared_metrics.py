"""What tests of the process-shared metrics share: processes of a group, real or pretended, and what a page says."""

from __future__ import annotations

import os
import signal
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

from prometheus_client.parser import text_string_to_metric_families

from otel_distro.metrics import streams
from otel_distro.metrics.descriptors import is_open
from otel_distro.metrics.families import Families, Labels
from otel_distro.metrics.merge import Merger
from otel_distro.metrics.prometheus import page_text
from otel_distro.metrics.shared import CellFile
from otel_distro.metrics.sources import GaugeRules
from otel_distro.metrics.store import CellStore
from otel_distro.metrics.streams import Stream
from tests.support import wait_until

Samples: TypeAlias = dict[tuple[str, Labels], float]

COUNTER = Stream("hits", streams.COUNTER, "", "")
UP_DOWN = Stream("open", streams.UP_DOWN, "", "")
GAUGE = Stream("level", streams.GAUGE, "", "")
HISTOGRAM = Stream("took", streams.HISTOGRAM, "s", "", (0.5, 1.0))
EXPONENTIAL = Stream("size", streams.EXPONENTIAL, "", "")
OBSERVED_COUNTER = Stream("cpu", streams.OBSERVED_COUNTER, "", "")
OBSERVED_UP_DOWN = Stream("queue", streams.OBSERVED_UP_DOWN, "", "")
OBSERVED_GAUGE = Stream("heat", streams.OBSERVED_GAUGE, "", "")


class Worker:
    """A process of a group as its file shows it: alive, as the lock is another open file's, until `die`."""

    def __init__(self, folder: Path, name: str) -> None:
        self.path = folder / f"{name}.cells"
        self.store = CellStore(lambda: CellFile(self.path))
        self.store.open()
        self._cells: dict[tuple[Stream, Labels], memoryview[float]] = {}

    def cells(self, stream: Stream, *labels: tuple[str, str]) -> memoryview[float]:
        """Return the cells of a series, made on first use."""
        if (stream, labels) not in self._cells:
            self._cells[stream, labels] = self.store.cells(stream, labels)
        return self._cells[stream, labels]

    def record(self, stream: Stream, amount: float, *labels: tuple[str, str]) -> None:
        """Write one measurement."""
        streams.writer(stream, self.cells(stream, *labels))(amount)

    def put(self, stream: Stream, values: list[float], *labels: tuple[str, str]) -> None:
        """Write the cells of a series as they are to be."""
        cells = self.cells(stream, *labels)
        for index, value in enumerate(values):
            cells[index] = value

    def die(self) -> None:
        """End as a killed process does: the lock goes, the file stays."""
        self.store.close()


def merger(folder: Path, rules: GaugeRules | None = None) -> Merger:
    """Return what reads the folder for one that has no values itself."""
    return Merger(CellStore(), folder, rules)


def samples(reader: Merger) -> Samples:
    """Return what the page says, without what it says about itself."""
    families = Families()
    reader.add_to(families, scope_labels=False)
    text, _ = page_text(families, None, openmetrics=False)
    return parsed(text)


def parsed(page: bytes) -> Samples:
    """Return a page's samples by name and sorted labels, without those of this package's own metrics."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(page.decode())
        for sample in family.samples
        if not sample.name.startswith(("otel_distro_", "target_info", "process_", "python_"))
    }


def descriptors_of(path: Path) -> int:
    """Return how many descriptors of this process are a file's."""
    file = path.stat()
    return sum(is_open(int(number), file) for number in os.listdir("/dev/fd"))


@contextmanager
def forked(function: Callable[[], None]) -> Iterator[int]:
    """Run the function in a forked child that ends with 0 where it returned; killed with the block where it lives."""
    pid = os.fork()
    if not pid:
        status = 1
        try:
            function()
            status = 0
        except BaseException:  # noqa: BLE001 -- a child never goes on with the tests of its parent
            traceback.print_exc()
        finally:
            os._exit(status)
    try:
        yield pid
    finally:
        kill(pid)


def kill(pid: int) -> None:
    """Kill a child that may have ended already, and wait for its end."""
    try:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    except (ProcessLookupError, ChildProcessError):
        return


def ended(pid: int, timeout: float = 60.0) -> int:
    """Wait for a child's end and return its status, negative for a signal; raises AssertionError where it hangs."""
    found: list[int] = []

    def has_ended() -> bool:
        child, status = os.waitpid(pid, os.WNOHANG)
        found.append(os.waitstatus_to_exitcode(status) if child else 0)
        return bool(child)

    wait_until(has_ended, timeout, what=f"the end of child {pid}", every=0.005)
    return found[-1]


def in_child(function: Callable[[], None], timeout: float = 60.0) -> None:
    """Run the function in a forked child; raises AssertionError where it fails or hangs."""
    with forked(function) as pid:
        assert ended(pid, timeout) == 0, "the child failed: see its traceback"


def kill_after(pid: int, seconds: float) -> None:
    """Kill a child after a short while, spent waiting busily: a sleep would always end at the same points."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass
    kill(pid)

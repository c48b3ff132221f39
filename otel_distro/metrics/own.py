"""Metrics about the process and about this package itself, as observable instruments of every process of the group."""

from __future__ import annotations

import gc
import os
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from opentelemetry.metrics import CallbackOptions, Meter, Observation

if TYPE_CHECKING:
    from otel_distro.metrics.reader import PrometheusReader

# What instruments begin with that say something of the process itself, by OpenTelemetry name as on the page.
PREFIXES: Final = ("process_", "python_")
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_PROC: Final = Path("/proc/self")

Callback = Callable[[CallbackOptions], Iterable[Observation]]


def observe_process(meter: Meter) -> None:
    """Have CPU time, memory, open files and garbage collection observed; what the system does not tell is left out.

    The names on the page are those of prometheus_client; with several processes they are sums over the living, CPU time
    and collections over the dead as well.
    """
    meter.create_observable_counter("process_cpu", [_cpu], "s", "User and system CPU time spent.")
    runs = SinceFork(lambda: [int(generation["collections"]) for generation in gc.get_stats()])
    meter.create_observable_counter("python_gc_collections", [_collections(runs)], "", "Runs of the garbage collector.")
    meter.create_observable_up_down_counter("process_open_fds", [_open_files], "", "Open file descriptors.")
    meter.create_observable_up_down_counter("process_resident_memory", [_memory(1)], "By", "Resident memory.")
    meter.create_observable_up_down_counter("process_virtual_memory", [_memory(0)], "By", "Virtual memory.")
    meter.create_observable_up_down_counter("python_threads", [_threads], "{thread}", "Threads of the process.")


def observe_limits(meter: Meter, reader: PrometheusReader) -> None:
    """Have what the limits held back observed."""
    limits = reader.limits
    meter.create_observable_counter(
        "otel_distro_series_overflows",
        [_each(limits.overflowed)],
        "{measurement}",
        "Measurements that went into an overflow series, as their instrument had too many series.",
    )
    meter.create_observable_counter(
        "otel_distro_label_values_cut",
        [_each(limits.cut_values)],
        "{value}",
        "Label values that were cut to 1 kB.",
    )


def _cpu(_: CallbackOptions) -> Iterable[Observation]:
    times = os.times()
    return [Observation(times.user + times.system)]


class SinceFork:
    """Counts that a forked child inherits, without what its parent had counted: that is on the page already."""

    def __init__(self, count: Callable[[], list[int]]) -> None:
        self._count = count
        self._before: list[int] = []
        os.register_at_fork(after_in_child=self._after_fork)

    def __call__(self) -> list[int]:
        """Return the counts of this process alone."""
        counts = self._count()
        return [now - before for now, before in zip(counts, self._before or [0] * len(counts), strict=True)]

    def _after_fork(self) -> None:
        self._before = self._count()


def _collections(runs: SinceFork) -> Callback:
    def collections(_: CallbackOptions) -> Iterable[Observation]:
        return [Observation(count, {"generation": str(number)}) for number, count in enumerate(runs())]

    return collections


def _open_files(_: CallbackOptions) -> Iterable[Observation]:
    try:
        return [Observation(len(os.listdir(_PROC / "fd")))]
    except OSError:
        return []


def _memory(word: int) -> Callback:
    def memory(_: CallbackOptions) -> Iterable[Observation]:
        try:
            return [Observation(int((_PROC / "statm").read_text().split()[word]) * _PAGE)]
        except (OSError, ValueError, IndexError):
            return []

    return memory


def _threads(_: CallbackOptions) -> Iterable[Observation]:
    try:
        return [Observation(len(os.listdir(_PROC / "task")))]
    except OSError:
        return []


def _each(counts: Counter[str]) -> Callback:
    def observe(_: CallbackOptions) -> Iterable[Observation]:
        return [Observation(count, {"instrument": name}) for name, count in list(counts.items())]

    return observe

"""What one metrics page costs: ours beside prometheus_client's two modes and the stock OpenTelemetry reader.

    python -m tests.benchmarks.page_cost --rounds 5

Each page shows a counter with three labels. Where several processes share a page there are four, each with every
series. Pages are made in turn, a round at a time; a table in Markdown shows the median of each in milliseconds. A
second table compares four processes that have just started with four that 200 ended ones went before. It ends with 1
where a page does not say the total that was counted.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider
from prometheus_client import REGISTRY, CollectorRegistry, Counter, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from otel_distro.metrics import streams
from otel_distro.metrics.limits import Limits
from otel_distro.metrics.reader import PrometheusReader
from otel_distro.metrics.streams import Stream
from tests.shared_metrics import Worker, in_child

SIZES: Final = (100, 1_000, 10_000, 100_000)
PROCESSES: Final = 4
RECYCLED: Final = 200
_STREAM: Final = Stream("requests", streams.COUNTER, "", "Requests.")
_LABELS: Final = ("endpoint", "method", "status")
_COUNT: Final = re.compile(rb"^requests_total\{.*\} (\S+)$", re.MULTILINE)

Page = Callable[[], bytes]


def _labels(number: int) -> tuple[str, str, str]:
    return f"/api/orders/{number}", "GET", "200"


def _total(page: bytes) -> float:
    return sum(map(float, _COUNT.findall(page)))


class SharedPage:
    """Four workers with all series, and the page of the group."""

    def __init__(self, folder: Path, size: int, recycled: int = 0) -> None:
        folder.mkdir()
        self.size = size
        self.expected = size * PROCESSES
        self.reader = PrometheusReader(folder=folder, target_info=False)
        self._provider = MeterProvider([self.reader], shutdown_on_exit=False)
        for begin in range(0, recycled, 25):
            # In another process, as the memory of workers is not the reader's; every series in some of them.
            in_child(lambda begin=begin: self._end_some(folder, begin))  # type: ignore[misc]
            self.page()
        self.expected += sum(len(range(number % 10, size, 10)) for number in range(recycled))
        self.workers = [self._worker(folder, f"{number}-alive", range(size)) for number in range(PROCESSES)]
        for _ in range(2):
            self.page()

    def _end_some(self, folder: Path, begin: int) -> None:
        for number in range(begin, begin + 25):
            self._worker(folder, f"{number}-ended", range(number % 10, self.size, 10)).die()

    def _worker(self, folder: Path, name: str, numbers: range) -> Worker:
        worker = Worker(folder, name)
        # Each process meets its series in an order of its own.
        for number in random.Random(name).sample(numbers, len(numbers)):
            worker.record(_STREAM, 1, *zip(_LABELS, _labels(number), strict=True))
        return worker

    def page(self) -> bytes:
        """Return the page of the group."""
        return self.reader.page()


def _own(size: int) -> Page:
    reader = PrometheusReader(target_info=False, limits=Limits(size))
    _count_by_api(reader, size)
    return reader.page


def _stock(size: int) -> Page:
    # The stock reader has no registry of its own: it is taken out of the common one again.
    reader = PrometheusMetricReader()
    collector = reader._collector
    REGISTRY.unregister(collector)
    registry = CollectorRegistry()
    registry.register(collector)
    _count_by_api(reader, size)
    return lambda: generate_latest(registry)


def _count_by_api(reader: Any, size: int) -> None:
    provider = MeterProvider([reader], shutdown_on_exit=False)
    counter = provider.get_meter("bench").create_counter("requests", description="Requests.")
    for number in range(size):
        counter.add(1, dict(zip(_LABELS, _labels(number), strict=True)))


def _client(size: int) -> Page:
    registry = CollectorRegistry()
    _count_by_client(registry, size)
    return lambda: generate_latest(registry)


def _count_by_client(registry: CollectorRegistry, size: int) -> None:
    counter = Counter("requests", "Requests.", _LABELS, registry=registry)
    for number in range(size):
        counter.labels(*_labels(number)).inc()


def _client_shared(folder: Path, size: int) -> Page:
    folder.mkdir()
    for _ in range(PROCESSES):
        # The library decides for its process mode when it is imported.
        subprocess.run(
            [sys.executable, "-m", "tests.benchmarks.page_cost", "--fill", str(size)],
            env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(folder)},
            check=True,
        )
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=str(folder))  # type: ignore[no-untyped-call]
    return lambda: generate_latest(registry)


def _medians(pages: dict[str, tuple[Page, float]], rounds: int) -> dict[str, tuple[float, int]]:
    """Return the median milliseconds and the bytes of each page; raises SystemExit where a total is another one."""
    seconds: dict[str, list[float]] = {name: [] for name in pages}
    size: dict[str, int] = {}
    for _ in range(rounds):
        for name, (page, expected) in pages.items():
            begin = time.perf_counter()
            said = page()
            seconds[name].append(time.perf_counter() - begin)
            size[name] = len(said)
            if _total(said) != expected:
                sys.exit(f"{name}: the page says {_total(said)}, counted were {expected}")
    return {name: (statistics.median(found) * 1000, size[name]) for name, found in seconds.items()}


def _compare(folder: Path, sizes: tuple[int, ...], rounds: int) -> None:
    rows: list[str] = []
    for size in sizes:
        shared = SharedPage(folder / f"ours-{size}", size)
        found = _medians(
            {
                "ours": (_own(size), size),
                "ours, 4 processes": (shared.page, shared.expected),
                "prometheus_client": (_client(size), size),
                "prometheus_client, 4 processes": (_client_shared(folder / f"client-{size}", size), size * PROCESSES),
                "stock OpenTelemetry": (_stock(size), size),
            },
            rounds,
        )
        if not rows:
            rows = [f"| series | {' | '.join(found)} |", f"| ---: |{' ---: |' * len(found)}"]
        rows.append(f"| {size:,} | {' | '.join(f'{milliseconds:.1f}' for milliseconds, _ in found.values())} |")
    print("Milliseconds a page:\n", *rows, "", sep="\n")


def _compare_recycled(size: int, rounds: int) -> None:
    found: dict[int, list[tuple[float, int]]] = {0: [], RECYCLED: []}
    for _ in range(rounds):
        for recycled, answers in found.items():
            # Each in a process of its own: two pages in one would drive each other out of the processor's memory.
            arguments = [sys.executable, "-m", "tests.benchmarks.page_cost", "--recycled", str(recycled), str(size)]
            said = subprocess.run(arguments, check=True, stdout=subprocess.PIPE, text=True).stdout.split()
            answers.append((float(said[0]), int(said[1])))
    fast, slow = (statistics.median(milliseconds for milliseconds, _ in answers) for answers in found.values())
    small, large = (answers[0][1] for answers in found.values())
    print(f"4 processes, {size:,} series each:\n")
    print("| | milliseconds | bytes |", "| --- | ---: | ---: |", sep="\n")
    print(f"| just started | {fast:.1f} | {small:,} |")
    print(f"| after {RECYCLED} recycled ones | {slow:.1f} | {large:,} |")
    print(f"| ratio (at most 1.2) | {slow / fast:.2f} | {large / small:.2f} |")


def _time_recycled(folder: Path, recycled: int, size: int) -> None:
    page = SharedPage(folder / "group", size, recycled)
    milliseconds, said = _medians({"page": (page.page, page.expected)}, 20)["page"]
    print(milliseconds, said)


def main() -> None:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each page (5)")
    parser.add_argument("--most", type=int, default=SIZES[-1], help="the greatest number of series")
    parser.add_argument("--fill", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--recycled", type=int, nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.fill:
        _count_by_client(CollectorRegistry(), arguments.fill)
        return
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as name:  # noqa: S108 -- where groups are
        folder = Path(name)
        if arguments.recycled:
            _time_recycled(folder, *arguments.recycled)
            return
        _compare(folder, tuple(size for size in SIZES if size <= arguments.most), arguments.rounds)
        _compare_recycled(min(10_000, arguments.most), arguments.rounds)


if __name__ == "__main__":
    main()

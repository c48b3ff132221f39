"""What one metrics page costs: ours beside prometheus_client's two modes and the stock OpenTelemetry reader.

    python -m tests.benchmarks.page_cost --rounds 7

Each page shows a counter with three labels. Where several processes share a page there are four, each with every
series. Each page is made in a process of its own, and they take turns; `again` is the control. A table in Markdown
shows, for each number of series, the median CPU milliseconds, the median of the rounds' ratios to prometheus_client in
as many processes, with its quartiles, and the memory: the peak, and what the peak has grown by after the first pages.
A second table compares four processes that have just started with four that 200 ended ones went before. It ends with 1
where a page does not say the total that was counted.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry

from tests.benchmarks.pages import WAYS, Page, SharedPage, count_by_client

SIZES: Final = (100, 1_000, 10_000, 100_000)
RECYCLED: Final = 200
_WARM: Final = 3
_COUNT: Final = re.compile(rb"^requests_total\{.*\} (\S+)$", re.MULTILINE)


def _timed(page: Page, expected: float, times: int = 1) -> tuple[float, int]:
    """Return CPU milliseconds a page and its bytes; raises SystemExit where it says another total."""
    begin = time.process_time()
    for _ in range(times):
        said = page()
    spent = (time.process_time() - begin) * 1000 / times
    total = sum(map(float, _COUNT.findall(said)))
    if total != expected:
        sys.exit(f"the page says {total}, counted were {expected}")
    return spent, len(said)


def _work(way: str, size: int, folder: Path) -> None:
    """Make a page for each line of standard input; answer with the milliseconds and the peak of memory in MB."""
    make, _, times = WAYS[way]
    page = make(folder, size)
    for asked in sys.stdin:
        spent, _ = _timed(page, size * times, int(asked))
        print(json.dumps([spent, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]), flush=True)


class _Maker:
    """The process that makes one kind of page."""

    def __init__(self, way: str, size: int, folder: Path) -> None:
        self.way = way
        self._times = max(1, 1_000 // size)  # a small page is made several times, as the clock is no finer
        self.spent: list[float] = []
        self.peaks: list[float] = []
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.page_cost", "--work", way, str(size), str(folder)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def make(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{self._times}\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            sys.exit(f"{self.way}: the process ended early")
        spent, peak = json.loads(line)
        self.spent.append(spent)
        self.peaks.append(peak)

    def end(self) -> None:
        self._process.communicate()


def _compare(folder: Path, sizes: tuple[int, ...], rounds: int) -> Iterator[str]:
    yield "| series | page | CPU ms, median | x prometheus_client | quartiles | µs a series | peak MB | grown MB |"
    yield "| ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: |"
    for size in sizes:
        makers = {way: _Maker(way, size, folder / f"{size}-{n}") for n, way in enumerate(WAYS)}
        for number in range(rounds + _WARM):
            for maker in makers.values() if number % 2 else reversed(makers.values()):
                maker.make()
        for maker in makers.values():
            maker.end()
        for way, maker in makers.items():
            base = makers[WAYS[way][1]].spent[_WARM:]
            ratios = [own / its for own, its in zip(maker.spent[_WARM:], base, strict=True)]
            low, middle, high = statistics.quantiles(ratios, n=4)
            spent = statistics.median(maker.spent[_WARM:])
            grown = maker.peaks[-1] - maker.peaks[_WARM - 1]
            yield (
                f"| {size:,} | {way} | {spent:.2f} | {middle:.2f} | {low:.2f} - {high:.2f} | {spent * 1000 / size:.1f} "
                f"| {maker.peaks[-1]:.0f} | {grown:.1f} |"
            )


def _compare_recycled(size: int, rounds: int) -> Iterator[str]:
    found: dict[int, list[tuple[float, int]]] = {0: [], RECYCLED: []}
    for _ in range(rounds):
        for recycled, answers in found.items():
            # Each in a process of its own: two pages in one would drive each other out of the processor's memory.
            arguments = [sys.executable, "-m", "tests.benchmarks.page_cost", "--recycled", str(recycled), str(size)]
            said = subprocess.run(arguments, check=True, stdout=subprocess.PIPE, text=True).stdout.split()
            answers.append((float(said[0]), int(said[1])))
    fast, slow = (statistics.median(milliseconds for milliseconds, _ in answers) for answers in found.values())
    small, large = (answers[0][1] for answers in found.values())
    yield f"| 4 processes, {size:,} series each | CPU ms | bytes |"
    yield "| --- | ---: | ---: |"
    yield f"| just started | {fast:.1f} | {small:,} |"
    yield f"| after {RECYCLED} recycled ones | {slow:.1f} | {large:,} |"
    yield f"| ratio (at most 1.2) | {slow / fast:.2f} | {large / small:.2f} |"


def _time_recycled(folder: Path, recycled: int, size: int) -> None:
    page = SharedPage(folder / "group", size, recycled)
    found = [_timed(page.page, page.expected) for _ in range(20)]
    print(statistics.median(spent for spent, _ in found), found[0][1])


def main() -> None:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7, help="rounds of each page, 2 at least (7)")
    parser.add_argument("--most", type=int, default=SIZES[-1], help="the greatest number of series")
    parser.add_argument("--fill", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--recycled", type=int, nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--work", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.fill:
        count_by_client(CollectorRegistry(), arguments.fill)
        return
    if arguments.work:
        _work(arguments.work[0], int(arguments.work[1]), Path(arguments.work[2]))
        return
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as name:  # noqa: S108 -- where groups are
        folder = Path(name)
        if arguments.recycled:
            _time_recycled(folder, *arguments.recycled)
            return
        sizes = tuple(size for size in SIZES if size <= arguments.most)
        print("\n".join(_compare(folder, sizes, arguments.rounds)), end="\n\n")
        print("\n".join(_compare_recycled(min(10_000, arguments.most), min(5, arguments.rounds))))


if __name__ == "__main__":
    main()

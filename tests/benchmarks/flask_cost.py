"""What a Flask request costs: bare, measured by hand, with this package, and with its peers.

Each variant is a script of `flask_variants` in a process of its own, which serves requests on command and says what
they took: CPU seconds of all its threads, sending included. The rounds of all variants are interleaved, and the first
variant runs twice: how far its second run is from 1.00 is what the machine adds. At the end every variant's counters,
and what came by OTLP, are compared with what it has served. It ends with 1 where they differ, or a peer is missing.

    python -m tests.benchmarks.flask_cost --rounds 30 --requests 500
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.benchmarks.flask_process import Process, VariantError
from tests.benchmarks.flask_sink import Sink
from tests.benchmarks.flask_ways import Variant, peer_variants, variants


@dataclass
class Result:
    """What one variant took: function calls a request and CPU microseconds of every round; or why it has none."""

    calls: float = 0.0
    microseconds: list[float] = field(default_factory=list)
    checked: str = ""
    wrong: str = ""


def compare(wanted: list[Variant], rounds: int, requests: int) -> dict[str, Result]:
    """Run the variants against each other; one that does not run, or counts wrong, has the reason in its result."""
    sink = Sink()
    results = {variant.name: Result(wrong=variant.missing) for variant in wanted}
    processes: list[Process] = []
    try:
        for number, variant in enumerate(variant for variant in wanted if not variant.missing):
            result = results[variant.name]
            try:
                processes.append(Process(variant, number, sink.endpoint))
                processes[-1].run(requests)  # warm
                result.calls = processes[-1].calls(100)
            except VariantError as error:
                result.wrong = str(error)
        for number in range(rounds):
            for process in processes if number % 2 else reversed(processes):
                result = results[process.variant.name]
                if not result.wrong:
                    try:
                        result.microseconds.append(process.run(requests))
                    except VariantError as error:
                        result.wrong = str(error)
        for process in processes:
            result = results[process.variant.name]
            try:
                result.checked = result.wrong or _checked(process, sink)
            except VariantError as error:
                result.wrong = str(error)
    finally:
        for process in processes:
            process.kill()
        sink.close()
    return results


def _checked(process: Process, sink: Sink) -> str:
    """Return what it was that had to be equal to the requests served; raises VariantError where it is not."""
    counted, served = process.counted()
    process.end()
    sends = process.variant.sends
    found = {name: count for name, count in sink.received(process.number).items() if name in sends}
    if counted not in (served, -1) or any(found.get(name) != served for name in sends):
        raise VariantError(f"served {served}, counted {counted} and sent {found}")
    return f"{served:,} = {', '.join(sends)} received" if sends else f"{served:,} = counted"


def table(results: dict[str, Result]) -> Iterator[str]:
    """Return the lines of a Markdown table; ratios are medians of the rounds' ratios, with their quartiles."""
    base = next(iter(results.values()))
    yield "| variant | x bare | quartiles | least, µs | function calls | requests, checked |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for name, result in results.items():
        if result.wrong:
            yield f"| {name} | | | | | **{result.wrong}** |"
            continue
        ratios = [own / bare for own, bare in zip(result.microseconds, base.microseconds, strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4)
        least = min(result.microseconds)
        calls = f"{result.calls:.0f}"
        yield f"| {name} | {middle:.2f} | {low:.2f} - {high:.2f} | {least:.0f} | {calls} | {result.checked} |"


def main() -> int:
    """Compare, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=30, help="rounds over all variants, 2 at least (default 30)")
    parser.add_argument("--requests", type=int, default=500, help="requests a round (default 500)")
    parser.add_argument("--without-peers", action="store_true", help="only what this environment has")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="flask-cost-") as folder:
        wanted = variants(Path(folder))
        if not arguments.without_peers:
            wanted += peer_variants()
        results = compare(wanted, arguments.rounds, arguments.requests)
    print("\n".join(table(results)))
    return 1 if any(result.wrong for result in results.values()) else 0


if __name__ == "__main__":
    sys.exit(main())

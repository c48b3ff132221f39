"""What one measurement costs: ours beside the stock SDK and prometheus_client, in one interleaved run.

    python -m tests.benchmarks.recording_cost [--rounds N]

Each way of recording has a process of its own, as ours changes the SDK's classes. The parent asks one after another for
a few thousand measurements, round by round, so that what else the machine does hits all alike. `ours` is the page
alone, `+ OTLP` has a reader for deltas beside it. `again` is the same a second time: what those two differ by is noise.
Afterwards every total is read, from each reader, and has to be right to the unit.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from operator import truediv
from pathlib import Path
from time import process_time_ns
from typing import Any, Final

Loop = Callable[[int], None]
# case: the loops by name; totals: what was counted, by case, read at the end
Worker = tuple[dict[str, Loop], Callable[[], dict[str, float]]]

CASES: Final = (
    "counter, 3 attributes",
    "counter, no attributes",
    "counter, sampled span",
    "counter, bound child",
    "histogram, 3 attributes",
    "histogram, no attributes",
    "histogram, sampled span",
    "histogram, bound child",
)
WAYS: Final = (
    "ours",
    "ours + OTLP",
    "ours shared",
    "ours shared again",
    "ours shared + OTLP",
    "stock",
    "stock, 2 readers",
    "prometheus_client",
    "prometheus_client shared",
)
TOTAL_OF: Final = {case: "c_" + str(number) for number, case in enumerate(CASES)}
VALUE: Final = 0.3


def _otel_worker(way: str) -> Worker:
    from opentelemetry import metrics, trace
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader

    ours = way.startswith("ours")
    reader: Any = _page_reader(shared="shared" in way) if ours else InMemoryMetricReader()
    further = [_delta_reader()] if way.endswith(("+ OTLP", "2 readers")) else []
    provider = MeterProvider([reader, *further], shutdown_on_exit=False)
    metrics.set_meter_provider(provider)
    meter = provider.get_meter("benchmark")
    span_context = trace.SpanContext(2**100, 2**60, False, trace.TraceFlags(1))
    context = trace.set_span_in_context(trace.NonRecordingSpan(span_context))
    loops: dict[str, Loop] = {}
    for case, name in TOTAL_OF.items():
        if case.endswith("bound child"):
            if ours:
                loops[case] = _our_child(case, name)
        elif case.startswith("counter"):
            loops[case] = _loop(case, meter.create_counter(name).add, 1, context)
        else:
            loops[case] = _loop(case, meter.create_histogram(name).record, VALUE, context)

    def totals() -> dict[str, float]:
        found = [_page_totals(reader.page().decode()) if ours else _collected(reader), *map(_collected, further)]
        # What one has not counted, or twice, must not hide behind the other.
        return {case: found[0][case] if found[0][case] == found[-1][case] else -1 for case in CASES}

    return loops, totals


def _loop(case: str, measure: Callable[..., None], amount: float, context: Any) -> Loop:
    from opentelemetry import context as context_api

    def attributes(times: int) -> None:
        for _ in range(times):
            measure(amount, {"method": "GET", "endpoint": "/api/orders/<id>", "status": "200"})

    def none(times: int) -> None:
        for _ in range(times):
            measure(amount)

    def in_span(times: int) -> None:
        token = context_api.attach(context)
        attributes(times)
        context_api.detach(token)

    return in_span if case.endswith("span") else none if case.endswith("no attributes") else attributes


def _our_child(case: str, name: str) -> Loop:
    import otel_distro

    labels = ("method", "endpoint", "status")
    if case.startswith("counter"):
        inc = otel_distro.counter(name, labels=labels).labels("GET", "/api/orders/<id>", "200").inc

        def count(times: int) -> None:
            for _ in range(times):
                inc()

        return count
    observe = otel_distro.histogram(name, labels=labels).labels("GET", "/api/orders/<id>", "200").observe

    def record(times: int) -> None:
        for _ in range(times):
            observe(VALUE)

    return record


def _page_reader(*, shared: bool) -> Any:
    from otel_distro.internals import metrics_sdk
    from otel_distro.metrics import recording
    from otel_distro.metrics.reader import PrometheusReader
    from otel_distro.metrics.shared import CellFile
    from otel_distro.metrics.store import CellStore

    sdk = metrics_sdk()
    if sdk is None:
        raise SystemExit("this OpenTelemetry release has no place for fast recording")
    recording.install(sdk)
    if not shared:
        return PrometheusReader()
    folder = Path(os.environ["BENCHMARK_FOLDER"])
    path = folder / f"{os.getpid()}-0.cells"
    return PrometheusReader(store=CellStore(lambda: CellFile(path)), folder=folder)


def _delta_reader() -> Any:
    from opentelemetry.sdk.metrics import Counter as CounterClass
    from opentelemetry.sdk.metrics import Histogram
    from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader

    delta: Any = dict.fromkeys((CounterClass, Histogram), AggregationTemporality.DELTA)
    return InMemoryMetricReader(preferred_temporality=delta)


def _prometheus_worker(way: str) -> Worker:
    if "shared" in way:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = os.environ["BENCHMARK_FOLDER"]
    import prometheus_client

    labels = ("method", "endpoint", "status")
    loops: dict[str, Loop] = {}
    for case, name in TOTAL_OF.items():
        if case.endswith("span"):
            continue
        names = () if case.endswith("no attributes") else labels
        if case.startswith("counter"):
            loops[case] = _prometheus_counter(case, prometheus_client.Counter(name, "h", names))
        else:
            loops[case] = _prometheus_histogram(case, prometheus_client.Histogram(name, "h", names))
    return loops, lambda: _page_totals(_prometheus_page())


def _prometheus_counter(case: str, counter: Any) -> Loop:
    def by_labels(times: int) -> None:
        for _ in range(times):
            counter.labels("GET", "/api/orders/<id>", "200").inc()

    inc = (counter.labels("GET", "/api/orders/<id>", "200") if "bound" in case else counter).inc

    def bound(times: int) -> None:
        for _ in range(times):
            inc()

    return by_labels if case.endswith("3 attributes") else bound


def _prometheus_histogram(case: str, histogram: Any) -> Loop:
    def by_labels(times: int) -> None:
        for _ in range(times):
            histogram.labels("GET", "/api/orders/<id>", "200").observe(VALUE)

    observe = (histogram.labels("GET", "/api/orders/<id>", "200") if "bound" in case else histogram).observe

    def bound(times: int) -> None:
        for _ in range(times):
            observe(VALUE)

    return by_labels if case.endswith("3 attributes") else bound


def _prometheus_page() -> str:
    import prometheus_client
    from prometheus_client import multiprocess

    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return prometheus_client.generate_latest().decode()
    registry = prometheus_client.CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return prometheus_client.generate_latest(registry).decode()


def _page_totals(page: str) -> dict[str, float]:
    """Return what the page counted by case."""
    totals: dict[str, float] = {}
    for line in page.splitlines():
        name = line.partition(" ")[0].partition("{")[0]
        if name.startswith("c_") and name.endswith(("_total", "_count")):
            totals[name.removesuffix("_total").removesuffix("_count")] = float(line.rpartition(" ")[2])
    return {case: totals.get(name, 0.0) for case, name in TOTAL_OF.items()}


def _collected(reader: Any) -> dict[str, float]:
    totals: dict[str, float] = {}
    for scope_metrics in reader.get_metrics_data().resource_metrics[0].scope_metrics:
        for metric in scope_metrics.metrics:
            (point,) = metric.data.data_points
            totals[metric.name] = getattr(point, "count", getattr(point, "value", 0))
    return {case: totals.get(name, 0.0) for case, name in TOTAL_OF.items()}


def work(way: str) -> None:
    """Serve one way of recording: a line `["case", times]` in, nanoseconds out; the empty line ends it with totals."""
    loops, totals = (_prometheus_worker if way.startswith("prometheus") else _otel_worker)(way)
    print(json.dumps(sorted(loops)), flush=True)
    for line in sys.stdin:
        if not line.strip():
            break
        case, times = json.loads(line)
        start = process_time_ns()
        loops[case](times)
        print(process_time_ns() - start, flush=True)
    print(json.dumps(totals()), flush=True)


class _Process:
    """One worker, as the parent sees it."""

    def __init__(self, way: str) -> None:
        self.way = way
        self.done: Counter[str] = Counter()
        self.folder = tempfile.mkdtemp(prefix="recording-cost-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None)  # noqa: S108 -- mkdtemp's own name in it
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("OTEL_", "PROMETHEUS_"))}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.recording_cost", "--work", way],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**environment, "BENCHMARK_FOLDER": self.folder},
        )
        self.cases = set(json.loads(self._line()))

    def measure(self, case: str, times: int) -> float:
        """Return nanoseconds a measurement."""
        self.done[case] += times
        self._send(json.dumps([case, times]))
        return int(self._line()) / times

    def end(self) -> dict[str, float]:
        """End the worker and return its totals."""
        self._send("")
        totals: dict[str, float] = json.loads(self._line())
        self._process.communicate(timeout=30)
        shutil.rmtree(self.folder, ignore_errors=True)
        return totals

    def _send(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.way}: the worker ended early")
        return line


def compare(rounds: int, times: int) -> dict[tuple[str, str], list[float]]:
    """Return nanoseconds a measurement of every round, by case and way; exits where a total is wrong."""
    processes = [_Process(way) for way in WAYS]
    taken: dict[tuple[str, str], list[float]] = {}
    for number in range(rounds + 1):
        for case in CASES:
            for process in processes if number % 2 else reversed(processes):
                if case in process.cases:
                    cost = process.measure(case, times)
                    if number:  # the first round makes the series
                        taken.setdefault((case, process.way), []).append(cost)
    for process in processes:
        totals = process.end()
        wrong = {case: (totals[case], process.done[case]) for case in CASES if totals[case] != process.done[case]}
        if wrong:
            raise SystemExit(f"{process.way} counted wrong (found, done): {wrong}")
    return taken


def table(taken: dict[tuple[str, str], list[float]]) -> Iterator[str]:
    """Return the lines of a Markdown table: least/median in ns, and the factor to the first way by the least."""
    yield "ns a measurement, least/median (times ours shared)"
    yield ""
    yield "| | " + " | ".join(WAYS) + " |"
    yield "| --- |" + " --- |" * len(WAYS)
    for case in CASES:
        base = min(taken[case, "ours shared"])
        cells = []
        for way in WAYS:
            costs = taken.get((case, way))
            cells.append(f"{min(costs):.0f}/{statistics.median(costs):.0f} ({min(costs) / base:.2f})" if costs else "")
        yield f"| {case} | " + " | ".join(cells) + " |"


def targets(taken: dict[tuple[str, str], list[float]]) -> Iterator[str]:
    """Return what had to be reached, and by how much it was."""
    yield ""
    yield "| target | reached |"
    yield "| --- | --- |"
    for kind in ("counter", "histogram"):
        ours = {case: min(taken[case, "ours shared"]) for case in CASES}
        bound = f"{kind}, bound child"
        for case in (f"{kind}, 3 attributes", f"{kind}, no attributes", f"{kind}, sampled span"):
            yield f"| {case}: at most 1/8 of stock | 1/{min(taken[case, 'stock']) / ours[case]:.1f} |"
        peer = min(taken[bound, "prometheus_client shared"])
        ratio = ours[f"{kind}, 3 attributes"] / peer
        yield f"| {kind}, 3 attributes, shared: at most prometheus_client's bound shared child | x {ratio:.2f} |"
        for way, other in (("ours", "prometheus_client"), ("ours shared", "prometheus_client shared")):
            ratio = min(taken[bound, way]) / min(taken[bound, other])
            yield f"| {bound}, {way}: at most {other}'s bound child | x {ratio:.2f} |"
        yield from _both_exporters(kind, taken)


def _both_exporters(kind: str, taken: dict[tuple[str, str], list[float]]) -> Iterator[str]:
    """Return what a reader for OTLP beside the page costs; by each round's own ratio, so that slow rounds even out."""
    for case in (case for case in CASES if case.startswith(kind) and not case.endswith("span")):
        alone, again, both = (taken[case, f"ours shared{more}"] for more in ("", " again", " + OTLP"))
        ratio, noise = (statistics.median(map(truediv, costs, alone)) for costs in (both, again))
        yield f"| {case}, page + OTLP: at most 1.1 times the page alone | x {ratio:.2f} (noise x {noise:.2f}) |"
    case = f"{kind}, 3 attributes"
    stock = min(taken[case, "stock, 2 readers"]) / min(taken[case, "ours shared + OTLP"])
    yield f"| {case}, page + OTLP: at most 1/8 of stock with two readers | 1/{stock:.1f} |"
    peer = min(taken[case, "ours shared + OTLP"]) / min(taken[f"{kind}, bound child", "prometheus_client shared"])
    yield f"| {case}, page + OTLP: at most prometheus_client's bound shared child | x {peer:.2f} |"


def main() -> None:
    """Compare, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=40, help="rounds over all ways and cases (default 40)")
    parser.add_argument("--times", type=int, default=4000, help="measurements at a time (default 4000)")
    parser.add_argument("--work", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work:
        work(arguments.work)
        return
    taken = compare(arguments.rounds, arguments.times)
    print("\n".join([*table(taken), *targets(taken)]))


if __name__ == "__main__":
    main()

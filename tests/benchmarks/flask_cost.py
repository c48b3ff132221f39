"""What a Flask request costs: bare, measured by hand, with this package, with the OpenTelemetry packages as they are.

Each variant is a script of `flask_variants` in a process of its own, which serves requests on command and says what
they took: CPU seconds of all its threads, sending included. The rounds of all variants are interleaved, and the first
variant runs twice: how far its second run is from 1.00 is what the machine adds. At the end every variant's counters,
and what came by OTLP, are compared with what it has served.

    python -m tests.benchmarks.flask_cost --rounds 30 --requests 500
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

VARIANTS: Final = Path(__file__).parent / "flask_variants"
_BY_OTLP: Final = {
    "OTEL_METRICS_EXPORTER": "otlp",
    "OTEL_TRACES_EXPORTER": "otlp",
    "OTEL_LOGS_EXPORTER": "none",
    "OTEL_METRIC_EXPORT_INTERVAL": "3600000",  # sent at the end, so that no round has it
    "OTEL_SEMCONV_STABILITY_OPT_IN": "http",
}


@dataclass(frozen=True)
class Variant:
    """One way to serve: a script with arguments, the Python that runs it, its variables, and what it sends by OTLP."""

    name: str
    script: str
    arguments: tuple[str, ...] = ()
    variables: dict[str, str] = field(default_factory=dict)
    sends: tuple[str, ...] = ()
    python: str = sys.executable


def variants(folder: Path) -> list[Variant]:
    """Return the variants of this environment; the first is what the others are compared with."""
    page = {"OTEL_EXPORTER_PROMETHEUS_PORT": "0"}
    logs = {**_BY_OTLP, "OTEL_LOGS_EXPORTER": "otlp"}
    ours_logs = {**logs, "OTEL_DISTRO_LOG_FILE": str(folder / "shop.log")}
    return [
        Variant("bare", "bare.py"),
        Variant("bare again", "bare.py"),
        Variant("by hand, labels()", "prometheus_labels.py"),
        Variant("by hand, pre-bound", "prometheus_bound.py"),
        Variant("ours, metrics", "ours.py", variables=page),
        Variant("ours, traces + metrics by OTLP", "ours.py", (), _BY_OTLP, ("traces", "metrics")),
        Variant("ours, three signals + a log line", "ours.py", ("log",), ours_logs, ("traces", "metrics", "logs")),
        Variant("stock, metrics", "stock.py", ("metrics",), {"OTEL_SEMCONV_STABILITY_OPT_IN": "http"}),
        Variant("stock, traces + metrics by OTLP", "stock.py", (), _BY_OTLP, ("traces", "metrics")),
        Variant("stock, three signals + a log line", "stock.py", ("log",), logs, ("traces", "metrics", "logs")),
    ]


class Sink:
    """Accepts OTLP over HTTP and keeps the bytes, which are read only when all is over."""

    def __init__(self) -> None:
        self._bodies: list[tuple[str, bytes]] = []
        bodies = self._bodies

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                bodies.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def received(self, number: int) -> dict[str, int]:
        """Return how many requests the traces, the metrics and the logs of a variant tell of."""
        found: Counter[str] = Counter()
        measured = 0
        for path, body in self._bodies:
            if path == f"/{number}/v1/traces":
                found["traces"] += sum(len(scope.spans) for scope in _scopes(ExportTraceServiceRequest, body, "spans"))
            elif path == f"/{number}/v1/logs":
                scopes = _scopes(ExportLogsServiceRequest, body, "logs")
                found["logs"] += sum(len(scope.log_records) for scope in scopes)
            elif path == f"/{number}/v1/metrics":
                measured = max(measured, _requests(_scopes(ExportMetricsServiceRequest, body, "metrics")))
        return {**found, "metrics": measured}

    def close(self) -> None:
        """Stop accepting."""
        self._server.shutdown()
        self._server.server_close()


def _scopes(kind: Any, body: bytes, name: str) -> Iterator[Any]:
    for resource in getattr(kind.FromString(body), f"resource_{name}"):
        yield from getattr(resource, f"scope_{name}")


def _requests(scopes: Iterator[Any]) -> int:
    """Return how many requests a collection of metrics tells of: by our counter or by the conventions' histogram."""
    total = 0
    for scope in scopes:
        for metric in scope.metrics:
            if metric.name == "http_requests":
                total += int(sum(point.as_int or point.as_double for point in metric.sum.data_points))
            elif metric.name == "http.server.request.duration":
                total += sum(point.count for point in metric.histogram.data_points)
    return total


class Worker:
    """One variant's process, as the runner sees it; `number` is its own path at the sink."""

    def __init__(self, variant: Variant, number: int, endpoint: str) -> None:
        self.variant, self.number = variant, number
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("OTEL_", "PROMETHEUS_"))}
        if variant.sends:
            environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = f"{endpoint}/{number}"
        self._process = subprocess.Popen(
            [variant.python, str(VARIANTS / variant.script), *variant.arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**environment, **variant.variables},
        )
        self.python = str(self._answer()["ready"])

    def run(self, requests: int) -> float:
        """Serve requests; return CPU microseconds each."""
        return float(self._ask(f"run {requests}")["cpu"]) * 1e6 / requests

    def calls(self, requests: int) -> float:
        """Serve requests; return function calls each."""
        return float(self._ask(f"calls {requests}")["calls"])

    def counted(self) -> tuple[int, int]:
        """Return what the variant's own counter says, -1 where it has none, and what it has served."""
        answer = self._ask("counted")
        return int(answer["requests"]), int(answer["served"])

    def end(self) -> None:
        """Let it send what it has and end."""
        self._send("")
        self._process.communicate(timeout=60)
        if self._process.returncode:
            raise SystemExit(f"{self.variant.name}: ended with {self._process.returncode}")

    def _ask(self, command: str) -> dict[str, Any]:
        self._send(command)
        return self._answer()

    def _send(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.variant.name}: the worker ended early")
        answer: dict[str, Any] = json.loads(line)
        return answer


@dataclass
class Result:
    """What one variant took: function calls a request, and CPU microseconds a request of every round."""

    calls: float
    microseconds: list[float] = field(default_factory=list)


def compare(wanted: list[Variant], rounds: int, requests: int) -> dict[str, Result]:
    """Run the variants against each other; exits where a counter is wrong."""
    sink = Sink()
    try:
        workers = [Worker(variant, number, sink.endpoint) for number, variant in enumerate(wanted)]
        results = {worker.variant.name: Result(worker.calls(100)) for worker in workers}
        for worker in workers:
            worker.run(requests)  # warm
        for number in range(rounds):
            for worker in workers if number % 2 else reversed(workers):
                results[worker.variant.name].microseconds.append(worker.run(requests))
        for worker in workers:
            _check(worker, sink)
    finally:
        sink.close()
    return results


def _check(worker: Worker, sink: Sink) -> None:
    counted, served = worker.counted()
    worker.end()
    found = {name: count for name, count in sink.received(worker.number).items() if name in worker.variant.sends}
    if counted not in (served, -1) or any(found.get(name) != served for name in worker.variant.sends):
        raise SystemExit(f"{worker.variant.name} served {served}, counted {counted} and sent {found}")


def table(results: dict[str, Result]) -> Iterator[str]:
    """Return the lines of a Markdown table; ratios are medians of the rounds' ratios, with their quartiles."""
    base = next(iter(results.values()))
    yield "| | x bare | quartiles | us, least | function calls |"
    yield "| --- | --- | --- | --- | --- |"
    for name, result in results.items():
        ratios = [own / bare for own, bare in zip(result.microseconds, base.microseconds, strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4)
        least = min(result.microseconds)
        yield f"| {name} | {middle:.2f} | {low:.2f} - {high:.2f} | {least:.0f} | {result.calls:.0f} |"


def main() -> None:
    """Compare, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=30, help="rounds over all variants (default 30)")
    parser.add_argument("--requests", type=int, default=500, help="requests a round (default 500)")
    arguments = parser.parse_args()
    import tempfile

    with tempfile.TemporaryDirectory(prefix="flask-cost-") as folder:
        print("\n".join(table(compare(variants(Path(folder)), arguments.rounds, arguments.requests))))


if __name__ == "__main__":
    main()

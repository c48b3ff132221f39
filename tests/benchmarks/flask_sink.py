"""What the variants send to: OTLP over HTTP, and Datadog's agent. What came is counted when all is over."""

from __future__ import annotations

import gzip
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

_DURATIONS: Final = ("http.server.request.duration", "http.server.duration")  # of the stable conventions, and before


class Sink:
    """Accepts everything and keeps the bytes; `received` says how many requests they tell of."""

    def __init__(self) -> None:
        self._bodies: list[tuple[str, bytes, int]] = []
        bodies = self._bodies

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                bodies.append((self.path, body, int(self.headers.get("X-Datadog-Trace-Count", 0))))
                self._answer(b"{}" if "/v1/" not in self.path else b"")

            do_PUT = do_POST  # noqa: N815 -- named by http.server

            def do_GET(self) -> None:
                self._answer(b"{}")

            def _answer(self, body: bytes) -> None:
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

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
        for path, body, datadog in self._bodies:
            if path == f"/{number}/v1/traces":
                found["traces"] += sum(map(_served, _scopes(ExportTraceServiceRequest, body, "spans")))
            elif path == f"/{number}/v1/logs":
                found["logs"] += sum(map(_logged, _scopes(ExportLogsServiceRequest, body, "logs")))
            elif path == f"/{number}/v1/metrics":
                measured = max(measured, _measured(_scopes(ExportMetricsServiceRequest, body, "metrics")))
            elif path.startswith(f"/{number}/"):
                found["traces"] += datadog
        return {**found, "metrics": measured}

    def close(self) -> None:
        """Stop accepting."""
        self._server.shutdown()
        self._server.server_close()


def _scopes(kind: Any, body: bytes, name: str) -> Iterator[Any]:
    for resource in getattr(kind.FromString(body), f"resource_{name}"):
        yield from getattr(resource, f"scope_{name}")


def _served(scope: Any) -> int:
    """Return how many spans are a request's: some peers add further spans to each."""
    return sum(span.kind == span.SPAN_KIND_SERVER for span in scope.spans)


def _logged(scope: Any) -> int:
    """Return how many records are the application's: the SDK has its own in some peers' logs."""
    return sum("is on its way" in record.body.string_value for record in scope.log_records)


def _measured(scopes: Iterator[Any]) -> int:
    """Return how many requests a collection of metrics tells of: by our counter or by the conventions' histogram."""
    total = 0
    for scope in scopes:
        for metric in scope.metrics:
            if metric.name == "http_requests":
                total += int(sum(point.as_int or point.as_double for point in metric.sum.data_points))
            elif metric.name in _DURATIONS:
                points = metric.histogram.data_points or metric.exponential_histogram.data_points
                total += sum(point.count for point in points)
    return total

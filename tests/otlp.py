"""A receiver of OTLP over HTTP that keeps what arrives: the other end of an exporter, over a real socket."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from typing_extensions import Self


class Receiver:
    """Accepts every export; `metrics`, `spans` and `logs` hold what came, in order, one entry a resource."""

    def __init__(self) -> None:
        self.metrics: list[Any] = []
        self.spans: list[Any] = []
        self.logs: list[Any] = []
        kinds: dict[str, tuple[Any, str, list[Any]]] = {
            "/v1/metrics": (ExportMetricsServiceRequest, "resource_metrics", self.metrics),
            "/v1/traces": (ExportTraceServiceRequest, "resource_spans", self.spans),
            "/v1/logs": (ExportLogsServiceRequest, "resource_logs", self.logs),
        }

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                kind, name, kept = kinds[self.path]
                kept.extend(getattr(kind.FromString(body), name))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def points(self, name: str) -> Iterator[tuple[str, Any]]:
        """Yield the instance id and each data point that came of a metric."""
        for resource in list(self.metrics):
            instance = attributes(resource.resource)["service.instance.id"]
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    if metric.name == name:
                        yield from (
                            (instance, point) for point in getattr(metric, metric.WhichOneof("data")).data_points
                        )

    def close(self) -> None:
        """Stop accepting."""
        self._server.shutdown()
        self._server.server_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def attributes(holder: Any) -> dict[str, str]:
    """Return the text attributes of a resource, point, span or record."""
    return {pair.key: pair.value.string_value for pair in holder.attributes}

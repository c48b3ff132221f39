"""Receivers of OTLP over HTTP and gRPC that keep what arrives: the other end of an exporter, over a real socket."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

import grpc
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as logs_pb2
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2_grpc as logs_grpc
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics_pb2
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2_grpc as metrics_grpc
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as trace_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as trace_grpc
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


class GrpcReceiver:
    """The same over gRPC."""

    def __init__(self) -> None:
        self.metrics: list[Any] = []
        self.spans: list[Any] = []
        self.logs: list[Any] = []
        self._server = grpc.server(ThreadPoolExecutor(max_workers=8))
        services: tuple[tuple[Any, _Service], ...] = (
            (
                trace_grpc.add_TraceServiceServicer_to_server,
                _Service(self.spans, "resource_spans", trace_pb2.ExportTraceServiceResponse),
            ),
            (
                metrics_grpc.add_MetricsServiceServicer_to_server,
                _Service(self.metrics, "resource_metrics", metrics_pb2.ExportMetricsServiceResponse),
            ),
            (
                logs_grpc.add_LogsServiceServicer_to_server,
                _Service(self.logs, "resource_logs", logs_pb2.ExportLogsServiceResponse),
            ),
        )
        for add, service in services:
            add(service, self._server)
        self.endpoint = f"http://127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()

    def close(self) -> None:
        """Stop accepting."""
        self._server.stop(0).wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Service:
    def __init__(self, kept: list[Any], name: str, response: Any) -> None:
        self._kept = kept
        self._name = name
        self._response = response

    def Export(self, request: Any, context: object) -> Any:
        self._kept.extend(getattr(request, self._name))
        return self._response()


def documents(resource_logs: list[Any]) -> Iterator[dict[str, Any]]:
    """Yield the flat document of each log record, put together by the rule that a Collector follows."""
    for resource in list(resource_logs):
        of_resource = {pair.key: any_value(pair.value) for pair in resource.resource.attributes}
        for scope in resource.scope_logs:
            for record in scope.log_records:
                yield _document(of_resource, scope.scope.name, record)


def _document(resource: dict[str, Any], scope: str, record: Any) -> dict[str, Any]:
    assert record.time_unix_nano % 1000 == 0
    moment = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(microseconds=record.time_unix_nano // 1000)
    document = {
        "timestamp": moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "message": any_value(record.body),
        "level": record.severity_text,
        **({"trace_id": record.trace_id.hex()} if record.trace_id else {}),
        **({"span_id": record.span_id.hex()} if record.span_id else {}),
    }
    for pair in record.attributes:
        assert pair.key not in document, f"{pair.key} is there twice"
        document[pair.key] = any_value(pair.value)
    document.setdefault("logger", scope)
    # The SDK names a service that nobody has named.
    if not resource["service.name"].startswith("unknown_service"):
        document.setdefault("service", resource["service.name"])
    if "deployment.environment.name" in resource:
        document.setdefault("environment", resource["deployment.environment.name"])
    return document


def any_value(value: Any) -> Any:
    """Return the plain JSON value of an OTLP value."""
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    if kind == "array_value":
        return [any_value(item) for item in value.array_value.values]
    if kind == "kvlist_value":
        pairs = value.kvlist_value.values
        made = {pair.key: any_value(pair.value) for pair in pairs}
        assert len(made) == len(pairs)
        return made
    assert kind in ("string_value", "bool_value", "int_value", "double_value"), kind
    return getattr(value, kind)


def attributes(holder: Any) -> dict[str, str]:
    """Return the text attributes of a resource, point, span or record."""
    return {pair.key: pair.value.string_value for pair in holder.attributes}

"""Receivers of OTLP over HTTP and gRPC that keep what arrives: the other end of an exporter, over a real socket."""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Final

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

# What comes to each path: the request, the name of what it holds, and the answer.
_KINDS: Final[dict[str, tuple[Any, str, Any]]] = {
    "/v1/metrics": (ExportMetricsServiceRequest, "resource_metrics", metrics_pb2.ExportMetricsServiceResponse),
    "/v1/traces": (ExportTraceServiceRequest, "resource_spans", trace_pb2.ExportTraceServiceResponse),
    "/v1/logs": (ExportLogsServiceRequest, "resource_logs", logs_pb2.ExportLogsServiceResponse),
}
_LISTS: Final = {"resource_metrics": "metrics", "resource_spans": "spans", "resource_logs": "logs"}
_HEADERS: Final = {
    "200": {"Content-Type": "text/html; charset=utf-8"},
    "429": {"Retry-After": "1"},
    "308": {"Location": "https://me:secret@elsewhere:4318/v1/traces"},
}


class Kept:
    """What a receiver keeps: one entry a resource, in the order in which they came."""

    endpoint = ""

    def __init__(self) -> None:
        self.metrics: list[Any] = []
        self.spans: list[Any] = []
        self.logs: list[Any] = []
        self.requests = 0
        """How many requests came, answered or not."""
        self.mode = "ok"
        """How it behaves from the next request on; each receiver says what it can."""
        self.released = threading.Event()
        """Ends the waiting of those that hang."""


class Receiver(Kept):
    """Accepts every export over HTTP.

    Modes of misbehaving, in none of which anything is kept: `hang` reads and never answers, `drip` answers a byte now
    and then, `close` hangs up, `garbage` answers what is no HTTP, a number is the status, `200` of a page of HTML,
    `429` with `Retry-After`, `308` with `Location`.
    Kept is what comes in `slow` (answers after 0.2 s), `nonsense` (200, and a body that is none), and but for the first
    item of each request in `partial`.
    """

    def __init__(self) -> None:
        super().__init__()
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                owner.requests += 1
                owner._answer(self, body)

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def _answer(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        mode = self.mode
        if mode == "slow":
            time.sleep(0.2)
        if mode in ("ok", "slow", "nonsense", "partial"):
            kind, name, response = _KINDS[handler.path]
            resources = list(getattr(kind.FromString(body), name))
            answer = b"\xff" * 20 if mode == "nonsense" else b""
            if mode == "partial":
                answer = _without_first(resources, response).SerializeToString()
            getattr(self, _LISTS[name]).extend(resources)
            _respond(handler, 200, answer)
        elif mode == "hang":
            self.released.wait(60)
        elif mode == "drip":
            for byte in b"HTTP/1.1 200 OK\r\nX-Drip: " + b"x" * 600:
                handler.wfile.write(bytes([byte]))
                if self.released.wait(0.1):
                    break
        elif mode == "garbage":
            handler.wfile.write(b"\x00\xff what is this\r\n\r\n")
        elif mode != "close":
            _respond(handler, int(mode), b"", _HEADERS.get(mode, {}))

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
        self.released.set()
        self._server.shutdown()
        self._server.server_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class GrpcReceiver(Kept):
    """The same over gRPC; modes are `ok`, `slow`, `hang`, `partial` and the names of status codes."""

    def __init__(self) -> None:
        super().__init__()
        self._server = grpc.server(ThreadPoolExecutor(max_workers=32))
        adders: tuple[tuple[Any, str], ...] = (
            (trace_grpc.add_TraceServiceServicer_to_server, "/v1/traces"),
            (metrics_grpc.add_MetricsServiceServicer_to_server, "/v1/metrics"),
            (logs_grpc.add_LogsServiceServicer_to_server, "/v1/logs"),
        )
        for add, path in adders:
            add(_Service(self, path), self._server)
        self.endpoint = f"http://127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()

    def close(self) -> None:
        """Stop accepting."""
        self.released.set()
        self._server.stop(0).wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Service:
    def __init__(self, owner: GrpcReceiver, path: str) -> None:
        self._owner = owner
        _, self._name, self._response = _KINDS[path]

    def Export(self, request: Any, context: Any) -> Any:
        owner, mode = self._owner, self._owner.mode
        owner.requests += 1
        if mode == "hang":
            owner.released.wait(60)
        if mode not in ("ok", "slow", "partial"):
            context.abort(getattr(grpc.StatusCode, mode.upper(), grpc.StatusCode.UNAVAILABLE), "as the test wants it")
        if mode == "slow":
            time.sleep(0.2)
        resources = list(getattr(request, self._name))
        answer = _without_first(resources, self._response) if mode == "partial" else self._response()
        getattr(owner, _LISTS[self._name]).extend(resources)
        return answer


def _respond(handler: BaseHTTPRequestHandler, status: int, body: bytes, headers: Mapping[str, str] = {}) -> None:
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def _without_first(resources: list[Any], response: Any) -> Any:
    """Take the first item of a request away, and return the answer that says so."""
    for scopes, items in (("scope_spans", "spans"), ("scope_metrics", "metrics"), ("scope_logs", "log_records")):
        if hasattr(resources[0], scopes):
            del getattr(getattr(resources[0], scopes)[0], items)[0]
    answer = response()
    partial = answer.partial_success
    setattr(partial, next(field.name for field in partial.DESCRIPTOR.fields if field.name.startswith("rejected")), 1)
    partial.error_message = "one too many"
    return answer


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

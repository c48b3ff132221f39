"""The log pipeline under test: a real Collector with `agent.yaml`, files, TCP and OTLP in, a real Elasticsearch out."""

from __future__ import annotations

import json
import socket
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timezone
from http.client import HTTPException
from pathlib import Path
from typing import Any, Final

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from otel_distro.analyzer.elastic_template import templates
from otel_distro.logs.fields import is_flat
from tests.full_disk import SmallDisk
from tests.processes import ROOT
from tests.services.collector import Collector
from tests.services.elasticsearch import Elasticsearch
from tests.services.elasticsearch_client import Document
from tests.support import request, wait_until

AGENT: Final = ROOT / "collector-config" / "agent.yaml"
# Without it a receiver answers for up to 100 lines that are in no queue yet; docs/pipeline.md says when that matters.
SYNCHRONOUS: Final = "--feature-gates=stanza.synchronousLogEmitter"


class Agent(Collector):
    """A Collector with `agent.yaml`, or with `configs`, whose documents go to indices of its own."""

    def __init__(
        self,
        binary: Path,
        elasticsearch: Elasticsearch,
        folder: Path,
        env: Mapping[str, str] | None = None,
        configs: Sequence[Path | str] = (AGENT,),
        disk: SmallDisk | None = None,
    ) -> None:
        """Prepare it; log files are `logs/*` in `folder`, and it runs where `disk` is."""
        self._disk = disk
        self.prefix = f"python-app-{uuid.uuid4().hex[:8]}"
        self.elasticsearch = elasticsearch
        self.logs = folder / "logs"
        self.logs.mkdir(parents=True, exist_ok=True)
        super().__init__(
            binary,
            configs,
            folder,
            {
                "LOG_GLOB": str(self.logs / "*.log*"),
                "ELASTICSEARCH_URL": elasticsearch.url,
                "INDEX_PREFIX": self.prefix,
                "DEBUG_VERBOSITY": "basic",
                **(env or {}),
            },
        )

    def command(self) -> Sequence[str | Path]:
        """Return the command with the receivers' batches off."""
        command = [*super().command(), SYNCHRONOUS]
        return self._disk.inside(command) if self._disk else command

    @property
    def indices(self) -> str:
        """The pattern of its indices."""
        return f"{self.prefix}-*"

    def write(self, *lines: str | bytes, name: str = "app.log") -> None:
        """Append lines to a log file, each with its end."""
        with (self.logs / name).open("ab") as file:
            for line in lines:
                file.write((line if isinstance(line, bytes) else line.encode()) + b"\n")

    def tcp(self, *lines: str | bytes) -> bool:
        """Send lines and return whether they were acknowledged: whether the Collector closed in its turn.

        It closes after the last line is in its queue.
        """
        host, port = self.env["TCP_ENDPOINT"].rsplit(":", 1)
        with suppress(OSError), socket.create_connection((host, int(port)), timeout=60) as connection:
            for line in lines:
                connection.sendall((line if isinstance(line, bytes) else line.encode()) + b"\n")
            connection.shutdown(socket.SHUT_WR)
            return connection.recv(1) == b""
        return False

    def tcp_until_known(self, *lines: str | bytes) -> bool:
        """Send lines and return whether they are known to be stored, as docs/pipeline.md says under TCP.

        A Collector that is killed closes a connection like one that acknowledges; but it is another one after that.
        """
        life = self._up_since()
        return life is not None and self.tcp(*lines) and self._up_since() == life

    def _up_since(self) -> str | None:
        """Return since when the Collector runs, as its health check says; None while it does not."""
        with suppress(OSError, HTTPException):
            answer = request(f"http://{self.env['HEALTH_ENDPOINT']}/", seconds=60)
            return str(json.loads(answer.body)["upSince"]) if answer.status == 200 else None
        return None

    def otlp(self, *documents: Mapping[str, Any], resource: Mapping[str, Any] | None = None) -> bool:
        """Export documents as records and return whether that was acknowledged."""
        return self.export(export_request(documents, resource or {}))

    def export(self, logs: ExportLogsServiceRequest) -> bool:
        """Export records as they are and return whether that was acknowledged."""
        body = logs.SerializeToString()
        url = f"{self.otlp_http}/v1/logs"
        with suppress(OSError):
            headers = {"Content-Type": "application/x-protobuf"}
            return request(url, method="POST", body=body, headers=headers, seconds=60).status == 200
        return False

    def stored(self) -> list[Document]:
        """Return all documents that Elasticsearch has of it."""
        return self.elasticsearch.documents(self.indices)

    def wait_for(self, number: int, timeout: float = 60.0) -> list[Document]:
        """Wait until Elasticsearch has so many of its documents, and return them."""
        found = wait_until(
            lambda: self.elasticsearch.count(self.indices) >= number,
            timeout,
            what=lambda: f"{number} documents; there are {self.elasticsearch.count(self.indices)}\n{self.log[-3000:]}",
            every=0.2,
        )
        assert found
        return self.stored()


def install_templates(elasticsearch: Elasticsearch) -> None:
    """Install what `otel-distro elasticsearch setup` installs."""
    for name, template in templates(replicas=0).items():
        elasticsearch.request("PUT", f"/_index_template/{name}", template)


def line(**fields: Any) -> str:
    """Return fields as a line of JSON, as the package writes it."""
    text = json.dumps(fields, ensure_ascii=False, separators=(",", ":"))
    return "{ " + text[1:] if is_flat(fields) else text


def export_request(documents: Sequence[Mapping[str, Any]], resource: Mapping[str, Any]) -> ExportLogsServiceRequest:
    """Return the export that our handler would make of these log documents."""
    records = [_record(document) for document in documents]
    logs = ResourceLogs(resource=Resource(attributes=pairs(resource)), scope_logs=[ScopeLogs(log_records=records)])
    return ExportLogsServiceRequest(resource_logs=[logs])


def _record(document: Mapping[str, Any]) -> LogRecord:
    attributes = dict(document)
    nanoseconds = _nanoseconds(attributes.pop("timestamp", None))
    level = attributes.pop("level", "")
    numbers = {"DEBUG": 5, "INFO": 9, "WARNING": 13, "ERROR": 17, "CRITICAL": 21}
    return LogRecord(
        time_unix_nano=nanoseconds,
        observed_time_unix_nano=nanoseconds,
        severity_text=level,
        severity_number=numbers.get(level, 0),  # type: ignore[arg-type]
        body=_value(attributes.pop("message", "")),
        trace_id=bytes.fromhex(attributes.pop("trace_id", "")),
        span_id=bytes.fromhex(attributes.pop("span_id", "")),
        attributes=pairs(attributes),
    )


def _nanoseconds(timestamp: str | None) -> int:
    if timestamp is None:
        return 0
    moment = datetime.strptime(timestamp, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc)
    epoch = datetime(1970, 1, 1, tzinfo=timezone.utc)
    microseconds = (moment - epoch) // (moment.resolution)
    return microseconds * 1000


def pairs(fields: Mapping[str, Any]) -> list[KeyValue]:
    """Return fields as attributes."""
    return [KeyValue(key=key, value=_value(value)) for key, value in fields.items()]


def _value(value: Any) -> AnyValue:
    if value is None:
        return AnyValue()
    if isinstance(value, Mapping):
        return AnyValue(kvlist_value=KeyValueList(values=pairs(value)))
    if isinstance(value, (list, tuple)):
        return AnyValue(array_value=ArrayValue(values=[_value(item) for item in value]))
    scalars = {bool: "bool_value", int: "int_value", float: "double_value", bytes: "bytes_value"}
    return AnyValue(**{scalars.get(type(value), "string_value"): value})

"""A log record by OTLP, put together again as a Collector does, is the document that its line in the file holds."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as HttpExporter
from opentelemetry.sdk._logs import LoggerProvider, ReadableLogRecord
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, use_span

from otel_distro import otlp_logs
from otel_distro.delivery.outbox import Batching, LogOutbox, Outbox
from otel_distro.delivery.sender import Sender
from otel_distro.logs.capture import PRIVATE, CapturingFactory
from otel_distro.logs.document import Documents
from otel_distro.logs.handlers import JsonFileHandler
from otel_distro.logs.json import JsonFormatter
from otel_distro.logs.otlp_handler import OtlpHandler
from otel_distro.redaction import Redactor
from otel_distro.settings import Settings, environment_defaults
from tests.otlp import GrpcReceiver, Receiver, documents

LIMIT = 4096
NAMED = Resource.create({"service.name": "shop", "deployment.environment.name": "prod"})
Log = Callable[..., logging.LogRecord]


def processor_of(exporter: HttpExporter | GrpcExporter, queue: str) -> Any:
    """Return what queues records for the exporter: ours, as in a process that we set up, or the SDK's."""
    if queue == "sdk":
        return BatchLogRecordProcessor(exporter, schedule_delay_millis=600_000)
    if isinstance(exporter, HttpExporter):
        otlp_logs.install(exporter)
    form_of = None if otlp_logs.encodes(exporter) else otlp_logs.readable
    box = Outbox("test", Sender("logs", exporter), Batching(600, 512, 4096), otlp_logs.size_of, 3.0, form_of)
    return LogOutbox(box, ReadableLogRecord)


class Ways:
    """One logger with both ways out: a file, and a real receiver behind the SDK's exporter."""

    def __init__(self, receiver: Any, processor: Any, path: Path, resource: Resource, maker: Documents) -> None:
        self.receiver = receiver
        self.path = path
        path.touch()
        self.provider = LoggerProvider(resource=resource, shutdown_on_exit=False)
        self.provider.add_log_record_processor(processor)
        self.sinks = (JsonFileHandler(path, JsonFormatter(maker)), OtlpHandler(self.provider, maker))

    def handle(self, *records: logging.LogRecord) -> None:
        for record in records:
            for sink in self.sinks:
                sink.handle(record)

    def both(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Return the documents of the file and of the receiver since the last call."""
        self.provider.force_flush()
        received = sorted(documents(self.receiver.logs), key=lambda document: document["log_id"])
        self.receiver.logs.clear()
        lines = [json.loads(line) for line in self.path.read_bytes().splitlines()]
        self.path.write_bytes(b"")
        assert all(sink.dropped == 0 for sink in self.sinks)
        return sorted(lines, key=lambda document: document["log_id"]), received


@pytest.fixture(autouse=True)
def _setting(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in environment_defaults({}).items():
        monkeypatch.setenv(name, value)
    factory = CapturingFactory()
    factory.install()
    yield
    factory.remove()


@pytest.fixture(params=[f"{protocol} {queue}" for protocol in ("http/protobuf", "grpc") for queue in ("ours", "sdk")])
def make_ways(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[..., Ways]]:
    protocol, queue = request.param.split()
    with GrpcReceiver() if protocol == "grpc" else Receiver() as receiver:
        made: list[Ways] = []

        def make(resource: Resource = NAMED, maker: Documents | None = None) -> Ways:
            exporter: Any = (
                GrpcExporter(receiver.endpoint) if protocol == "grpc" else HttpExporter(f"{receiver.endpoint}/v1/logs")
            )
            maker = maker or Documents("shop", "prod", Redactor(), LIMIT)
            made.append(Ways(receiver, processor_of(exporter, queue), tmp_path / "x.log", resource, maker))
            return made[-1]

        yield make
        for ways in made:
            ways.provider.shutdown()


KEYS = (
    st.text(max_size=8)
    | st.sampled_from([
        "message", "level", "timestamp", "@timestamp", "trace_id", "span_id", "logger", "log_id", "tags", "service",
        "environment", "request_id", "user_id", "error_type", "extra_level", "body", "elasticsearch.index", "a.b", "a",
    ])
    | st.characters(categories=["Cs"])
)  # fmt: skip
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.integers(-(2**64), 2**64) | st.floats() | st.text() | st.binary()
    | st.decimals() | st.uuids() | st.datetimes() | st.characters(categories=["Cs"]) | st.just({}) | st.just([]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS | st.integers(), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip
OWN = st.fixed_dictionaries(
    {},
    optional={
        "created": st.floats() | st.integers(-(2**70), 2**70) | st.floats(0, 5e9) | st.text(),
        "levelname": st.text(max_size=3) | st.none() | st.integers(),
        "name": st.text(max_size=5) | st.none() | st.integers(),
        "module": st.text(max_size=3) | st.none() | st.floats(),
        "funcName": st.text(max_size=3) | st.none() | st.integers(),
        "lineno": st.integers(-(2**70), 2**70) | st.none() | st.floats() | st.text(max_size=3),
        "levelno": st.integers(-100, 100),
        "stack_info": st.none() | st.text(max_size=5),
    },
)
SPANS = st.builds(
    lambda trace_id, span_id: NonRecordingSpan(SpanContext(trace_id, span_id, False, TraceFlags(1))),
    st.integers(0, 2**128 - 1) | st.just(0),
    st.integers(0, 2**64 - 1) | st.just(0),
)


def record_of(message: Any, args: tuple[Any, ...], extra: dict[str, Any], own: dict[str, Any]) -> logging.LogRecord:
    """Return a record as the logger makes it, with attributes that an application has put into it by hand."""
    record = logging.getLogger("shop").makeRecord("shop", 20, "/srv/app.py", 3, message, args, None, "place")
    kept = record.__dict__[PRIVATE]
    record.__dict__.update({key: value for key, value in extra.items() if key not in record.__dict__})
    record.__dict__.update(own)
    record.__dict__[PRIVATE] = kept
    return record


def test_whatever_a_record_holds_both_ways_lead_to_one_document(make_ways: Callable[..., Ways]) -> None:
    ways = make_ways()
    seen = 0

    @settings(max_examples=60, suppress_health_check=list(HealthCheck), deadline=None)
    @given(
        st.lists(
            st.tuples(st.text(), st.lists(VALUES, max_size=2), st.dictionaries(KEYS, VALUES, max_size=6), OWN, SPANS),
            max_size=8,
        )
    )
    def same(records: list[Any]) -> None:
        nonlocal seen
        for message, args, extra, own, span in records:
            with use_span(span):
                record = record_of(message, tuple(args), extra, own)
            ways.handle(record)
        lines, received = ways.both()
        assert received == lines
        assert kinds(received) == kinds(lines)
        assert len(lines) == len(records)
        seen += len(lines)

    same()
    assert seen > 60


def test_kinds_of_values_stay_what_they_are(make_ways: Callable[..., Ways]) -> None:
    ways = make_ways()
    extra: dict[str, Any] = {
        "int": 1, "float": 1.0, "true": True, "none": None, "nan": float("nan"), "big": 2**63, "least": -(2**63),
        "empty": {}, "list": [], "nested": {"a": [1, 1.0, None, {"": {"": 2}}]}, "text": "1",
    }  # fmt: skip
    ways.handle(record_of("hello", (), extra, {}))
    lines, received = ways.both()
    assert [list(map(kinds, documents)) for documents in (lines, received)] == [[kinds(lines[0])]] * 2
    assert received == lines
    assert lines[0]["nested"] == {"a": [1, 1.0, None, {"_": {"_": 2}}]}


def kinds(value: Any) -> Any:
    """Return the types in a value: `==` takes 1, 1.0 and True for the same."""
    if isinstance(value, dict):
        return {key: kinds(item) for key, item in value.items()}
    return [kinds(item) for item in value] if isinstance(value, list) else type(value)


def test_more_extras_than_the_sdk_allows_and_texts_that_are_cut_are_the_same(make_ways: Callable[..., Ways]) -> None:
    ways = make_ways()
    long = {f"text{number}": "é\n" * 4000 for number in range(3)}
    ways.handle(
        record_of("hello", (), {f"e{number}": number for number in range(250)}, {}),
        record_of("x" * 100_000, (), long, {}),
        record_of("hello", (), {"deep": json.loads('{"a":[' * 40 + "1" + "]}" * 40)}, {}),
    )
    lines, received = ways.both()
    assert received == lines
    assert max(map(len, lines)) > 250  # the SDK's own limit is 128
    assert "characters cut]" in json.dumps(lines)


def test_what_has_no_name_is_not_named_by_the_resource(make_ways: Callable[..., Ways]) -> None:
    ways = make_ways(Resource.create({}), Documents.from_settings(Settings.from_environ({})))
    ways.handle(record_of("hello", (), {}, {}), record_of("hello", (), {"service": "other"}, {"name": "root"}))
    lines, received = ways.both()
    assert received == lines
    assert sorted(document.get("service", "") for document in lines) == ["", "other"]


def test_names_of_loggers_without_end_do_not_fill_the_memory(make_ways: Callable[..., Ways]) -> None:
    ways = make_ways()
    for start in range(0, 2000, 400):
        ways.handle(*(record_of("hello", (), {}, {"name": f"logger{start + number}"}) for number in range(400)))
        lines, received = ways.both()
        assert received == lines
    assert len(ways.provider._logger_cache) <= 1025


def test_a_record_that_is_handed_over_within_another_span_has_none(make_ways: Callable[..., Ways]) -> None:
    ways = make_ways()
    record = record_of("hello", (), {}, {})
    with use_span(NonRecordingSpan(SpanContext(1, 2, False, TraceFlags(1)))):
        ways.handle(record)
    lines, received = ways.both()
    assert received == lines
    assert "trace_id" not in lines[0]

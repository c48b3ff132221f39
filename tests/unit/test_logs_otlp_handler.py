"""Records handed to a logger provider are the document, and nothing that is broken there harms the application."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry._logs import NoOpLoggerProvider
from opentelemetry.context import attach, detach
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

from otel_distro.logs.capture import capture_of
from otel_distro.logs.document import Documents
from otel_distro.logs.entry import severity_of
from otel_distro.logs.handlers import JsonFileHandler
from otel_distro.logs.json import JsonFormatter
from otel_distro.logs.otlp_handler import OtlpHandler
from otel_distro.redaction import Redactor

DOCUMENTS = Documents("shop", "prod", Redactor())


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    made = logging.getLogger("test.otlp")
    made.propagate = False
    made.setLevel(logging.DEBUG)
    yield made
    made.handlers.clear()
    made.propagate = True
    made.setLevel(logging.NOTSET)


class Exported:
    """A real SDK provider that keeps what it exports."""

    def __init__(self) -> None:
        self._exporter: Any = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]
        self.provider = LoggerProvider()
        self.provider.add_log_record_processor(SimpleLogRecordProcessor(self._exporter))

    @property
    def records(self) -> list[Any]:
        return [each.log_record for each in self._exporter.get_finished_logs()]


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_the_exporter_gets_the_document(logger: logging.Logger) -> None:
    exported = Exported()
    logger.addHandler(OtlpHandler(exported.provider, DOCUMENTS))
    span = NonRecordingSpan(SpanContext(0x123, 0x456, False, TraceFlags(1)))
    token = attach(set_span_in_context(span))
    try:
        raise ValueError("wrong")
    except ValueError:
        logger.exception("failed %s", "here", extra={"user_id": "5", "nested": {"a": [1, None]}, "nothing": None})
    finally:
        detach(token)
    [record] = exported.records
    assert (record.body, record.severity_text, record.severity_number.value) == ("failed here", "ERROR", 17)
    assert (record.trace_id, record.span_id, int(record.trace_flags)) == (0x123, 0x456, 1)
    attributes = dict(record.attributes)
    assert (attributes["logger"], attributes["module"]) == ("test.otlp", "test_logs_otlp_handler")
    assert (attributes["user_id"], attributes["service"], attributes["environment"]) == ("5", "shop", "prod")
    assert (attributes["error_type"], attributes["error_message"]) == ("ValueError", "wrong")
    assert "Traceback" in attributes["exc_info"]
    assert attributes["nested"] == {"a": (1, None)}
    assert len(attributes["log_id"]) == 32
    assert attributes["nothing"] is None
    assert not {"timestamp", "level", "message", "trace_id", "span_id"} & set(attributes)


def test_file_and_exporter_have_one_log_id_and_one_timestamp(logger: logging.Logger, tmp_path: Path) -> None:
    exported = Exported()
    logger.addHandler(OtlpHandler(exported.provider, DOCUMENTS))
    logger.addHandler(JsonFileHandler(tmp_path / "x.log", JsonFormatter(DOCUMENTS)))
    for _ in range(100):
        logger.info("hello")
    for line, record in zip(lines(tmp_path / "x.log"), exported.records, strict=True):
        assert line["log_id"] == record.attributes["log_id"]
        assert line["timestamp"].endswith(f"{record.timestamp // 1000 % 1_000_000:06d}Z")
        assert record.timestamp % 1000 == 0


def test_a_record_outside_of_a_span_has_no_trace(logger: logging.Logger) -> None:
    exported = Exported()
    logger.addHandler(OtlpHandler(exported.provider, DOCUMENTS))
    logger.info("hello")
    assert not exported.records[0].trace_id


def test_a_record_keeps_its_span_when_it_is_handed_over_elsewhere(logger: logging.Logger) -> None:
    exported = Exported()
    token = attach(set_span_in_context(NonRecordingSpan(SpanContext(0x123, 0x456, False, TraceFlags(1)))))
    record = logger.makeRecord("a", 20, "a.py", 1, "m", (), None)
    capture_of(record)
    detach(token)
    OtlpHandler(exported.provider, DOCUMENTS).handle(record)
    assert (exported.records[0].trace_id, exported.records[0].span_id) == (0x123, 0x456)


def test_what_exporting_logs_is_not_exported(logger: logging.Logger) -> None:
    exported = Exported()
    handler = OtlpHandler(exported.provider, DOCUMENTS)
    logger.addHandler(handler)
    with suppress_instrumentation():
        logger.info("connection pool")
    handler.handle(
        logging.getLogger("opentelemetry.exporter").makeRecord("opentelemetry.exporter", 40, "", 1, "m", (), None)
    )
    assert exported.records == []
    logger.info("hello")
    assert len(exported.records) == 1


def test_a_long_record_is_cut_for_the_exporter_too(logger: logging.Logger) -> None:
    exported = Exported()
    logger.addHandler(OtlpHandler(exported.provider, Documents(limit=4096)))
    logger.info("x" * 100_000, extra={"more": ["y" * 100_000] * 3})
    [record] = exported.records
    assert len(record.body) + sum(map(len, record.attributes["more"])) < 4096


class BrokenProvider:
    def get_logger(self, name: str) -> Any:
        raise RuntimeError(name)


def test_a_broken_provider_costs_records_only(logger: logging.Logger) -> None:
    handler = OtlpHandler(BrokenProvider(), DOCUMENTS)
    logger.addHandler(handler)
    logger.info("hello")
    assert handler.dropped == 1
    OtlpHandler(NoOpLoggerProvider(), DOCUMENTS).handle(logger.makeRecord("a", 20, "", 1, "m", (), None))


@pytest.mark.parametrize(
    ("level", "severity"),
    [(0, 0), (-5, 0), (5, 4), (10, 5), (15, 8), (20, 9), (25, 12), (30, 13), (40, 17), (50, 21), (55, 24), (1000, 24)],
)
def test_levels_become_severities(level: int, severity: int) -> None:
    assert severity_of(level) == severity

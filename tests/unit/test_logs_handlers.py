"""The three ways out: file, console, exporter; none of them raises, whatever is broken."""

from __future__ import annotations

import io
import json
import logging
import sys
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
from otel_distro.logs.handlers import ConsoleHandler, JsonFileHandler, OtlpHandler
from otel_distro.logs.json import JsonFormatter, TextFormatter
from otel_distro.redaction import Redactor

DOCUMENTS = Documents("shop", "prod", Redactor())


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    made = logging.getLogger("test.handlers")
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


def test_the_file_gets_one_line_a_record(logger: logging.Logger, tmp_path: Path) -> None:
    logger.addHandler(JsonFileHandler(tmp_path / "x.log", JsonFormatter(DOCUMENTS), logging.INFO))
    logger.debug("not this")
    logger.info("one\ntwo")
    assert [line["message"] for line in lines(tmp_path / "x.log")] == ["one\ntwo"]


def test_filters_of_the_file_handler_count(logger: logging.Logger, tmp_path: Path) -> None:
    handler = JsonFileHandler(tmp_path / "x.log")
    handler.addFilter(lambda record: record.msg != "no")
    logger.addHandler(handler)
    logger.info("no")
    logger.info("yes")
    assert [line["message"] for line in lines(tmp_path / "x.log")] == ["yes"]


def test_a_file_handler_goes_on_after_logging_shutdown(logger: logging.Logger, tmp_path: Path) -> None:
    handler = JsonFileHandler(tmp_path / "x.log")
    logger.addHandler(handler)
    logger.info("one")
    handler.close()
    logger.info("two")
    assert len(lines(tmp_path / "x.log")) == 2


def test_a_full_disk_warns_once_and_counts(
    logger: logging.Logger, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    handler = JsonFileHandler("/dev/full")
    logger.addHandler(handler)
    for _ in range(3):
        logger.info("one")
    assert handler.dropped == 3
    warnings = [record.getMessage() for record in caplog.records if record.name == "otel_distro"]
    assert len(warnings) == 1
    assert "/dev/full" in warnings[0]


def test_the_warning_of_a_failing_file_may_come_back_to_it(caplog: pytest.LogCaptureFixture) -> None:
    handler = JsonFileHandler("/dev/full")
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        root.error("one")
    finally:
        root.removeHandler(handler)
    assert len(caplog.records) == 2
    assert handler.dropped == 2


def test_an_unusable_path_is_warned_of_when_it_is_opened(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    JsonFileHandler(tmp_path).open()
    assert "Is a directory" in caplog.text


class Stream(io.StringIO):
    def __init__(self) -> None:
        super().__init__()
        self.writes: list[str] = []

    def write(self, text: str) -> int:
        self.writes.append(text)
        return super().write(text)


def test_the_console_gets_a_line_by_one_write(logger: logging.Logger, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Stream()
    logger.addHandler(ConsoleHandler(JsonFormatter(DOCUMENTS)))
    monkeypatch.setattr(sys, "stdout", stream)
    logger.info("hello")
    assert len(stream.writes) == 1
    assert stream.writes[0].endswith("}\n")


class Broken(io.StringIO):
    def write(self, text: str) -> int:
        raise BrokenPipeError(text)


@pytest.mark.parametrize("stream", [None, Broken()], ids=["absent", "broken"])
def test_a_console_that_is_gone_costs_lines_only(
    stream: Any, logger: logging.Logger, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    handler = ConsoleHandler(JsonFormatter(DOCUMENTS))
    logger.addHandler(handler)
    monkeypatch.setattr(sys, "stdout", stream)
    logger.info("hello")
    handler.flush()
    monkeypatch.undo()
    assert handler.dropped == 1
    assert capfd.readouterr().err == ""


def test_a_console_that_was_closed_costs_lines_only(logger: logging.Logger, monkeypatch: pytest.MonkeyPatch) -> None:
    handler = ConsoleHandler(TextFormatter(DOCUMENTS))
    logger.addHandler(handler)
    stream = io.StringIO()
    stream.close()
    monkeypatch.setattr(sys, "stdout", stream)
    logger.info("hello")
    assert handler.dropped == 1


@pytest.mark.parametrize("formatter", [JsonFormatter(DOCUMENTS), TextFormatter(DOCUMENTS)], ids=["json", "text"])
def test_a_console_without_the_characters_gets_escapes(
    formatter: Any, logger: logging.Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii", write_through=True))
    logger.addHandler(ConsoleHandler(formatter))
    logger.info("é")
    assert b"\\u00e9" in raw.getvalue() or b"\\xe9" in raw.getvalue()
    assert raw.getvalue().count(b"\n") == 1


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
    assert (attributes["logger"], attributes["module"]) == ("test.handlers", "test_logs_handlers")
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

"""The file and the console: neither raises, whatever is broken."""

from __future__ import annotations

import io
import json
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from otel_distro.logs.document import Documents
from otel_distro.logs.handlers import ConsoleHandler, JsonFileHandler
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
    opened = handler._file._descriptor
    handler.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(opened)
    logger.info("two")
    assert len(lines(tmp_path / "x.log")) == 2


def test_a_record_of_which_no_line_can_be_made_is_counted(logger: logging.Logger, tmp_path: Path) -> None:
    class Gone(JsonFormatter):
        def line(self, record: logging.LogRecord) -> bytes:
            raise TypeError("'NoneType' object is not callable")  # as at the interpreter's end

    handler = JsonFileHandler(tmp_path / "x.log", Gone(DOCUMENTS))
    logger.addHandler(handler)
    logger.info("one")
    assert handler.dropped == 1


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

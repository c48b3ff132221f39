"""A call and the variables set up the same logs; nothing asked, nothing touched; wrong wishes are one warning."""

from __future__ import annotations

import json
import logging
import logging.handlers
import pickle
import queue
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor

from otel_distro.logs.setup import configure_logging, dropped_lines, reset_logging, setup_logging
from otel_distro.settings import Settings


@pytest.fixture(autouse=True)
def root(monkeypatch: pytest.MonkeyPatch) -> Iterator[logging.Logger]:
    """The root logger as a fresh process has it, and no variables."""
    for name in ("OTEL_DISTRO_LOG_FILE", "OTEL_DISTRO_LOG_FORMAT", "OTEL_DISTRO_LOG_LEVEL", "OTEL_SERVICE_NAME"):
        monkeypatch.delenv(name, raising=False)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers[:] = []
    root.setLevel(logging.WARNING)
    yield root
    reset_logging()
    root.handlers[:] = handlers
    root.setLevel(level)


def settings(**variables: str) -> Settings:
    return Settings.from_environ({f"OTEL_DISTRO_{name}": value for name, value in variables.items()})


def read(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def exporting() -> tuple[Any, Any]:
    exporter: Any = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]
    provider = LoggerProvider()
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    return provider, exporter


def test_the_sample_programs_use_gives_the_documents(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    logger = setup_logging(log_file=tmp_path / "app.log")
    logger.info("Application started")
    try:
        1 / 0  # noqa: B018 -- the sample's error
    except ZeroDivisionError:
        logger.error("Something failed", exc_info=True)  # noqa: G201 -- the sample's way
    logger.info("User logged in", extra={"user_id": "12345"})
    documents = read((tmp_path / "app.log").read_text())
    assert logger is logging.getLogger()
    assert read(capsys.readouterr().out) == documents
    assert [(each["level"], each["message"]) for each in documents] == [
        ("INFO", "Application started"),
        ("ERROR", "Something failed"),
        ("INFO", "User logged in"),
    ]
    assert (documents[1]["error_type"], documents[1]["error_message"]) == ("ZeroDivisionError", "division by zero")
    assert "1 / 0" in documents[1]["exc_info"]
    assert documents[2]["user_id"] == "12345"
    assert "user_id" not in documents[0]
    assert {each["function"] for each in documents} == {"test_the_sample_programs_use_gives_the_documents"}
    assert len({each["log_id"] for each in documents}) == 3


def test_calling_it_twice_doubles_nothing(
    tmp_path: Path, root: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    other = logging.NullHandler()
    root.handlers[:] = [other]  # pytest has put its own there meanwhile
    setup_logging(log_file=tmp_path / "one.log")
    logger = setup_logging(log_file=tmp_path / "two.log")
    logger.info("hello")
    assert len(capsys.readouterr().out.splitlines()) == 1
    assert (tmp_path / "one.log").read_text() == ""
    assert len((tmp_path / "two.log").read_text().splitlines()) == 1
    assert other in root.handlers
    assert len(root.handlers) == 2


class Colouring(logging.Formatter):
    """Colours the level as the recipes for it do: in the record, which all handlers share."""

    def format(self, record: logging.LogRecord) -> str:
        record.levelname = f"\x1b[31m{record.levelname}\x1b[0m"
        return super().format(record)


@pytest.mark.parametrize("ours", [("file",), ("console",), ("otlp",), ("console", "file", "otlp")], ids="-".join)
def test_a_formatter_of_the_application_that_colours_the_level_colours_it_for_itself_alone(
    ours: tuple[str, ...], tmp_path: Path, root: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(Colouring("%(levelname)s %(message)s"))
    root.handlers[:] = [handler]
    provider, exporter = exporting()
    variables = {"LOG_FORMAT": "json"} if "console" in ours else {}
    variables |= {"LOG_FILE": str(tmp_path / "app.log")} if "file" in ours else {}
    configure_logging(settings(**variables), provider if "otlp" in ours else None)
    logging.getLogger("shop").error("no %s", {"a": 1})
    try:
        1 / 0  # noqa: B018 -- an error
    except ZeroDivisionError:
        logging.getLogger("shop").exception("no")
    shown = capsys.readouterr()
    assert shown.err.startswith("\x1b[31mERROR\x1b[0m no {'a': 1}\n")
    levels = [document["level"] for document in read(shown.out)]
    if "file" in ours:
        levels += [document["level"] for document in read((tmp_path / "app.log").read_text())]
    levels += [found.log_record.severity_text for found in exporter.get_finished_logs()]
    assert levels == ["ERROR"] * 2 * len(ours)


def test_a_record_of_a_process_that_has_the_console_alone_is_in_the_file_of_another(
    tmp_path: Path, root: logging.Logger
) -> None:
    sent = queue.SimpleQueue[logging.LogRecord]()
    configure_logging(settings(LOG_FORMAT="json"))
    root.addHandler(logging.handlers.QueueHandler(sent))
    logging.getLogger("w").error("hello")
    record = pickle.loads(pickle.dumps(sent.get()))  # noqa: S301 -- our own
    reset_logging()
    configure_logging(settings(LOG_FILE=str(tmp_path / "app.log")))
    logging.getLogger(record.name).handle(record)
    [document] = read((tmp_path / "app.log").read_text())
    assert (document["level"], document["message"]) == ("ERROR", "hello")


def test_a_second_call_without_a_file_keeps_the_file(tmp_path: Path) -> None:
    setup_logging(log_file=tmp_path / "one.log")
    setup_logging(logging.DEBUG).debug("hello")
    assert len(read((tmp_path / "one.log").read_text())) == 1


@pytest.mark.parametrize("level", [logging.DEBUG, "debug", "DEBUG", "10", " Debug "])
def test_levels_are_numbers_or_names(level: int | str, capsys: pytest.CaptureFixture[str]) -> None:
    logger = setup_logging(level)
    assert logger.level == logging.DEBUG
    logger.debug("hello")
    assert len(capsys.readouterr().out.splitlines()) == 1


@pytest.mark.parametrize("level", ["loud", "", None, -1, True, 1.5, object(), "9" * 5000])
def test_a_wrong_level_is_one_warning_and_info(level: Any, capsys: pytest.CaptureFixture[str]) -> None:
    logger = setup_logging(level)
    assert logger.level == logging.INFO
    [document] = read(capsys.readouterr().out)
    assert (document["level"], document["logger"]) == ("WARNING", "otel_distro")
    assert "log_level" in document["message"]


@pytest.mark.parametrize(
    "file",
    ["/proc/none/x.log", "/dev/full/x", "/tmp", "a\0b", 12, pytest.param(object(), id="an object")],  # noqa: S108
    ids=str,
)
def test_a_wrong_file_is_one_warning_and_the_console_goes_on(file: Any, capsys: pytest.CaptureFixture[str]) -> None:
    logger = setup_logging(log_file=file)
    logger.info("hello")
    warning, hello = read(capsys.readouterr().out)
    assert (warning["level"], warning["logger"]) == ("WARNING", "otel_distro")
    assert "log file" in warning["message"]
    assert hello["message"] == "hello"


def test_lines_that_are_lost_are_counted() -> None:
    before = dropped_lines()
    logger = setup_logging(log_file="/dev/full")
    logger.info("one")
    assert dropped_lines() == before + 2  # the line and the warning about it
    setup_logging(log_file="/dev/null")
    assert dropped_lines() == before + 2


def test_the_formatter_of_the_variable_applies_to_the_call(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OTEL_DISTRO_LOG_FORMAT", "text")
    setup_logging().info("hello")
    assert capsys.readouterr().out.endswith("INFO root hello\n")


def test_nothing_asked_nothing_touched(root: logging.Logger) -> None:
    before = logging.Logger.callHandlers, logging.getLogRecordFactory(), root.level, root.handlers[:]
    configure_logging(settings())
    assert (logging.Logger.callHandlers, logging.getLogRecordFactory(), root.level, root.handlers) == before
    assert type(root.level) is int


def test_variables_and_call_give_the_same_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def log() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        logging.getLogger("shop").debug("debug")
        logging.getLogger("shop").info("info", extra={"amount": 1})
        logging.getLogger("shop").error("error")
        path = tmp_path / "x.log"
        both = read(path.read_text()), read(capsys.readouterr().out)
        path.unlink()
        for document in (*both[0], *both[1]):
            del document["timestamp"], document["log_id"]
        return both

    configure_logging(settings(LOG_FILE=str(tmp_path / "x.log"), LOG_FORMAT="json"))
    by_variables = log()
    reset_logging()
    setup_logging(log_file=str(tmp_path / "x.log"))
    by_call = log()
    assert by_variables == by_call
    assert [each["message"] for each in by_call[0]] == ["info", "error"]
    assert by_call[0] == by_call[1]


def test_with_a_file_only_the_console_stays_as_it_is(
    tmp_path: Path, root: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    root.handlers.clear()  # pytest has put its own there meanwhile
    configure_logging(settings(LOG_FILE=str(tmp_path / "x.log")))
    assert root.handlers == []
    logging.getLogger("shop").info("info")
    logging.getLogger("shop").warning("warning")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "warning\n")
    assert [each["message"] for each in read((tmp_path / "x.log").read_text())] == ["info", "warning"]


def test_a_call_under_the_variables_adds_the_console_and_keeps_file_and_exporter(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    provider, exporter = exporting()
    configure_logging(settings(LOG_FILE=str(tmp_path / "x.log"), LOG_LEVEL="error"), provider)
    setup_logging(logging.DEBUG).debug("hello")
    [line] = read((tmp_path / "x.log").read_text())
    [shown] = read(capsys.readouterr().out)
    [sent] = exporter.get_finished_logs()
    assert line == shown
    assert sent.log_record.attributes["log_id"] == line["log_id"]


def test_the_level_of_the_variable_is_the_least_that_is_logged(tmp_path: Path, root: logging.Logger) -> None:
    configure_logging(settings(LOG_FILE=str(tmp_path / "x.log"), LOG_LEVEL="error"))
    root.setLevel(logging.DEBUG)
    root.info("info")
    root.error("error")
    assert [each["message"] for each in read((tmp_path / "x.log").read_text())] == ["error"]


def test_configuring_after_a_call_keeps_what_the_call_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    logger = setup_logging(logging.DEBUG)
    configure_logging(settings(LOG_FILE=str(tmp_path / "x.log")))
    logger.debug("hello")
    assert read(capsys.readouterr().out) == read((tmp_path / "x.log").read_text())
    assert logger.level == logging.DEBUG


def test_configuring_after_a_call_keeps_its_level(tmp_path: Path) -> None:
    logger = setup_logging(logging.ERROR)
    configure_logging(settings(LOG_FILE=str(tmp_path / "x.log")))
    logger.warning("hello")
    assert logger.level == logging.ERROR
    assert (tmp_path / "x.log").read_text() == ""


def test_resetting_gives_the_root_logger_its_level_back(tmp_path: Path, root: logging.Logger) -> None:
    configure_logging(settings(LOG_FILE=str(tmp_path / "x.log")))
    assert root.level == logging.INFO
    configure_logging(settings(LOG_FILE=str(tmp_path / "x.log"), LOG_LEVEL="debug"))
    assert root.level == logging.DEBUG
    reset_logging()
    assert root.level == logging.WARNING
    assert type(root.level) is int

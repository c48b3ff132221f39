"""Sinks get each record once whatever handlers there are, and the application's handlers get what they got before."""

from __future__ import annotations

import inspect
import logging
import logging.config
import logging.handlers
import pickle
import queue
from collections.abc import Iterator
from typing import Any

import pytest

from otel_distro.logs.capture import PRIVATE
from otel_distro.logs.tap import OwnLevel, Tap


class Kept(logging.Handler):
    """A handler that keeps the messages it gets."""

    def __init__(self, level: int = logging.NOTSET) -> None:
        super().__init__(level)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    """The root logger as a fresh process has it."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers[:] = []
    root.setLevel(logging.WARNING)
    yield root
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def tap() -> Iterator[Tap]:
    tap = Tap()
    tap.install()
    yield tap
    tap.remove()


@pytest.fixture
def sink(tap: Tap) -> Kept:
    sink = Kept(logging.INFO)
    tap.sinks = (sink,)
    return sink


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    logger = logging.getLogger("test.tap.child")
    yield logger
    for each in (logger, logging.getLogger("test.tap")):
        each.handlers.clear()
        each.filters.clear()
        each.setLevel(logging.NOTSET)
        each.propagate = True
        each.disabled = False


def lower(root: logging.Logger, level: int = logging.INFO) -> None:
    root.setLevel(OwnLevel.of(level, root.level))


def test_the_sink_gets_a_record_once_however_many_handlers_there_are(
    root: logging.Logger, sink: Kept, logger: logging.Logger
) -> None:
    app = Kept()
    for each in (root, logging.getLogger("test.tap"), logger):
        each.addHandler(app)
    logger.warning("one")
    assert app.messages == ["one"] * 3
    assert sink.messages == ["one"]


def test_the_sink_gets_what_does_not_propagate(root: logging.Logger, sink: Kept, logger: logging.Logger) -> None:
    logger.propagate = False
    logger.warning("one")
    assert sink.messages == ["one"]


def test_the_level_of_the_sink_counts(root: logging.Logger, sink: Kept, logger: logging.Logger) -> None:
    logger.setLevel(logging.DEBUG)
    logger.debug("one")
    logger.info("two")
    assert sink.messages == ["two"]


def test_disabled_loggers_filters_and_levels_keep_records_from_the_sink(
    root: logging.Logger, sink: Kept, logger: logging.Logger
) -> None:
    logger.info("below the level")
    logger.addFilter(lambda record: record.msg != "filtered")
    logger.warning("filtered")
    logging.disable(logging.ERROR)
    logger.error("switched off")
    logging.disable(logging.NOTSET)
    logger.disabled = True
    logger.error("disabled")
    assert sink.messages == []


def test_dict_config_takes_nothing_from_the_sink(root: logging.Logger, sink: Kept) -> None:
    logging.config.dictConfig({"version": 1, "disable_existing_loggers": False, "root": {"handlers": []}})
    logging.getLogger("test.tap.child").warning("one")
    logging.basicConfig(force=True, handlers=[logging.NullHandler()])
    logging.getLogger("test.tap.child").warning("two")
    assert sink.messages == ["one", "two"]


def test_our_level_shows_the_application_only_what_it_saw_before(
    root: logging.Logger, sink: Kept, logger: logging.Logger
) -> None:
    app = Kept()
    root.addHandler(app)
    lower(root)
    logger.info("info")
    logger.warning("warning")
    root.info("root info")
    assert app.messages == ["warning"]
    assert sink.messages == ["info", "warning", "root info"]


def test_a_logger_with_a_level_of_its_own_shows_what_it_wants(
    root: logging.Logger, sink: Kept, logger: logging.Logger
) -> None:
    app = Kept()
    root.addHandler(app)
    logging.getLogger("test.tap").setLevel(logging.INFO)
    lower(root)
    logger.info("info")
    assert app.messages == ["info"]


def test_a_level_that_the_application_sets_applies(root: logging.Logger, sink: Kept, logger: logging.Logger) -> None:
    root.handlers.clear()  # pytest has put its own there meanwhile
    app = Kept()
    lower(root)
    logging.basicConfig(level=logging.INFO, handlers=[app])
    logger.info("info")
    assert app.messages == sink.messages == ["info"]
    root.setLevel(logging.ERROR)
    logger.warning("warning")
    assert app.messages == sink.messages == ["info"]


def test_our_own_console_shows_all(root: logging.Logger, tap: Tap, sink: Kept, logger: logging.Logger) -> None:
    console = Kept()
    root.addHandler(console)
    tap.console = console
    lower(root)
    logger.info("one")
    root.removeHandler(console)  # as dictConfig does: the console is the application's again
    app = Kept()
    root.addHandler(app)
    logger.info("two")
    assert (console.messages, app.messages) == (["one"], [])
    assert sink.messages == ["one", "two"]


def test_the_last_resort_speaks_as_before(
    root: logging.Logger, sink: Kept, logger: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    root.handlers.clear()  # pytest has put its own there meanwhile
    lower(root)
    logger.info("info")
    logger.warning("warning")
    assert capsys.readouterr().err == "warning\n"


def test_a_handler_of_the_application_that_raises_takes_nothing_from_the_sink(
    root: logging.Logger, sink: Kept, logger: logging.Logger
) -> None:
    class Raising(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise RuntimeError("handler")

    root.addHandler(Raising())
    with pytest.raises(RuntimeError, match="handler"):
        logger.warning("one")
    assert sink.messages == ["one"]


def test_handlers_that_look_for_the_caller_find_the_application(
    root: logging.Logger, sink: Kept, logger: logging.Logger
) -> None:
    found = []

    class Forwarding(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            # As handlers that hand records on to loguru do.
            frame, depth = inspect.currentframe(), 0
            while frame and (depth == 0 or frame.f_code.co_filename == logging.__file__):
                frame, depth = frame.f_back, depth + 1
            found.append(frame.f_code.co_name if frame else "")

    logger.addHandler(Forwarding())
    logger.warning("one")
    assert found == ["test_handlers_that_look_for_the_caller_find_the_application"]


def test_a_record_that_a_queue_listener_brings_back_is_not_doubled(
    root: logging.Logger, sink: Kept, logger: logging.Logger
) -> None:
    records: queue.Queue[Any] = queue.Queue()
    app = Kept()
    logger.addHandler(logging.handlers.QueueHandler(records))
    root.addHandler(app)
    lower(root)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.info("one")
    logging.getLogger("test.tap").handle(records.get_nowait())
    assert sink.messages == ["one"]
    assert app.messages == ["one"]


def test_a_record_from_another_process_comes_once(root: logging.Logger, sink: Kept, logger: logging.Logger) -> None:
    app = Kept()
    root.addHandler(app)
    lower(root)
    strange = logging.LogRecord("a", logging.INFO, "a.py", 1, "strange", (), None)
    assert PRIVATE not in strange.__dict__
    logger.handle(strange)
    seen = pickle.loads(pickle.dumps(strange))  # noqa: S301 -- made one expression before
    logger.handle(seen)
    received = logging.makeLogRecord({"msg": "received", "levelno": logging.INFO})
    logger.handle(received)
    assert app.messages == ["strange", "strange", "received"]
    assert sink.messages == ["strange", "received"]


def test_warnings_that_are_captured_reach_the_sink(root: logging.Logger, sink: Kept) -> None:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(True)
        try:
            warnings.warn("careful", stacklevel=1)
        finally:
            logging.captureWarnings(False)
    assert len(sink.messages) == 1
    assert "careful" in sink.messages[0]


def test_removing_restores_everything() -> None:
    before = logging.Logger.callHandlers, logging.getLogRecordFactory()
    tap = Tap()
    for _ in range(2):
        tap.install()
        tap.install()
        tap.remove()
        tap.remove()
    assert (logging.Logger.callHandlers, logging.getLogRecordFactory()) == before


def test_wrappers_of_others_around_ours_stay(root: logging.Logger, logger: logging.Logger) -> None:
    before = logging.Logger.callHandlers, logging.getLogRecordFactory()
    tap, sink, seen = Tap(), Kept(), []
    tap.install()
    ours, factory = logging.Logger.callHandlers, logging.getLogRecordFactory()

    def around(self: logging.Logger, record: logging.LogRecord) -> None:
        seen.append(record.getMessage())
        ours(self, record)

    logging.Logger.callHandlers = around  # type: ignore[method-assign]

    def factory_around(*args: Any, **kwargs: Any) -> logging.LogRecord:
        return factory(*args, **kwargs)

    logging.setLogRecordFactory(factory_around)
    try:
        tap.sinks = (sink,)
        logger.warning("one")
        tap.remove()
        logger.warning("two")
        tap.install()
        tap.sinks = (sink,)
        logger.warning("three")
    finally:
        tap.remove()
        logging.Logger.callHandlers, _ = before  # type: ignore[method-assign]
        logging.setLogRecordFactory(before[1])
    assert seen == ["one", "two", "three"]
    assert sink.messages == ["one", "three"]

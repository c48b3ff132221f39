"""The short way of a record past the SDK: taken where the SDK would do no more, and left where it would."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from opentelemetry.sdk._logs import LoggerProvider, LogRecordLimits
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor

from otel_distro.internals.logs import not_suppressed, short_way
from otel_distro.logs.capture import LINE, PIECES, TRACE_ID, capture_of
from otel_distro.logs.document import Documents
from otel_distro.logs.entry import Draft, Entry
from otel_distro.logs.json import JsonFormatter
from otel_distro.logs.otlp_handler import OtlpHandler


class Box:
    """A processor that takes entries, and keeps whatever it is given."""

    def __init__(self) -> None:
        self.got: list[Any] = []
        self.put_entry = self.got.append
        self.on_emit = self.got.append

    def enabled(self, **_: Any) -> bool:
        return True

    def shutdown(self) -> None: ...

    def force_flush(self, timeout_millis: int = 0) -> bool:
        return bool(timeout_millis)


def made(limits: LogRecordLimits | None = None, **arguments: Any) -> tuple[Any, Box, OtlpHandler]:
    provider: Any = LoggerProvider(shutdown_on_exit=False, log_record_limits=limits, **arguments)
    box: Any = Box()
    provider.add_log_record_processor(box)
    return provider, box, OtlpHandler(provider, Documents())


def record(**extras: Any) -> logging.LogRecord:
    return logging.getLogger("shop").makeRecord("shop", 25, "a.py", 1, "m", (), None, extra=extras)


def test_a_record_goes_past_the_sdk_as_it_was_at_that_moment() -> None:
    provider, box, handler = made()
    values = [1]
    handler.handle(record(values=values))
    values.append(2)
    [entry] = box.got
    assert type(entry) is Entry
    assert (entry.document()["values"], entry.severity, entry.capture[TRACE_ID]) == ([1], 12, 0)
    readable = entry.readable()
    assert readable.resource is provider.resource
    assert readable.instrumentation_scope.name == "shop"
    assert readable.log_record.observed_timestamp == entry.observed
    assert not readable.log_record.context


class Changing:
    """A value that an application changes after it has logged it."""

    def __init__(self) -> None:
        self.text = "before"

    def __str__(self) -> str:
        return self.text


def captured(message: Any = "m", *args: Any, **extras: Any) -> logging.LogRecord:
    """Return a record as the factory makes it, with extras as a logger adds them."""
    made = logging.getLogger("shop").makeRecord("shop", 20, "a.py", 1, message, args, None, "f")
    capture_of(made)
    made.__dict__.update(extras)
    return made


def test_an_ordinary_record_becomes_a_line_where_it_is_sent() -> None:
    _, box, handler = made()
    argument = Changing()
    record = captured("order %s", argument, order_id=7)
    expected = JsonFormatter(Documents()).line(record)
    capture_of(record)[LINE] = capture_of(record)[PIECES] = None
    handler.handle(record)
    argument.text = "after"
    record.__dict__.update(msg="after", order_id=8)
    [draft] = box.got
    assert type(draft) is Draft
    entry = draft.entry()
    assert entry.line == expected
    assert b"order before" in entry.line
    assert entry.observed == draft.observed
    assert capture_of(record)[LINE] is None


@pytest.mark.parametrize(
    "record",
    [
        captured("m", values=[1]),
        captured("x" * 5000),
        captured("m", note="x" * 5000),
        captured("%d", "no number"),
        captured("m", exc_text="Traceback"),
        captured(Changing()),
        captured("m", created=-1.0),
        captured("m", _otel_distro=None),
    ],
    ids=["changeable extra", "long", "long extra", "arguments", "exception", "no text", "no moment", "no capture"],
)
def test_every_other_record_becomes_a_line_at_once(record: logging.LogRecord) -> None:
    _, box, handler = made()
    handler.handle(record)
    [entry] = box.got
    assert type(entry) is Entry
    assert entry.line == JsonFormatter(Documents()).line(record)
    assert handler.dropped == 0


def test_a_line_that_another_handler_has_made_is_taken() -> None:
    _, box, handler = made()
    record = captured()
    line = JsonFormatter(Documents()).line(record)
    handler.handle(record)
    [entry] = box.got
    assert entry.line is line


def test_a_processor_that_comes_later_gets_the_sdk_s_record() -> None:
    provider, box, handler = made()
    exporter: Any = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]
    handler.handle(record())
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    handler.handle(record())
    assert [type(each) is Entry for each in box.got] == [True, False]
    assert len(exporter.get_finished_logs()) == 1


@pytest.mark.parametrize(
    "limits", [LogRecordLimits(max_log_record_attribute_length=3), LogRecordLimits(max_log_record_attributes=20)]
)
def test_limits_are_kept_by_the_sdk(limits: LogRecordLimits) -> None:
    _, box, handler = made(limits)
    handler.handle(record(long="12345"))
    assert [type(each) is Entry for each in box.got] == [False]
    assert handler.dropped == 0


def test_a_logger_that_is_off_sends_nothing() -> None:
    def configurator(scope: Any) -> Any:
        from opentelemetry.sdk._logs._internal import _LoggerConfig

        return _LoggerConfig(is_enabled=scope.name != "shop")

    _, box, handler = made(_logger_configurator=configurator)
    handler.handle(record())
    handler.handle(logging.getLogger("other").makeRecord("other", 20, "a.py", 1, "m", (), None))
    assert [entry.logger.instrumentation_scope.name for entry in box.got] == ["other"]


def test_a_provider_without_processors_or_of_other_parts_has_no_short_way() -> None:
    assert short_way(LoggerProvider(shutdown_on_exit=False)) is None
    assert short_way(object()) is None


def test_a_release_without_the_keys_is_asked_by_the_api(monkeypatch: pytest.MonkeyPatch) -> None:
    from opentelemetry.instrumentation import utils

    quick = not_suppressed()
    monkeypatch.delattr("opentelemetry.instrumentation.utils._SUPPRESS_INSTRUMENTATION_KEY_PLAIN")
    assert not_suppressed() is utils.is_instrumentation_enabled
    monkeypatch.undo()
    assert quick()
    with utils.suppress_instrumentation():
        assert not quick()

"""Entries encoded in the short way are, byte by byte, what the exporter's own way makes of their records."""

from __future__ import annotations

import logging
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import ConsoleLogRecordExporter
from opentelemetry.sdk.resources import Resource

from otel_distro.logs.capture import PRIVATE
from otel_distro.logs.document import Documents
from otel_distro.logs.entry import Draft, Entry
from otel_distro.logs.json import JsonFormatter
from otel_distro.otlp_bytes import Encoded
from otel_distro.otlp_logs import encodes, faster, install, made, readable, size_of

FORMATTER = JsonFormatter(Documents("shop", "prod", None, 4096))
PROVIDERS = [
    LoggerProvider(Resource({"service.name": "a"}), shutdown_on_exit=False),
    LoggerProvider(Resource({"service.name": "b", "n": 1}, "https://schema"), shutdown_on_exit=False),
]
LOGGERS: list[Any] = [
    *(provider.get_logger(name) for provider in PROVIDERS for name in ("", "shop.orders")),
    PROVIDERS[0].get_logger("three", "1.0", "https://scope", {"x": "y"}),
]
texts = st.text(max_size=200)
values = (
    texts
    | st.booleans()
    | st.integers(-(2**64), 2**64)
    | st.floats()
    | st.none()
    | st.lists(texts, max_size=2)
    | st.dictionaries(texts, st.integers(), max_size=2)
    | st.sampled_from([0, 1, True, False, 0.0, -0.0, 1.0, "1", ""])
)
names = st.text(max_size=8) | st.sampled_from(["service", "user_id", "error_type", "order_id", "n" * 300])
spans = st.tuples(st.integers(1, 2**128 - 1), st.integers(1, 2**64 - 1), st.sampled_from([0, 1, 3]))


def record_of(
    message: str, level: int, created: float, function: str | None, extras: dict[str, Any], span: tuple[int, int, int]
) -> logging.LogRecord:
    record = logging.LogRecord("shop.orders", level, "/shop/orders.py", 7, message, (), None, function)
    record.created = created
    record.__dict__[PRIVATE] = ["r-1", None, *span, "0" * 32, False, None, None, None]
    record.__dict__.update({key: value for key, value in extras.items() if key not in record.__dict__})
    return record


records = st.builds(
    record_of,
    texts,
    st.sampled_from([0, 10, 20, 25, 30, 40, 50]),
    st.floats(1, 8e9),
    st.none() | texts,
    st.dictionaries(names, values, max_size=5),
    st.just((0, 0, 0)) | spans,
)


def entry_of(record: logging.LogRecord, logger: Any) -> Entry:
    return Entry.of(record, FORMATTER.line(record), logger)


entries = st.builds(entry_of, records, st.sampled_from(LOGGERS))


@given(records, st.sampled_from(LOGGERS))
def test_a_draft_is_the_same_bytes_as_the_entry_of_its_record(record: logging.LogRecord, logger: Any) -> None:
    draft = Draft.of(record, FORMATTER.line, logger)
    if draft is not None:
        entry = Entry.of(record, FORMATTER.line(record), logger, draft.observed)
        assert made(draft).line == entry.line
        assert (
            faster(encode_logs)([made(draft)]).SerializePartialToString()
            == encode_logs([entry.readable()]).SerializeToString()
        )


@given(st.lists(entries | entries.map(Entry.readable), max_size=5))
def test_a_batch_is_the_same_bytes(batch: list[Any]) -> None:
    encoded = faster(encode_logs)(batch)
    assert type(encoded) is Encoded
    assert encoded.SerializePartialToString() == encode_logs([readable(each) for each in batch]).SerializeToString()


def test_plain_records_never_become_the_sdk_s() -> None:
    asked: list[int] = []

    def stock(batch: Any) -> Any:
        asked.append(len(batch))
        return encode_logs(batch)

    record = record_of("m", 20, 1e9, "f", {"order_id": 7, "price": 1.5, "paid": True, "by": "card"}, (1, 2, 1))
    batch = [entry_of(record, LOGGERS[1])] * 50
    encoded = faster(stock)(batch)
    assert asked == [1]  # the resource and the scope
    assert encoded.SerializeToString() == encode_logs([each.readable() for each in batch]).SerializeToString()


def test_what_cannot_be_encoded_is_left_to_the_exporter_s_own_way() -> None:
    asked: list[Any] = []

    def stock(batch: Any) -> str:
        asked.append([each.log_record.body for each in batch])
        if len(asked) == 1:
            raise ValueError("not this way")
        return "its answer"

    entry = entry_of(record_of("m", 20, 1e9, None, {}, (0, 0, 0)), LOGGERS[0])
    assert faster(stock)([entry, entry]) == "its answer"
    assert asked == [["m"], ["m", "m"]]


def test_only_an_exporter_that_encodes_for_otlp_takes_entries() -> None:
    exporters = OTLPLogExporter("http://localhost:1/v1/logs"), ConsoleLogRecordExporter()
    for exporter in exporters:
        install(exporter)
        install(exporter)
    assert [encodes(exporter) for exporter in exporters] == [True, False]


def test_the_size_of_a_record_is_its_line_s() -> None:
    entry = entry_of(record_of("m" * 100, 20, 1e9, None, {}, (0, 0, 0)), LOGGERS[0])
    assert size_of(entry) == size_of(entry.readable()) == len(entry.line)

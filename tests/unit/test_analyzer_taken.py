"""Files of what a Collector has taken, read as the Collector writes them, whole and torn."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs

from otel_distro.analyzer.taken import Record, parse, records
from otel_distro.errors import InputError

Document = dict[str, Any]
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS
)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4))
DOCUMENTS = st.dictionaries(TEXTS, VALUES, max_size=5)


def value(of: Any) -> AnyValue:
    if of is None:
        return AnyValue()
    if isinstance(of, dict):
        pairs = [KeyValue(key=key, value=value(item)) for key, item in of.items()]
        return AnyValue(kvlist_value=KeyValueList(values=pairs))
    if isinstance(of, list):
        return AnyValue(array_value=ArrayValue(values=[value(item) for item in of]))
    names = {bool: "bool_value", int: "int_value", float: "double_value", str: "string_value", bytes: "bytes_value"}
    return AnyValue(**{names[type(of)]: of})


def record(number: int, document: Document, **attributes: str) -> LogRecord:
    names = {"elasticsearch.index": "python-app-2026.11.24", "elasticsearch.document_id": f"r-{number}", **attributes}
    pairs = [KeyValue(key=key, value=value(text)) for key, text in names.items()]
    return LogRecord(time_unix_nano=1_795_478_400_123_456_000, body=value(document), attributes=pairs)


def message(logs: Sequence[LogRecord]) -> bytes:
    scopes = [ScopeLogs(log_records=[one]) for one in logs]
    data: bytes = ExportLogsServiceRequest(resource_logs=[ResourceLogs(scope_logs=scopes)]).SerializeToString()
    return len(data).to_bytes(4, "big") + data


def ids(found: Sequence[Record]) -> list[str]:
    return [one.id for one in found]


@given(st.lists(st.lists(DOCUMENTS, min_size=1, max_size=3), max_size=4))
def test_every_record_is_read_with_its_place_and_its_document(batches: list[list[Document]]) -> None:
    data = b"".join(message([record(place, one) for place, one in enumerate(batch)]) for batch in batches)
    found = list(parse(data))
    assert [json.loads(one.document()) for one in found] == [one for batch in batches for one in batch]
    assert ids(found) == [f"r-{place}" for batch in batches for place in range(len(batch))]
    assert {(one.index, one.moment) for one in found} <= {("python-app-2026.11.24", "2026-11-24T00:00:00.123456Z")}


@given(st.lists(DOCUMENTS, min_size=1, max_size=3), st.data())
def test_a_torn_message_costs_itself_alone(documents: list[Document], data: st.DataObject) -> None:
    whole = message([record(place, one) for place, one in enumerate(documents)])
    torn = whole[: data.draw(st.integers(1, len(whole) - 1))]
    every = [f"r-{place}" for place in range(len(documents))]
    assert ids(list(parse(whole + torn + whole + whole))) == 3 * every
    assert ids(list(parse(whole + torn))) == every


@given(st.binary(max_size=200))
def test_bytes_that_nobody_wrote_are_no_records(data: bytes) -> None:
    assert list(parse(data)) == []


def test_what_is_for_no_index_is_no_record() -> None:
    assert list(parse(message([LogRecord(body=value({"a": 1}))]))) == []


def test_a_document_may_be_deeper_than_python_and_have_what_json_has_not() -> None:
    deep: Any = "end"
    body = value({"bytes": b"\x00\xff", "nan": float("nan"), "infinite": float("-inf")})
    for _ in range(30):
        deep = {"a": deep}
    body.kvlist_value.values.append(KeyValue(key="deep", value=value(deep)))
    log = record(1, {})
    log.body.CopyFrom(body)
    [found] = parse(message([log]))
    assert json.loads(found.document()) == {"bytes": "00ff", "nan": None, "infinite": None, "deep": deep}
    nested = b"\x0a\x03end"
    for _ in range(5000):  # as protobuf would write it, if it could
        pair = b"\x0a\x01a\x12" + length(nested) + nested
        pairs = b"\x0a" + length(pair) + pair
        nested = b"\x32" + length(pairs) + pairs
    assert Record("i", "1", 0, nested).document() == '{"a":' * 5000 + '"end"' + "}" * 5000


def length(data: bytes) -> bytes:
    number, made = len(data), bytearray()
    while number > 127:
        made.append(number & 127 | 128)
        number >>= 7
    return bytes([*made, number])


def test_files_are_read_oldest_first_and_only_those_of_the_last_hours(tmp_path: Path) -> None:
    now = time.time()
    for number, (name, hours) in enumerate({"logs-x.otlp": 3, "logs.otlp": 0, "logs-y.otlp": 1, "other": 0}.items()):
        (tmp_path / name).write_bytes(message([record(number, {})]))
        os.utime(tmp_path / name, (now, now - hours * 3600))
    assert ids(list(records(tmp_path, 2))) == ["r-2", "r-1"]
    assert ids(list(records(tmp_path, 24))) == ["r-0", "r-2", "r-1"]


def test_of_a_file_that_grows_for_weeks_only_the_records_of_the_last_hours_are_read(tmp_path: Path) -> None:
    logs = [record(number, {}) for number in range(3)]
    for one, hours in zip(logs, (25, 23, None), strict=True):
        one.observed_time_unix_nano = 0 if hours is None else int((time.time() - hours * 3600) * 1e9)
    (tmp_path / "logs.otlp").write_bytes(message(logs))
    assert ids(list(records(tmp_path, 24))) == ["r-1", "r-2"]  # the last one does not tell
    assert ids(list(records(tmp_path, 26))) == ["r-0", "r-1", "r-2"]


def test_a_file_that_the_collector_renames_or_removes_meanwhile_costs_no_record_of_another(tmp_path: Path) -> None:
    now = time.time()
    (tmp_path / "logs-gone.otlp").symlink_to("nowhere")  # listed, and there no more
    for number, (name, hours) in enumerate({"logs-x.otlp": 1, "logs.otlp": 0}.items()):
        (tmp_path / name).write_bytes(message([record(number, {})]))
        os.utime(tmp_path / name, (now, now - hours * 3600))
    reading = records(tmp_path, 24)
    assert next(reading).id == "r-0"
    (tmp_path / "logs.otlp").rename(tmp_path / "logs-y.otlp")
    (tmp_path / "logs.otlp").touch()
    assert ids(list(reading)) == ["r-1"]


def test_a_folder_of_something_else_is_named_and_an_empty_one_is_that_of_nothing_taken(tmp_path: Path) -> None:
    assert list(records(tmp_path, 24)) == []
    (tmp_path / "taken").mkdir()  # as in STORAGE_DIR itself
    with pytest.raises(InputError, match=r"has no file of what a Collector took \(\*\.otlp\); give the folder `taken`"):
        list(records(tmp_path, 24))


def test_a_folder_that_there_is_not_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"there is no folder '.*none'; give the folder `taken`"):
        list(records(tmp_path / "none", 24))


@pytest.mark.parametrize("hours", [0, -1, math.nan])
def test_what_is_no_span_of_time_is_refused(tmp_path: Path, hours: float) -> None:
    with pytest.raises(InputError, match="is no span of time"):
        next(records(tmp_path, hours))

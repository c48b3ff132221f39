"""What the Collector makes of lines and records, in a real Elasticsearch: the log document, whichever way it came."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from otel_distro.analyzer.taken import records as records_of
from tests.agent import AGENT, Agent, export_request, install_templates, line, pairs
from tests.services.collector import validate
from tests.services.elasticsearch import Elasticsearch
from tests.support import wait_until

MOMENT = "2026-11-24T09:00:00.123456Z"
RECORD: dict[str, Any] = {
    "timestamp": MOMENT,
    "level": "ERROR",
    "message": "order 7 failed: \u00e9\u4e2d\U0001f600 \u2028 end",
    "logger": "shop.orders",
    "module": "orders",
    "function": "place",
    "line": 42,
    "request_id": "r-1",
    "user_id": "u-1",
    "trace_id": "0af7651916cd43dd8448eb211c80319c",
    "span_id": "b7ad6b7169203331",
    "service": "shop",
    "environment": "staging",
    "exc_info": "Traceback (most recent call last):\n  File 'x'\nValueError: no",
    "error_type": "ValueError",
    "error_message": "no",
    "order_id": 12,
    "amount": 99.5,
    "whole": 3.0,
    "big": 2**62,
    "paid": False,
    "nothing": None,
    "nested": {"a": {"b": [1, 2.5, "x", None, {"c": True}]}, "empty": {}, "list": []},
    "http.status": 200,
}


@pytest.fixture(scope="module")
def agent(
    collector_binary: Path, elasticsearch_server: Elasticsearch, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Agent]:
    install_templates(elasticsearch_server)
    with Agent(collector_binary, elasticsearch_server, tmp_path_factory.mktemp("agent")) as running:
        yield running


def stored(agent: Agent, *log_ids: str) -> list[dict[str, Any]]:
    """Wait for the documents with these ids, in this order."""
    found: dict[str, dict[str, Any]] = {}

    def all_there() -> bool:
        found.update({document.id: document.source for document in agent.stored()})
        return all(log_id in found for log_id in log_ids)

    wait_until(all_there, 30, what=lambda: f"{log_ids}; there are {sorted(found)[:20]}\n{agent.log[-2000:]}", every=0.2)
    return [found[log_id] for log_id in log_ids]


def through_file(agent: Agent, text: str | bytes) -> dict[str, Any]:
    """Write a line that has no id of its own to a file of its own, and return its document."""
    before = {document.id for document in agent.stored()}
    agent.write(text, name="lone.log")

    def new() -> list[dict[str, Any]]:
        return [document.source for document in agent.stored() if document.id not in before]

    (document,) = wait_until(new, 30, what=lambda: f"a document of {text[:200]!r}\n{agent.log[-2000:]}", every=0.2)
    return document


def test_a_record_is_the_same_document_by_file_by_tcp_and_by_otlp(agent: Agent) -> None:
    agent.write(line(**RECORD, log_id="three-file"))
    assert agent.tcp(line(**RECORD, log_id="three-tcp"))
    assert agent.otlp({**RECORD, "log_id": "three-otlp"})
    documents = stored(agent, "three-file", "three-tcp", "three-otlp")
    expected = {**RECORD, "@timestamp": MOMENT, "tags": ["user_action", "error"]}
    del expected["timestamp"]
    for document in documents:
        assert document.pop("log_id").startswith("three-")
        assert json.dumps(document, sort_keys=True) == json.dumps(expected, sort_keys=True)


def test_a_tag_with_a_brace_in_its_text_stays_a_tag_by_file_by_tcp_and_by_otlp(agent: Agent) -> None:
    record = {"timestamp": MOMENT, "message": "x", "level": "ERROR", "tags": "for {shop", "extra_tags": "mine"}
    agent.write(line(**record, log_id="brace-file"))
    assert agent.tcp(line(**record, log_id="brace-tcp"))
    assert agent.otlp({**record, "log_id": "brace-otlp"})
    for document in stored(agent, "brace-file", "brace-tcp", "brace-otlp"):
        assert (document["tags"], document["extra_tags"]) == (["for {shop", "error"], "mine")


def test_what_has_to_give_way_takes_the_name_of_no_other_field(agent: Agent) -> None:
    record = {"message": "x", "tags": {"a": 1}, "extra_tags": "mine", "line": [2], "extra_line": 3}
    agent.write(line(timestamp=MOMENT, **record, log_id="way-file"))
    agent.write(line(timestamp="yesterday", extra_timestamp="mine", message="x", log_id="way-time"))
    assert agent.tcp(line(timestamp=MOMENT, **record, log_id="way-tcp"))
    assert agent.otlp({"timestamp": MOMENT, **record, "log_id": "way-otlp"})
    *documents, untimed = stored(agent, "way-file", "way-tcp", "way-otlp", "way-time")
    for document in documents:
        assert {name: value for name, value in document.items() if "tags" in name or "line" in name} == {
            "extra_tags": "mine",
            "extra_extra_tags": {"a": 1},
            "extra_line": 3,
            "extra_extra_line": [2],
        }
    assert (untimed["extra_timestamp"], untimed["extra_extra_timestamp"]) == ("mine", "yesterday")


def test_a_record_that_comes_by_two_ways_is_stored_once(agent: Agent) -> None:
    agent.write(line(**RECORD, log_id="twice"))
    stored(agent, "twice")
    assert agent.otlp({**RECORD, "log_id": "twice"})
    assert agent.tcp(line(**RECORD, log_id="twice"), line(**RECORD, log_id="after-twice"))
    stored(agent, "after-twice")
    assert [document.id for document in agent.stored()].count("twice") == 1
    assert "version_conflict" not in agent.log


def test_the_index_is_the_utc_day_of_the_record(agent: Agent) -> None:
    agent.write(
        line(timestamp="2026-11-23T23:59:59.999999Z", log_id="day-1"),
        line(timestamp="2026-11-24T00:30:00.000000+02:00", log_id="day-2"),
        line(timestamp="2019-02-03T00:00:00.000000Z", log_id="day-3"),
    )
    stored(agent, "day-1", "day-2", "day-3")
    indices = {document.id: document.index for document in agent.stored()}
    assert indices["day-1"] == f"{agent.prefix}-2026.11.23"
    assert indices["day-2"] == f"{agent.prefix}-2026.11.23"
    assert indices["day-3"] == f"{agent.prefix}-2019.02.03"


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2026-11-24T09:00:00Z", "2026-11-24T09:00:00.000000Z"),
        ("2026-11-24T09:00:00.5Z", "2026-11-24T09:00:00.500000Z"),
        ("2026-11-24T09:00:00,123Z", "2026-11-24T09:00:00.123000Z"),
        ("2026-11-24T09:00:00,123456Z", "2026-11-24T09:00:00.123456Z"),
        ("2026-11-24T09:00:00.123456789Z", "2026-11-24T09:00:00.123456Z"),
        ("2026-11-24T09:00:00.000001Z", "2026-11-24T09:00:00.000001Z"),
        ("2026-11-24T11:00:00.25+02:00", "2026-11-24T09:00:00.250000Z"),
        ("2026-11-24T03:30:00-05:30", "2026-11-24T09:00:00.000000Z"),
        ("2026-11-24T11:00:00.25+0200", "2026-11-24T09:00:00.250000Z"),
        ("2026-11-24T11:00:00,25+02", "2026-11-24T09:00:00.250000Z"),
        ("2026-11-24T09:00:00", "2026-11-24T09:00:00.000000Z"),
        ("2026-11-24T09:00:00.123456", "2026-11-24T09:00:00.123456Z"),
        ("2026-11-24T09:00:00,123", "2026-11-24T09:00:00.123000Z"),
        ("2026-11-24 09:00:00,123", "2026-11-24T09:00:00.123000Z"),
        ("2026-11-24 09:00:00.123456Z", "2026-11-24T09:00:00.123456Z"),
        ("2026-11-24 10:00:00+01:00", "2026-11-24T09:00:00.000000Z"),
        ("1970-01-02T00:00:00.000000Z", "1970-01-02T00:00:00.000000Z"),
        ("2261-12-31T23:59:59.999999Z", "2261-12-31T23:59:59.999999Z"),
    ],
)
def test_a_timestamp_of_any_iso_form_is_the_moment_in_utc(agent: Agent, written: str, moment: str) -> None:
    log_id = f"time {written}"
    agent.write(line(timestamp=written, message="x", log_id=log_id))
    (document,) = stored(agent, log_id)
    assert document["@timestamp"] == moment
    assert "tags" not in document
    assert not {"timestamp", "extra_timestamp"} & set(document)


@pytest.mark.parametrize(
    "broken",
    [
        "",
        "yesterday",
        "2026-13-45T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "0001-01-01T00:00:00Z",
        "1969-12-31T23:59:59Z",
        12,
        None,
        [],
        {"a": 1},
        True,
    ],
)
def test_a_record_with_a_broken_timestamp_is_kept_with_the_moment_of_its_arrival(agent: Agent, broken: Any) -> None:
    log_id = f"broken {json.dumps(broken)}"
    agent.write(line(timestamp=broken, message="still here", log_id=log_id))
    (document,) = stored(agent, log_id)
    assert document["message"] == "still here"
    assert document["tags"] == ["parse_failure"]
    assert document["@timestamp"][:2] == "20"
    assert document.get("extra_timestamp") == broken


def test_the_name_of_the_elastic_common_schema_for_the_timestamp_is_understood(agent: Agent) -> None:
    agent.write(line(**{"@timestamp": "2026-11-24T09:00:00.5Z", "log_id": "ecs", "level": "INFO"}))
    (document,) = stored(agent, "ecs")
    assert document["@timestamp"] == "2026-11-24T09:00:00.500000Z"
    assert "tags" not in document


def test_a_record_without_a_timestamp_is_kept(agent: Agent) -> None:
    agent.write(line(message="no time", level="ERROR", log_id="no-time"))
    (document,) = stored(agent, "no-time")
    assert document["tags"] == ["parse_failure", "error"]
    assert "extra_timestamp" not in document


@pytest.mark.parametrize(
    "text",
    [
        "plain words",
        "{broken",
        '{"a": 1}{"b": 2}',
        '{"a": 1} more {}',
        '{"\u00e9\u00e9": 1}x}',
        '{"a": 1',
        '["a", "list"]',
        '"a text"',
        "12",
        "null",
        "{} trailing",
    ],
)
def test_a_line_that_is_no_json_object_is_kept_as_text(agent: Agent, text: str) -> None:
    document = through_file(agent, text)
    assert document["message"] == text
    assert document["tags"] == ["parse_failure"]
    assert (document["service"], document["environment"]) == ("python-app", "production")
    assert len(document["log_id"]) == 64


def test_a_line_that_is_no_document_keeps_its_indentation_and_one_that_is_has_need_of_none(agent: Agent) -> None:
    before = {document.id for document in agent.stored()}
    document = line(timestamp=MOMENT, message="indented")
    agent.write('  File "shop.py", line 7', f"  {document}  ", name="indented.log")
    assert agent.tcp("\tat shop.Orders(Orders.java:7)", f" \t{document}\r")
    agent.wait_for(len(before) + 4)
    told = sorted(found.source["message"] for found in agent.stored() if found.id not in before)
    assert told == ["\tat shop.Orders(Orders.java:7)", '  File "shop.py", line 7', "indented", "indented"]


def test_compressed_files_are_not_read(agent: Agent) -> None:
    for kind in ("gz", "bz2", "xz", "zst", "lz4"):
        agent.write(f"binary {kind}", name=f"app.log.2.{kind}")
    agent.write(
        line(timestamp=MOMENT, message="x", log_id="behind"), name="behind.log"
    )  # files are looked for all at once
    stored(agent, "behind")
    texts = [str(found.source.get("message")) for found in agent.stored()]
    assert not [text for text in texts if text.startswith("binary")]


def test_equal_lines_without_an_id_are_documents_of_their_own(agent: Agent) -> None:
    before = {document.id for document in agent.stored()}
    agent.write(*["same words"] * 5, name="equal.log")
    assert agent.tcp(*["same words"] * 5)
    agent.wait_for(len(before) + 10)
    new = [document for document in agent.stored() if document.id not in before]
    assert [document.source["message"] for document in new] == ["same words"] * 10


def test_lines_of_one_second_at_one_place_of_files_of_one_name_on_two_machines_are_documents_of_their_own(
    agent: Agent, tmp_path: Path
) -> None:
    def start(machine: str, text: str) -> None:
        """Have a service begin its file, on a machine with a Collector of its own."""
        variables = {"LOG_GLOB": str(tmp_path / "*.log"), "INDEX_PREFIX": agent.prefix, "HOST_NAME": machine}
        (tmp_path / "service.log").unlink(missing_ok=True)
        with Agent(agent.binary, agent.elasticsearch, tmp_path / f"{machine} {text}", variables) as another:
            (tmp_path / "service.log").write_text(line(timestamp="2026-11-24T09:00:00Z", message=text) + "\n")
            wait_until(lambda: another.metric("otelcol_elasticsearch_docs_processed") == 1, what="an answer")

    start("one", "of one")
    start("one", "of another")
    start("two", "of one")
    agent.elasticsearch.refresh(agent.indices)
    found = [document.source.get("message") for document in agent.stored()]
    assert (found.count("of one"), found.count("of another")) == (2, 1)


def test_what_arrived_is_never_overwritten(agent: Agent) -> None:
    agent.write(
        line(
            timestamp=MOMENT,
            service="mine",
            environment="test",
            tags=["own"],
            user_id="u",
            level="CRITICAL",
            log_id="kept",
        ),
        line(timestamp=MOMENT, level="INFO", log_id="filled"),
        line(timestamp=MOMENT, level="WARNING", user_id="u", log_id="user"),
    )
    kept, filled, user = stored(agent, "kept", "filled", "user")
    assert (kept["service"], kept["environment"]) == ("mine", "test")
    assert kept["tags"] == ["own", "user_action", "error"]
    assert (filled["service"], filled["environment"]) == ("python-app", "production")
    assert "tags" not in filled
    assert user["tags"] == ["user_action"]


def test_an_otlp_record_of_another_sdk_gets_what_it_lacks(agent: Agent) -> None:
    before = {document.id for document in agent.stored()}
    resource = {"service.name": "other", "deployment.environment.name": "qa"}
    assert agent.otlp({"timestamp": MOMENT, "level": "INFO", "message": "hello"}, resource=resource)
    assert agent.otlp({"message": "nothing"}, resource={"service.name": "unknown_service:python"})
    agent.wait_for(len(before) + 2)
    new = {document.source["message"]: document.source for document in agent.stored() if document.id not in before}
    assert not {"trace_id", "span_id"} & {*new["hello"], *new["nothing"]}
    assert (new["hello"]["service"], new["hello"]["environment"]) == ("other", "qa")
    assert (new["nothing"]["service"], new["nothing"]["environment"]) == ("python-app", "production")
    assert new["hello"]["log_id"] != new["nothing"]["log_id"]


def export_with(agent: Agent, document: dict[str, Any], **attributes: Any) -> bool:
    """Export a document as a record that has further attributes."""
    logs = export_request([document], {})
    logs.resource_logs[0].scope_logs[0].log_records[0].attributes.extend(pairs(attributes))
    return agent.export(logs)


def test_an_application_chooses_neither_index_nor_id_by_attributes(agent: Agent) -> None:
    extras = {"elasticsearch.index": "elsewhere", "elasticsearch.document_id": "chosen", "log_id": "own-id"}
    extras |= {"timestamp": '../*, ?"#aTbbbbbbbb.ccccccZ'}
    assert export_with(agent, {"timestamp": MOMENT, "message": "x"}, **extras)
    (document,) = stored(agent, "own-id")
    assert document["elasticsearch.index"] == "elsewhere"
    assert (document["@timestamp"], document["extra_timestamp"]) == (MOMENT, extras["timestamp"])


def test_an_attribute_with_the_name_of_what_the_record_has_itself_is_kept_beside_it(agent: Agent) -> None:
    names = ("timestamp", "level", "message", "trace_id", "span_id")
    itself = {name: RECORD[name] for name in names}
    others = {name: f"other {name}" for name in (*names, "@timestamp")}
    assert export_with(agent, {**itself, "log_id": "beside"}, **others)
    (document,) = stored(agent, "beside")
    assert document["@timestamp"] == itself.pop("timestamp")
    assert itself.items() <= document.items()
    assert {name: document[f"extra_{name}"] for name in others} == others


@pytest.mark.parametrize(
    ("severity", "level"), [(1, "DEBUG"), (5, "DEBUG"), (9, "INFO"), (16, "WARNING"), (17, "ERROR"), (24, "CRITICAL")]
)
def test_a_record_that_has_a_number_alone_for_its_level_gets_the_name(agent: Agent, severity: int, level: str) -> None:
    logs = export_request([{"timestamp": MOMENT, "message": "x", "log_id": f"severity {severity}"}], {})
    logs.resource_logs[0].scope_logs[0].log_records[0].severity_number = severity
    assert agent.export(logs)
    (document,) = stored(agent, f"severity {severity}")
    assert document["level"] == level


@pytest.mark.parametrize(
    ("level", "tagged"), [("Error", True), ("FATAL2", True), ("Critical", True), ("ERR", True), ("Warn", False)]
)
def test_a_record_that_has_a_text_alone_for_its_severity_is_tagged_as_a_line_is(
    agent: Agent, level: str, tagged: bool
) -> None:
    logs = export_request([{"timestamp": MOMENT, "level": level, "message": "x", "log_id": f"otlp {level}"}], {})
    assert logs.resource_logs[0].scope_logs[0].log_records[0].severity_number == 0
    assert agent.export(logs)
    agent.write(line(timestamp=MOMENT, level=level, message="x", log_id=f"line {level}"))
    for document in stored(agent, f"otlp {level}", f"line {level}"):
        assert ("error" in document.get("tags", [])) is tagged


def test_the_name_of_an_event_is_a_field_and_two_events_of_one_moment_are_two(agent: Agent) -> None:
    logs = export_request([{"timestamp": MOMENT, "message": "of an event"}] * 2, {})
    records = logs.resource_logs[0].scope_logs[0].log_records
    for record, name in zip(records, ("begin", "end"), strict=True):
        record.event_name = name
    records[1].attributes.extend(pairs({"event_name": "of the user"}))
    assert agent.export(logs)

    def both() -> list[dict[str, Any]]:
        found = [one.source for one in agent.stored() if one.source.get("message") == "of an event"]
        return found if len(found) == 2 else []

    begin, end = sorted(wait_until(both, 30, what="both events", every=0.2), key=lambda found: str(found["event_name"]))
    assert (begin["event_name"], end["event_name"], end["extra_event_name"]) == ("begin", "end", "of the user")


@pytest.mark.parametrize("nanoseconds", [0, 1_795_510_800_123, 10_413_792_000_000_000_000])
def test_an_otlp_record_without_a_moment_of_1970_to_2262_has_that_of_its_arrival(
    agent: Agent, nanoseconds: int
) -> None:
    logs = export_request([{"message": "x", "log_id": f"at {nanoseconds}", "tags": ["own"]}], {})
    logs.resource_logs[0].scope_logs[0].log_records[0].time_unix_nano = nanoseconds
    assert agent.export(logs)
    (document,) = stored(agent, f"at {nanoseconds}")
    assert document["@timestamp"][:2] == "20"
    assert document["tags"] == ["own", "parse_failure"]
    assert document.get("extra_timestamp", 0) % 2**64 == nanoseconds


def test_of_each_record_is_kept_when_it_was_taken(agent: Agent) -> None:
    before = time.time_ns()
    agent.write(line(**RECORD, log_id="taken-file"))
    assert agent.tcp(line(**RECORD, log_id="taken-tcp"))
    assert agent.otlp({**RECORD, "log_id": "taken-otlp"})  # what it says of its observation is days ago
    ids = {"taken-file", "taken-tcp", "taken-otlp"}
    stored(agent, *ids)
    taken = {found.id: found.taken for found in records_of(Path(agent.env["STORAGE_DIR"]) / "taken", 24)}
    assert all(before < taken[log_id] < time.time_ns() for log_id in ids)


def test_the_configuration_is_valid_and_a_mistyped_copy_is_not(tmp_path: Path) -> None:
    validate(AGENT)
    for right, wrong in (
        ("receivers:", "recievers:"),
        ("on_truncate", "on_truncated"),
        ("log.body", "log.bodi"),
        ("[file_storage, ", "[file_store, "),
    ):
        mistyped = tmp_path / "agent.yaml"
        mistyped.write_text(AGENT.read_text().replace(right, wrong, 1))
        with pytest.raises(AssertionError, match="status 1"):
            validate(mistyped)

"""Hostile records by file, TCP and OTLP: the Collector goes on, and each is a document in a real Elasticsearch."""

from __future__ import annotations

import json
import math
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from otel_distro.analyzer.elastic_address import Address
from otel_distro.analyzer.elastic_refused import DeadLetters
from otel_distro.analyzer.taken import records as records_of
from tests.agent import Agent, install_templates, line
from tests.hostile_records import MOMENT, lines, log_ids, nested, objects
from tests.services.elasticsearch import Elasticsearch
from tests.support import wait_until


@pytest.fixture(scope="module")
def agent(
    collector_binary: Path, elasticsearch_server: Elasticsearch, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Agent]:
    install_templates(elasticsearch_server)
    with Agent(collector_binary, elasticsearch_server, tmp_path_factory.mktemp("hostile")) as running:
        yield running


@pytest.fixture
def came(agent: Agent) -> Iterator[Callable[[int], list[dict[str, Any]]]]:
    """Give a function that waits for so many more documents and returns them; then see a fresh record get through."""
    agent.elasticsearch.delete(agent.indices)
    pid = agent.pid
    refused_before = refused(agent)

    def wait(number: int) -> list[dict[str, Any]]:
        wait_until(
            lambda: agent.elasticsearch.count(agent.indices) >= number,
            60,
            what=lambda: f"{number} documents; {refusals(agent)}",
            every=0.3,
        )
        stored = {document.id: document.source for document in agent.stored()}
        # What was taken says of each what was sent, to the last field.
        found: dict[str, list[str]] = {}

        def all_taken() -> bool:
            found.update(taken(agent))
            return stored.keys() <= found.keys()

        wait_until(all_taken, what="what was taken")
        for name, source in stored.items():
            assert source in map(json.loads, found[name]), name
        return list(stored.values())

    yield wait
    fresh = f"fresh {time.monotonic_ns()}"
    agent.write(line(timestamp=MOMENT, message="x", log_id=fresh))
    wait_until(lambda: has(agent, fresh), 60, what="a fresh record", every=0.3)
    # A record that came twice may be on its way yet: it is a refusal too, or a document of the next test.
    wait_until(lambda: agent.metric("otelcol_exporter_queue_size") == 0, 60, what="an empty queue")
    assert agent.running
    assert agent.pid == pid
    assert refused(agent) == refused_before, refusals(agent)


def taken(agent: Agent) -> dict[str, list[str]]:
    """Return the documents that the Collector says it has taken, by their ids; one id may have come several times."""
    found: dict[str, list[str]] = {}
    for record in records_of(Path(agent.env["STORAGE_DIR"]) / "taken", 1):
        found.setdefault(record.id, []).append(record.document())
    return found


def refused(agent: Agent) -> float:
    """Return how many documents Elasticsearch refused for what is in them; 409 is what it has already."""
    name = "otelcol_elasticsearch_docs_processed"
    conflicts = agent.metric(name, outcome="failed_client", http_response_status_code="409")
    return agent.metric(name, outcome="failed_client") - conflicts


def has(agent: Agent, log_id: str) -> bool:
    """Whether a document with this id is stored."""
    return agent.elasticsearch.count(agent.indices, {"term": {"log_id": log_id}}) > 0


def refusals(agent: Agent) -> str:
    """Return what the Collector says of refused documents, and the end of its log."""
    said = [text[-600:] for text in agent.log.splitlines() if "failed to index" in text]
    return "\n".join([*said[-20:], agent.log[-2000:]])


def by_file(agent: Agent, texts: list[bytes]) -> None:
    agent.write(*texts)


def by_tcp(agent: Agent, texts: list[bytes]) -> None:
    assert agent.tcp(*texts)


def by_otlp(agent: Agent, texts: list[bytes]) -> None:
    assert agent.otlp(*map(json.loads, texts))


@pytest.mark.parametrize("send", [by_file, by_tcp])
def test_hostile_objects_are_stored(
    agent: Agent, came: Callable[[int], list[dict[str, Any]]], send: Callable[[Agent, list[bytes]], None]
) -> None:
    records = {
        f"{name} {send.__name__}": {"timestamp": MOMENT, "message": "x", "level": "INFO", **fields}
        for name, fields in objects().items()
    }
    send(agent, [line(**record, log_id=log_id).encode() for log_id, record in records.items()])
    documents = {document["log_id"]: document for document in came(len(records))}
    assert documents.keys() == records.keys()
    for log_id, document in documents.items():
        message = records[log_id]["message"]
        assert document["message"] == message or isinstance(message, (dict, list)), log_id
        assert document["@timestamp"][:2] == "20", log_id


@pytest.mark.parametrize("send", [by_file, by_tcp, by_otlp])
def test_where_two_names_come_to_one_the_record_is_kept_as_it_came(
    agent: Agent, came: Callable[[int], list[dict[str, Any]]], send: Callable[[Agent, list[bytes]], None]
) -> None:
    fields = objects()["keys of dots"]
    record = {"timestamp": MOMENT, "message": "x", **fields, "log_id": f"two names {send.__name__}"}
    distinct = {"timestamp": MOMENT, "message": "x", ".a": 1, "log_id": f"one name {send.__name__}"}
    send(agent, [line(**record).encode(), line(**distinct).encode()])
    documents = {document["log_id"]: document for document in came(2)}
    whole = json.loads(documents[record["log_id"]]["extra_record"])
    assert {name: whole[name] for name in fields} == fields
    assert documents[distinct["log_id"]]["extra__a"] == 1
    assert "extra_record" not in documents[distinct["log_id"]]


@pytest.mark.parametrize("send", [by_file, by_tcp, by_otlp])
def test_of_two_names_that_come_to_one_a_record_of_more_than_a_million_bytes_keeps_one_value(
    agent: Agent, came: Callable[[int], list[dict[str, Any]]], send: Callable[[Agent, list[bytes]], None]
) -> None:
    def sent(log_id: str, size: int) -> bytes:
        message = "\u00e9" * (size // 2) + "x" * (size % 2)
        return line(timestamp=MOMENT, message=message, log_id=log_id, **{".a": 1, "..a": 2}).encode()

    send(agent, [sent("size", 2)])
    rest = len(came(1)[0]["extra_record"].encode()) - 2
    send(agent, [sent("most", 1_000_000 - rest), sent("more", 1_000_001 - rest)])
    documents = {document["log_id"]: document for document in came(3)}
    assert len(documents["most"]["extra_record"].encode()) == 1_000_000
    assert "extra_record" not in documents["more"]
    assert {document["extra__a"] for document in documents.values()} <= {1, 2}


@pytest.mark.parametrize("send", [by_file, by_tcp, by_otlp])
def test_of_a_name_that_elasticsearch_would_refuse_every_dot_is_changed(
    agent: Agent, came: Callable[[int], list[dict[str, Any]]], send: Callable[[Agent, list[bytes]], None]
) -> None:
    fields = {**objects()["keys of many dots"], "a.b.c": 9, "extra_x.y": 10}
    send(agent, [line(timestamp=MOMENT, message="x", log_id=f"dots {send.__name__}", **fields).encode()])
    [document] = came(1)
    expected = {"extra_a_b_c_d_e": 1, "extra__ _ _ _ _": 2, "extra_level_a_b_c_d": 3, "extra_a_b\n_c": 4}
    expected |= {"a.b.c": 9, "extra_x.y": 10}
    assert expected.items() <= document.items()
    assert "extra_record" not in document


def test_hostile_records_are_stored_by_otlp(agent: Agent, came: Callable[[int], list[dict[str, Any]]]) -> None:
    records = [
        {"message": "x", "level": "INFO", **fields, "log_id": f"{name} otlp"}
        for name, fields in objects().items()
        # These have fields of their own in OTLP, and protobuf for Python makes no more than 100 levels.
        if not {"timestamp", "trace_id", "span_id", "deep"} & fields.keys()
    ]
    odd = [nested(20), b"\xff\x00"]
    records += [{"message": "x", "value": value, "log_id": f"value {place}"} for place, value in enumerate(odd)]
    records += [{"message": message, "log_id": f"{message!r}"} for message in (b"\xff", {"a": 1}, [1], None, 7)]
    for record in records:
        assert agent.otlp(record), record["log_id"]
    assert {document["log_id"] for document in came(len(records))} == {record["log_id"] for record in records}


def test_what_is_no_json_number_is_refused_counted_and_stored_from_what_was_taken(agent: Agent) -> None:
    before = refused(agent)
    for value in (math.nan, math.inf, -math.inf):
        assert agent.otlp({"message": "x", "value": value, "log_id": f"value {value}"})
    wait_until(
        lambda: refused(agent) == before + 3,
        what=lambda: f"three counted refusals\n{agent.metrics[-3000:]}",
    )
    names = {f"value {value}" for value in (math.nan, math.inf, -math.inf)}
    letters = DeadLetters(Address.of(agent.elasticsearch.url), agent.prefix)
    mended = (record for record in records_of(Path(agent.env["STORAGE_DIR"]) / "taken", 1) if record.id in names)
    assert {letter.id: letter.refused for letter in letters.send_missing(mended)} == dict.fromkeys(names, False)
    letters.close()
    stored = {document.id: document.source["value"] for document in agent.stored() if document.id in names}
    assert stored == dict.fromkeys(names)


@pytest.mark.parametrize("size", [6_000_000, 10_000_000])
def test_a_record_above_the_usual_size_of_a_batch_is_stored(agent: Agent, size: int) -> None:
    agent.elasticsearch.delete(agent.indices)
    large = {"timestamp": MOMENT, "message": "x" * size}
    ids = [f"{size} {way}" for way in ("file", "tcp", "otlp")]
    agent.write(line(**large, log_id=ids[0]))
    assert agent.tcp(line(**large, log_id=ids[1]))
    assert agent.otlp({**large, "log_id": ids[2]})
    wait_until(lambda: all(has(agent, log_id) for log_id in ids), 60, what=lambda: refusals(agent), every=0.3)


def test_a_line_above_the_limit_by_tcp_is_not_acknowledged_and_what_came_before_it_is_stored(
    agent: Agent, came: Callable[[int], list[dict[str, Any]]]
) -> None:
    first, behind = (line(timestamp=MOMENT, message="x", log_id=name) for name in ("first", "behind"))
    assert not agent.tcp(first, line(timestamp=MOMENT, message="x" * 11_000_000, log_id="long"), behind)
    assert [document["log_id"] for document in came(1)] == ["first"]


def test_hostile_ids_are_stored(agent: Agent, came: Callable[[int], list[dict[str, Any]]]) -> None:
    records = [{"timestamp": MOMENT, "message": name, "log_id": log_id} for name, log_id in log_ids().items()]
    agent.write(*(line(**record) for record in records))
    assert agent.tcp(*(line(**{**record, "message": f"{record['message']}, tcp"}) for record in records))
    for record in records:
        assert agent.otlp({**record, "message": f"{record['message']}, otlp"})
    # Those without an id, and number and object, get the ids of three documents; the others are one however they came.
    documents = came(3 * 2 + len(records) - 2)
    told = {document["message"].split(",")[0] for document in documents}
    assert told == set(log_ids())


@pytest.mark.parametrize("send", [by_file, by_tcp])
def test_hostile_lines_are_each_a_document(
    agent: Agent, came: Callable[[int], list[dict[str, Any]]], send: Callable[[Agent, list[bytes]], None]
) -> None:
    texts = lines()
    send(agent, list(texts.values()))
    documents = came(len(texts))
    assert len(documents) == len(texts)


def test_empty_lines_do_no_harm(agent: Agent, came: Callable[[int], list[dict[str, Any]]]) -> None:
    agent.write("", "", "after empty lines", "")
    assert agent.tcp("", "", "after empty lines by TCP", "")
    assert {document["message"] for document in came(2)} - {""} == {"after empty lines", "after empty lines by TCP"}


def test_no_text_for_a_timestamp_ends_the_collector(agent: Agent, came: Callable[[int], list[dict[str, Any]]]) -> None:
    chance = random.Random(4)
    alphabet = "0123456789" * 3 + "--::..,TTZZ+ tz%\u00e9\u0660\x00/"
    stamps = [
        MOMENT[: chance.randrange(28)] + "".join(chance.choices(alphabet, k=chance.randrange(30))) for _ in range(400)
    ]
    stamps += [MOMENT[:place] + mark + MOMENT[place + 1 :] for place in range(27) for mark in "0-+Z,."]
    records = [line(timestamp=stamp, message="x", log_id=f"stamp {number}") for number, stamp in enumerate(stamps)]
    agent.write(*records)
    documents = {document["log_id"]: document for document in came(len(stamps))}
    assert len(documents) == len(stamps)
    for number, stamp in enumerate(stamps):
        document = documents[f"stamp {number}"]
        assert ("parse_failure" in document.get("tags", [])) == ("extra_timestamp" in document), json.dumps(stamp)
        assert document.get("extra_timestamp", stamp) == stamp

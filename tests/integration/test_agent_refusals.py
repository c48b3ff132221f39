"""Some documents of a request refused by the real Elasticsearch, the rest taken, the Collector killed in between.

What is refused is not lost: `otel-distro elasticsearch refused` finds it, keeps it, and sends it again after the mend.
"""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from otel_distro.analyzer.elastic_address import Address
from otel_distro.analyzer.elastic_refused import DeadLetters
from tests.bulk_proxy import Mode
from tests.pipeline_faults import Run
from tests.pipeline_ledger import Record
from tests.processes import clean_environment
from tests.services.elasticsearch import Elasticsearch
from tests.support import wait_until

DAYS = ("2026.11.23", "2026.11.24")


@pytest.fixture
def run(collector_binary: Path, elasticsearch_server: Elasticsearch, tmp_path: Path) -> Iterator[Run]:
    with Run(collector_binary, elasticsearch_server, tmp_path) as running:
        yield running


def send(run: Run, records: list[Record]) -> None:
    """Send a third of the records by each way; all are owed after it."""
    for place, sender in enumerate(run.senders):
        assert sender.send(records[place::3])
    run.ledger.owe(records)


def processed(run: Run, **labels: str) -> float:
    return run.agent.metric("otelcol_elasticsearch_docs_processed", **labels)


def index(run: Run, day: str, mappings: dict[str, Any]) -> str:
    name = f"{run.agent.prefix}-{day}"
    run.elasticsearch.request("PUT", f"/{name}", {"mappings": mappings})
    return name


# What a user may have in an index template: each of these refuses something.
OWN = {
    "order_id": {"type": "integer"},
    "address": {"type": "object", "dynamic": "strict", "properties": {"city": {"type": "keyword"}}},
    "customer": {"type": "keyword"},
}
REFUSED: tuple[Record, ...] = (
    {"order_id": "seven"},
    {"address": {"town": "x"}},
    {"customer": {"name": ["x", None, 1.0, {}]}},
)
TAKEN: tuple[Record, ...] = ({"order_id": 7}, {"address": {"city": "x"}}, {"customer": "x"})
# With these nothing of it is refused any more.
MENDED = {
    "order_id": {"type": "integer", "ignore_malformed": True},
    "address": {"type": "object", "dynamic": False},
}


def dead_letters(run: Run, *options: object, code: int = 0) -> tuple[list[dict[str, Any]], str]:
    """Run `otel-distro elasticsearch refused`, and return the records that it shows, and its last word."""
    command = [sys.executable, "-m", "otel_distro.cli", "elasticsearch", "refused", *map(str, options)]
    taken = Path(run.agent.env["STORAGE_DIR"]) / "taken"
    command += ["--taken", str(taken), "--url", run.elasticsearch.url, "--index-prefix", run.agent.prefix]
    done = subprocess.run(command, env=clean_environment(), capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == code, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()], done.stderr.strip()


def as_stored(record: Record) -> Record:
    """Return a record as it stands in Elasticsearch."""
    fields = dict(record)
    tags = [*["user_action"] * ("user_id" in fields), *["error"] * (fields["level"] == "ERROR")]
    return {"@timestamp": fields.pop("timestamp"), **fields, **({"tags": tags} if tags else {})}


def kept(run: Run) -> dict[str, Record]:
    """Return what the dead-letter indices hold, by its id."""
    found = run.elasticsearch.documents(f"rejected-{run.agent.indices}")
    assert len({document.id for document in found}) == len(found)
    return {document.id: json.loads(document.source["record"]) for document in found}


def mixed(run: Run, number: int) -> tuple[list[Record], list[Record]]:
    """Return so many records of which every fifth is refused, for three reasons in turn, and those that are."""
    for day in DAYS:
        index(run, day, {"dynamic": False, "properties": OWN})
    records = [run.ledger.make("mixed", place) for place in range(number)]
    for place, record in enumerate(records):
        record.update((TAKEN if place % 5 else REFUSED)[place // 5 % 3])
    return records, records[::5]


def see_refused(run: Run, number: int) -> None:
    """Wait until so many refusals are counted in this life of the Collector."""
    wait_until(
        lambda: processed(run, outcome="failed_client", http_response_status_code="400") == number,
        what=lambda: f"{number} counted refusals\n{run.agent.metrics}",
    )


def test_what_a_mapping_refuses_is_counted_kept_once_and_stored_after_the_mend(run: Run) -> None:
    records, refused = mixed(run, 90)
    run.proxy.hold()
    send(run, records)
    wait_until(lambda: run.elasticsearch.count(run.agent.indices) > 0, what="documents of the first life")
    run.kill_collector()
    run.proxy.release()
    run.agent.start()
    run.agent.wait_for(72)
    see_refused(run, 18)
    owed = {record["log_id"]: as_stored(record) for record in refused}
    shown, said = dead_letters(run)
    assert said == f"otel-distro: 0 stored now; 18 refused, kept in rejected-{run.agent.prefix}-*"
    assert sorted(letter["id"] for letter in shown) == sorted(owed)
    assert {letter["id"]: letter["record"] for letter in shown} == kept(run) == owed
    assert {letter["error_type"] for letter in shown} == {
        "document_parsing_exception",
        "strict_dynamic_mapping_exception",
    }
    run.kill_collector()
    run.elasticsearch.kill()
    run.elasticsearch.start()
    run.agent.start()
    assert dead_letters(run) == (shown, said)
    assert kept(run) == owed
    assert run.elasticsearch.count(run.agent.indices) == 72

    for day in DAYS:
        run.elasticsearch.request("PUT", f"/{run.agent.prefix}-{day}/_mapping", {"properties": MENDED})
    _, said = dead_letters(run, "--hours", "0.000001")  # from the indices alone
    assert said.startswith("otel-distro: 12 stored now; 6 refused")
    assert kept(run) == {name: record for name, record in owed.items() if "customer" in record}
    assert run.elasticsearch.count(run.agent.indices) == 84


def test_what_was_taken_is_found_through_a_torn_message_and_a_rotation_and_nothing_is_sent_twice(run: Run) -> None:
    run.kill_collector()
    run.agent.env["TAKEN_MEGABYTES"] = "16"
    run.agent.start()
    records, refused = mixed(run, 30)
    send(run, records[:15])
    run.agent.wait_for(12)
    for number in range(2):
        # Not by file: a Collector that is killed before it has noted its place takes the last lines once more.
        assert run.senders[1].send([{**run.ledger.make("large", number), "message": "x" * 9_000_000}])
        run.agent.wait_for(13 + number)
    run.kill_collector()
    taken = Path(run.agent.env["STORAGE_DIR"]) / "taken" / "logs.otlp"
    with taken.open("ab") as file:
        file.write(taken.read_bytes()[:700])  # what a kill leaves of a message
    assert len(list(taken.parent.iterdir())) > 1, "the file was not rotated"
    run.agent.start()
    send(run, records[15:])
    run.agent.wait_for(26)
    see_refused(run, 3)
    shown, said = dead_letters(run)
    assert {letter["id"]: letter["record"] for letter in shown} == {one["log_id"]: as_stored(one) for one in refused}
    assert said.startswith("otel-distro: 0 stored now; 6 refused")


def test_more_that_is_kept_than_elasticsearch_takes_in_one_request_is_stored_after_the_mend(
    elasticsearch_server: Elasticsearch,
) -> None:
    prefix = f"python-app-{uuid.uuid4().hex[:8]}"
    for name in (f"{prefix}-2026.11.24", f"rejected-{prefix}-2026.11.24"):
        elasticsearch_server.request("PUT", f"/{name}", {"mappings": {"dynamic": False}})
    document = json.dumps({"message": "x" * 9_600_000})
    for number in range(11):  # 106 MB; it takes 105
        kept = {"@timestamp": "2026-11-24T00:00:00Z", "index": f"{prefix}-2026.11.24", "record": document}
        elasticsearch_server.request("PUT", f"/rejected-{prefix}-2026.11.24/_create/r-{number}", kept)
    elasticsearch_server.refresh(f"rejected-{prefix}-*")
    letters = DeadLetters(Address.of(elasticsearch_server.url), prefix)
    assert {letter.id: letter.refused for letter in letters.send_kept()} == {f"r-{n}": False for n in range(11)}
    letters.close()
    assert elasticsearch_server.count(f"{prefix}-*") == 11
    assert elasticsearch_server.count(f"rejected-{prefix}-*") == 0
    elasticsearch_server.delete(f"*{prefix}-*")


def test_what_cannot_be_stored_at_present_is_no_dead_letter(run: Run) -> None:
    blocked, _ = (index(run, day, {}) for day in DAYS)
    run.elasticsearch.request("PUT", f"/{blocked}/_settings", {"index.blocks.write": True})
    send(run, [run.ledger.make("early", number) for number in range(9)])
    wait_until(lambda: run.agent.metric("otelcol_elasticsearch_docs_retried") >= 9, what="documents that wait")
    shown, said = dead_letters(run, code=2)
    assert shown == []
    assert f"does not take a document into {blocked} at present (403): " in said
    assert said.count("\n") == 0
    assert kept(run) == {}
    run.elasticsearch.request("PUT", f"/{blocked}/_settings", {"index.blocks.write": None})
    run.outcome(60).check()


def test_of_an_index_that_was_removed_nothing_comes_back_unless_it_is_asked_for(run: Run) -> None:
    send(run, [run.ledger.make("gone", number) for number in range(9)])
    day = run.agent.wait_for(9)[0].index
    run.elasticsearch.delete(run.agent.indices)
    word = f"otel-distro: 0 stored now; 0 refused, kept in rejected-{run.agent.prefix}-*"
    alone = f"otel-distro: 9 records left alone of {day}, which is not there: if nobody has removed it,"
    assert dead_letters(run) == ([], f"{alone} but it could not be made, --create-indices stores them\n{word}")
    assert run.elasticsearch.count(run.agent.indices) == 0
    assert dead_letters(run, "--create-indices") == ([], word.replace("0 stored", "9 stored"))
    run.outcome(60).check()


def test_what_came_while_no_index_could_be_made_is_told_of_and_stored_when_it_can(run: Run) -> None:
    index(run, DAYS[0], {})  # which is the one that there may be
    run.elasticsearch.request("PUT", "/_cluster/settings", {"persistent": {"cluster.max_shards_per_node": 1}})
    try:
        send(run, [run.ledger.make("limit", 5_000 + number) for number in range(3)])  # after midnight
        see_refused(run, 3)
        shown, said = dead_letters(run)
        assert shown == []
        assert f"3 records left alone of {run.agent.prefix}-{DAYS[1]}, which is not there" in said
    finally:
        run.elasticsearch.request("PUT", "/_cluster/settings", {"persistent": {"cluster.max_shards_per_node": None}})
    assert dead_letters(run, "--create-indices")[1].startswith("otel-distro: 3 stored now; 0 refused")
    run.outcome(60).check()


def test_what_a_blocked_index_refuses_waits_until_it_is_open_and_the_rest_is_stored_at_once(run: Run) -> None:
    blocked, _ = (index(run, day, {}) for day in DAYS)
    run.elasticsearch.request("PUT", f"/{blocked}/_settings", {"index.blocks.write": True})
    records = [run.ledger.make("early", number) for number in range(30)]  # before midnight
    records += [run.ledger.make("late", 5_000 + number) for number in range(30)]
    send(run, records)
    run.agent.wait_for(30)
    run.kill_collector()
    run.agent.start()
    send(run, [run.ledger.make("later", 6_000 + number) for number in range(30)])
    run.agent.wait_for(60)
    assert run.elasticsearch.count(blocked) == 0
    run.elasticsearch.request("PUT", f"/{blocked}/_settings", {"index.blocks.write": None})
    run.outcome(60).check()


def test_what_is_refused_for_load_is_stored_once_with_the_collector_killed_in_between(run: Run) -> None:
    run.proxy.mode = Mode.REFUSE_HALF
    send(run, [run.ledger.make("halves", number) for number in range(90)])
    wait_until(lambda: run.proxy.refused > 0, what="a refusal")
    run.kill_collector()
    run.agent.start()
    run.proxy.mode = Mode.FORWARD
    run.outcome(60).check()

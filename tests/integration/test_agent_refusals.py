"""Some documents of a request refused by the real Elasticsearch, the rest taken, the Collector killed in between."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.bulk_proxy import Mode
from tests.pipeline_faults import Run
from tests.pipeline_ledger import Record
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


def test_what_a_mapping_refuses_is_counted_and_the_rest_is_stored_once(run: Run) -> None:
    for day in DAYS:
        index(run, day, {"properties": {"order_id": {"type": "integer"}}})
    records = [run.ledger.make("mixed", number) for number in range(90)]
    for number, record in enumerate(records):
        record["order_id"] = "seven" if number % 5 == 0 else 7
    run.proxy.hold()
    send(run, records)
    wait_until(lambda: run.elasticsearch.count(run.agent.indices) > 0, what="documents of the first life")
    run.kill_collector()
    run.proxy.release()
    run.agent.start()
    run.agent.wait_for(72)
    wait_until(
        lambda: processed(run, outcome="failed_client", error_type="document_parsing_exception") == 18,
        what=lambda: f"18 counted refusals\n{run.agent.metrics}",
    )
    assert "failed to index document" in run.agent.log
    assert "version_conflict" not in run.agent.log
    outcome = run.ledger.compare(run.agent.stored())
    assert outcome.lost == {record["log_id"] for record in records if record["order_id"] == "seven"}
    assert not outcome.doubled | outcome.strange | outcome.changed


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

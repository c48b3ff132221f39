"""30,000 records by file, TCP and OTLP through the Collector while it and Elasticsearch are broken in every way."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import pipeline_faults as faults
from tests.agent_variants import stock
from tests.services.elasticsearch import Elasticsearch


@pytest.fixture
def server(elasticsearch_home: Path) -> Iterator[Elasticsearch]:
    """Give an Elasticsearch that no other test uses."""
    with Elasticsearch(elasticsearch_home) as running:
        yield running


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("files", ["elasticsearch", "elasticsearch/files"])
def test_thirty_thousand_records_are_stored_once_while_everything_is_killed(
    collector_binary: Path, server: Elasticsearch, tmp_path: Path, files: str
) -> None:
    with faults.Run(collector_binary, server, tmp_path, env={"FILES_EXPORTER": files}) as run:
        happen = [
            faults.elasticsearch_stops(100),  # longer than the exporter's own time-out of 90 s
            faults.elasticsearch_is_killed(),
            faults.elasticsearch_refuses(20),
            faults.collector_is_killed(20),
            faults.files_rotate(5),
            faults.files_wait(10),
        ]
        run.through(happen, records=30_000)
        run.outcome().check()
        assert run.taken() == run.ledger.owed


@pytest.mark.timeout(900)
def test_the_defaults_of_the_exporter_lose_records_in_the_same_run(
    collector_binary: Path, server: Elasticsearch, tmp_path: Path
) -> None:
    with faults.Run(collector_binary, server, tmp_path, [stock(tmp_path)]) as run:
        happen = [
            faults.elasticsearch_stops(100),
            faults.elasticsearch_is_killed(),
            faults.elasticsearch_refuses(20),
            faults.collector_is_killed(5),
        ]
        run.through(happen, records=3_000, to_the_end=False)
        assert run.outcome_of_what_comes().lost

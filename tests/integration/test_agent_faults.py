"""The short form of `tests/faults/test_agent_faults.py`, and the control that shows that it can fail."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import pipeline_faults as faults
from tests.agent_variants import stock
from tests.services.elasticsearch import Elasticsearch


@pytest.mark.parametrize("files", ["elasticsearch", "elasticsearch/files"])
def test_records_are_stored_once_while_everything_is_killed(
    collector_binary: Path, elasticsearch_server: Elasticsearch, tmp_path: Path, files: str
) -> None:
    with faults.Run(collector_binary, elasticsearch_server, tmp_path, env={"FILES_EXPORTER": files}) as run:
        happen = [
            faults.elasticsearch_refuses(2),
            faults.collector_is_killed(2),
            faults.files_rotate(1),
            faults.files_wait(1),
        ]
        run.through(happen, records=1_500)
        run.outcome().check()
        assert run.proxy.refused > 0
        assert run.taken() == run.ledger.owed


def test_the_defaults_of_the_exporter_lose_records(
    collector_binary: Path, elasticsearch_server: Elasticsearch, tmp_path: Path
) -> None:
    with faults.Run(collector_binary, elasticsearch_server, tmp_path, [stock(tmp_path)]) as run:
        run.through([faults.elasticsearch_refuses(4), faults.collector_is_killed(1)], records=600, to_the_end=False)
        assert run.outcome_of_what_comes().lost

"""A queue that is full: who sends is held up, nothing is lost."""

from __future__ import annotations

import time
from pathlib import Path

from tests.bulk_proxy import Mode
from tests.pipeline_faults import Fault, Run
from tests.services.elasticsearch import Elasticsearch
from tests.support import wait_until

LIMIT = 1_000_000  # not less than a batch


def fill(run: Run) -> None:
    """Refuse everything until the queue is full, and a while longer."""
    run.proxy.mode = Mode.REFUSE
    capacity = 0.8 * LIMIT
    wait_until(
        lambda: run.agent.metric("otelcol_exporter_queue_size", exporter="elasticsearch") > capacity,
        60,
        what=lambda: f"a full queue\n{run.agent.metrics[-3000:]}",
        every=0.2,
    )
    time.sleep(2)
    run.proxy.mode = Mode.FORWARD


def test_a_full_queue_holds_up_who_sends_and_loses_nothing(
    collector_binary: Path, elasticsearch_server: Elasticsearch, tmp_path: Path
) -> None:
    with Run(collector_binary, elasticsearch_server, tmp_path) as run:
        run.agent.kill()
        run.agent.env["QUEUE_BYTES"] = str(LIMIT)
        run.agent.start()
        run.through([Fault("the queue is full", 3, fill)], records=4_500)
        run.outcome().check()

"""The disk of the queue has no block left: who sends is held up, nothing is lost, and it goes on by itself."""

from __future__ import annotations

import time
from pathlib import Path

from tests.bulk_proxy import Mode
from tests.full_disk import SmallDisk
from tests.pipeline_faults import Fault, Run
from tests.services.elasticsearch import Elasticsearch
from tests.support import wait_until

LIMIT = 2_000_000
QUEUE = "exporter_elasticsearch__logs"


def fill(run: Run) -> None:
    """Take the last block while the queue grows.

    While there is none the Collector is killed and starts, and then Elasticsearch answers.
    """
    assert run.disk
    run.disk.reserve(QUEUE, 3 * LIMIT)  # as docs/pipeline.md says
    run.proxy.mode = Mode.REFUSE
    wait_until(lambda: run.agent.metric("otelcol_exporter_queue_size", exporter="elasticsearch") > LIMIT / 2, 60)
    run.disk.fill()
    wait_until(lambda: "no space left on device" in run.agent.log, what="a write that the disk refuses")
    time.sleep(2)
    run.kill_collector()
    run.agent.start()
    time.sleep(1)
    run.proxy.mode = Mode.FORWARD
    time.sleep(2)
    run.disk.free()


def test_a_disk_that_others_have_filled_holds_up_who_sends_and_loses_nothing(
    collector_binary: Path, elasticsearch_server: Elasticsearch, tmp_path: Path
) -> None:
    env = {"QUEUE_BYTES": str(LIMIT), "TAKEN_MEGABYTES": "2"}
    with (
        SmallDisk(tmp_path / "storage", 24) as disk,
        Run(collector_binary, elasticsearch_server, tmp_path, env=env, disk=disk) as run,
    ):
        run.through([Fault("the disk is full", 5, fill)], records=9_000)
        run.outcome().check()

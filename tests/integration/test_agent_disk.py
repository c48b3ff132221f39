"""The disk of the queue has no block left: with its share of it the queue loses nothing, and without it does."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Final

from tests.bulk_proxy import Mode
from tests.full_disk import QUEUE, SmallDisk
from tests.pipeline_faults import Fault, Run
from tests.processes import ROOT
from tests.services.elasticsearch import Elasticsearch
from tests.support import wait_until

LIMIT: Final = 4_000_000
MEGABYTES: Final = 40
ENV: Final = {"QUEUE_BYTES": str(LIMIT), "TAKEN_MEGABYTES": "4"}
NO_BLOCK: Final = "no space left on device"
# As the alert LogsRefusedByCollector counts, and docs/pipeline.md says.
FAILED: Final = "otelcol_exporter_send_failed_log_records"
NOT_QUEUED: Final = "otelcol_exporter_enqueue_failed_log_records"
ACCEPTED: Final = "otelcol_receiver_accepted_log_records"


def share() -> str:
    """Return the commands of docs/pipeline.md that give the queue its share, for a small queue."""
    written: str
    document = (ROOT / "docs" / "pipeline.md").read_text()
    (written,) = re.findall(r"^```sh\n([^`]*fallocate[^`]*)```", document, re.MULTILINE)
    assert QUEUE in written
    return written.replace("=4GiB", f"={4 * LIMIT}")


def refused(run: Run) -> float:
    """Return how many records the disk has refused since the Collector's start, each counted with every try."""
    return run.agent.metric(FAILED, exporter="file/taken")


def nothing_is_accepted(run: Run) -> bool:
    """Whether no record is accepted for a second."""
    accepted = run.agent.metric(ACCEPTED)
    time.sleep(1)
    return run.agent.metric(ACCEPTED) == accepted


def fill_and_kill(run: Run) -> None:
    """Take the last block while the queue grows.

    While there is none the Collector is killed and starts, and then Elasticsearch answers.
    """
    assert run.disk
    run.proxy.mode = Mode.REFUSE
    wait_until(lambda: run.agent.metric("otelcol_exporter_queue_size", exporter="elasticsearch") > LIMIT / 8, 60)
    run.disk.fill()
    wait_until(lambda: refused(run), what="a write that the disk refuses")
    wait_until(lambda: f"taken/logs.otlp: {NO_BLOCK}" in run.agent.log, what="the word on it")
    wait_until(lambda: nothing_is_accepted(run), what="the end of what was being accepted")
    tries, accepted = refused(run), run.agent.metric(ACCEPTED)
    time.sleep(1.5)
    wait_until(lambda: refused(run) > tries, what="a try that the disk refuses again")
    assert run.agent.metric(ACCEPTED) == accepted > 0
    run.kill_collector()
    run.agent.start()
    run.proxy.mode = Mode.FORWARD
    wait_until(lambda: refused(run), what="a write that the disk refuses after the start")
    time.sleep(2)
    run.disk.free()


# Slow enough that the queue has room, and the senders have records, even if the machine stops for some seconds before
# the disk is full: neither of a full queue nor of no record would the disk refuse one.
FULL: Final = Fault("the disk is full", 30, fill_and_kill)


def test_a_disk_that_others_have_filled_holds_up_who_sends_and_loses_nothing(
    collector_binary: Path, elasticsearch_server: Elasticsearch, tmp_path: Path
) -> None:
    with SmallDisk(tmp_path / "storage", MEGABYTES) as disk:
        disk.run(share())
        with Run(collector_binary, elasticsearch_server, tmp_path, env=ENV, disk=disk) as run:
            run.through([FULL], records=9_000)
            tries = refused(run)
            assert tries > 0
            run.outcome().check()  # a fresh record is accepted by each way
            assert refused(run) == tries
            assert f"{QUEUE}: {NO_BLOCK}" not in run.agent.log
            assert run.agent.metric(NOT_QUEUED) == 0


def test_a_queue_without_its_share_of_that_disk_loses_what_it_cannot_note(
    collector_binary: Path, elasticsearch_server: Elasticsearch, tmp_path: Path
) -> None:
    with (
        SmallDisk(tmp_path / "storage", MEGABYTES) as disk,
        Run(collector_binary, elasticsearch_server, tmp_path, env=ENV, disk=disk) as run,
    ):
        run.through([FULL], records=9_000)
        assert run.outcome_of_what_comes().lost
        assert f"{QUEUE}: {NO_BLOCK}" in run.agent.log

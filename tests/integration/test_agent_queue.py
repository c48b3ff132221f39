"""A queue that is full: who sends is held up, nothing is lost; what it means that a Collector ends while files wait."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import yaml

from tests.bulk_proxy import Mode
from tests.pipeline_faults import Fault, Run
from tests.pipeline_ledger import Outcome
from tests.processes import ROOT
from tests.services.elasticsearch import Elasticsearch
from tests.support import wait_until

LIMIT = 1_000_000  # not less than a batch
ENV = {"QUEUE_BYTES": str(LIMIT)}


@pytest.fixture
def run(collector_binary: Path, elasticsearch_server: Elasticsearch, tmp_path: Path) -> Iterator[Run]:
    """Start a Collector whose queue is soon full."""
    with Run(collector_binary, elasticsearch_server, tmp_path, env=ENV) as run:
        yield run


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


def fill_and_go_on(run: Run) -> None:
    """Take records again when the queue has been full."""
    fill(run)
    run.proxy.mode = Mode.FORWARD


def fill_and_kill(run: Run) -> None:
    """Kill the Collector when the queue is full."""
    fill(run)
    run.kill_collector()
    run.agent.start()
    run.proxy.mode = Mode.FORWARD


def lines_wait(run: Run) -> None:
    """Refuse what the file's own queue has in its hands."""
    wait_until(lambda: run.agent.metric("otelcol_exporter_queue_size", exporter="elasticsearch/files") > 0, 30)


def stop_while_files_wait(run: Run, number: int, wait: Callable[[Run], None] = fill) -> Outcome:
    """Let the file alone wait, end the Collector by a signal as Docker does, and start it again."""
    run.proxy.mode = Mode.REFUSE
    lines = [run.ledger.make("file", place) for place in range(6_000)]
    run.file.write(lines)
    run.ledger.owe(lines)
    wait(run)
    os.kill(run.agent.pid, number)
    with suppress(AssertionError):
        wait_until(lambda: not run.agent.running, 10)  # then it is killed
    run.agent.kill()
    run.agent.start()
    run.proxy.mode = Mode.FORWARD
    return run.outcome_of_what_comes()


def test_a_full_queue_holds_up_who_sends_and_loses_nothing(run: Run) -> None:
    run.through([Fault("the queue is full", 3, fill_and_go_on)], records=4_500)
    run.outcome().check()


def test_a_collector_that_is_killed_while_files_wait_loses_nothing(run: Run) -> None:
    run.through([Fault("killed while the queue is full", 3, fill_and_kill)], records=4_500)
    run.outcome().check()


def stop_signal() -> signal.Signals:
    """Return the signal by which compose.yaml ends the Collector."""
    compose = yaml.safe_load((ROOT / "collector-config" / "compose.yaml").read_text())
    return signal.Signals[compose["services"]["collector"].get("stop_signal", "SIGTERM")]


def test_the_stop_signal_of_compose_yaml_loses_nothing_while_files_wait(run: Run) -> None:
    stop_while_files_wait(run, stop_signal()).check()


def test_a_stop_in_order_while_files_wait_loses_the_lines_in_its_hands(run: Run) -> None:
    outcome = stop_while_files_wait(run, signal.SIGTERM)
    assert 0 < len(outcome.lost) <= 100  # of one file
    assert not outcome.doubled | outcome.strange | outcome.changed


@pytest.fixture
def waiting(collector_binary: Path, elasticsearch_server: Elasticsearch, tmp_path: Path) -> Iterator[Run]:
    """Start a Collector for which each file is its own queue."""
    files = {"FILES_EXPORTER": "elasticsearch/files"}
    with Run(collector_binary, elasticsearch_server, tmp_path, env=files) as run:
        yield run


def test_the_stop_signal_of_compose_yaml_loses_nothing_where_a_file_is_its_own_queue(waiting: Run) -> None:
    stop_while_files_wait(waiting, stop_signal(), lines_wait).check()


def test_a_stop_in_order_where_a_file_is_its_own_queue_loses_the_lines_in_its_hands(waiting: Run) -> None:
    outcome = stop_while_files_wait(waiting, signal.SIGTERM, lines_wait)
    assert 0 < len(outcome.lost) <= 100  # of one file
    assert not outcome.doubled | outcome.strange | outcome.changed

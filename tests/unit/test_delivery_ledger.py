"""What did not arrive: counted by reason, told once an outage."""

from __future__ import annotations

import logging
import os
import threading

import pytest

from otel_distro.delivery import outages
from otel_distro.delivery.ledger import EXIT, FULL, REASONS, Ledger
from otel_distro.delivery.outages import Outages
from otel_distro.testing import RecordedMetrics, otel_metrics

__all__ = ["otel_metrics"]
NAME = "otel_distro_export_dropped_total"


@pytest.fixture
def ledger(otel_metrics: RecordedMetrics, caplog: pytest.LogCaptureFixture) -> Ledger:
    caplog.set_level(logging.WARNING)
    return Ledger("logs", "here:4318", Outages())


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "otel_distro"]


def test_every_reason_is_on_the_page_from_the_start(ledger: Ledger, otel_metrics: RecordedMetrics) -> None:
    ledger.show()
    assert sorted(series["reason"] for series in otel_metrics.series(NAME)) == [
        "exit",
        "failed",
        "queue_full",
        "rejected",
    ]
    assert otel_metrics.value(NAME) == 0


def test_each_reason_is_counted(ledger: Ledger, otel_metrics: RecordedMetrics) -> None:
    ledger.drop(FULL)
    ledger.drop(EXIT, 4)
    ledger.failed(3, "refused", reachable=False)
    ledger.arrived(2, "too old")
    counts = {reason: otel_metrics.value(NAME, signal="logs", reason=reason) for reason in REASONS}
    assert counts == {"queue_full": 1, "exit": 4, "failed": 3, "rejected": 2}
    assert ledger.dropped == 10


def test_what_the_full_queue_drops_is_counted_while_nothing_arrives(
    ledger: Ledger, otel_metrics: RecordedMetrics
) -> None:
    for number in range(1, 4):
        ledger.drop(FULL)
        assert otel_metrics.value(NAME, reason=FULL) == number


def test_what_a_receiver_takes_in_part_is_told_once_with_its_reason_and_when_it_takes_all_again(
    ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3):
        ledger.arrived(2, "too old")
    assert [message.partition(":")[0] for message in told(caplog)] == ["here"]
    assert "does not take log records (partial success: too old)" in told(caplog)[0]
    other = Ledger("traces", "here:4318", ledger._outages)
    other.arrived(1)
    assert "does not take spans (partial success: no reason given)" in told(caplog)[1]
    ledger.arrived()
    other.arrived()
    assert told(caplog)[2].endswith("dropped meanwhile: 6 log records, 1 spans")


def test_what_fails_while_the_process_ends_is_counted_and_left_to_its_last_line(
    ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    ledger.failed(3, "refused", reachable=False, told=False)
    assert (ledger.dropped, ledger.why, told(caplog)) == (3, "refused", [])


def test_threads_lose_no_count(ledger: Ledger, otel_metrics: RecordedMetrics) -> None:

    def drop() -> None:
        for _ in range(2000):
            ledger.drop(FULL)

    threads = [threading.Thread(target=drop) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ledger.arrived()
    assert ledger.dropped == otel_metrics.value(NAME, reason=FULL) == 16_000


def test_counting_within_counting_does_not_hang_and_is_made_up_for(
    ledger: Ledger, otel_metrics: RecordedMetrics
) -> None:
    with ledger._publishing:  # as where a signal's handler interrupts it
        ledger.drop(EXIT)
    assert ledger.dropped == 1
    ledger.arrived()
    assert otel_metrics.value(NAME, reason=EXIT) == 1


def test_an_outage_is_one_warning_and_one_line_at_its_end(
    ledger: Ledger, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outages, "monotonic", lambda: 7.0)
    for _ in range(5):
        ledger.failed(10, "Connection refused", reachable=False)
    assert len(told(caplog)) == 1
    assert told(caplog)[0].startswith("here:4318 does not take log records (Connection refused)")
    for _ in range(5):
        ledger.arrived()
    assert len(told(caplog)) == 2
    assert told(caplog)[1] == "here:4318 takes log records again after 0 s; dropped meanwhile: 50 log records"
    ledger.failed(1, "x", reachable=False)
    assert len(told(caplog)) == 3


def test_what_a_batch_arrived_beside_is_told_when_the_queue_was_full(
    ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    ledger.drop(FULL, 7)
    ledger.arrived()
    assert "slower than they are made" in told(caplog)[0]
    ledger.arrived()
    assert "dropped meanwhile: 7 log records" in told(caplog)[1]


def test_a_forked_child_publishes_only_its_own(ledger: Ledger) -> None:
    ledger._dropped[FULL] = 5  # counted, and not yet published
    ledger._publishing.acquire()  # as another thread has it at the moment of the fork
    child = os.fork()
    if child == 0:
        begun = ledger._published == ledger._dropped
        ledger.drop(FULL)
        os._exit(0 if begun and ledger._published[FULL] == 6 else 1)
    ledger._publishing.release()
    assert os.waitpid(child, 0)[1] == 0


def test_a_queue_that_ran_full_in_an_outage_is_no_second_outage(
    ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    ledger.failed(3, "500 Internal Server Error", reachable=True)
    ledger.drop(FULL, 2)
    ledger.arrived()
    ledger.arrived()
    assert [line.partition(": ")[0] for line in told(caplog)] == [
        "here:4318 does not take log records (500 Internal Server Error)",
        "here:4318 takes log records again after 0 s; dropped meanwhile",
    ]
    assert told(caplog)[-1].endswith("5 log records")

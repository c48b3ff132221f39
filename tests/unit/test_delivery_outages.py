"""Outages of several signals to one endpoint."""

from __future__ import annotations

import logging
import os

import pytest

from otel_distro.delivery.outages import Outages


class Sending:
    def __init__(self, signal: str, endpoint: str = "here:4318") -> None:
        self.signal, self.endpoint, self.dropped = signal, endpoint, 0


@pytest.fixture(autouse=True)
def _level(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)


def test_an_endpoint_that_nobody_reaches_is_told_once_for_all_signals(caplog: pytest.LogCaptureFixture) -> None:
    outages, spans, logs = Outages(), Sending("traces"), Sending("logs")
    outages.began(spans, 0, "refused", reachable=False)
    outages.began(logs, 0, "refused", reachable=False)
    spans.dropped, logs.dropped = 3, 4
    outages.ended(spans)
    outages.began(spans, 3, "refused", reachable=False)
    assert len(caplog.records) == 1
    outages.ended(logs)
    outages.ended(spans)
    [_, line] = caplog.messages
    assert line.startswith("here:4318 takes spans and log records again")
    assert line.endswith("dropped meanwhile: 3 spans, 4 log records")


def test_an_answer_that_refuses_is_told_of_each_signal(caplog: pytest.LogCaptureFixture) -> None:
    outages = Outages()
    for _ in range(3):
        for signal in ("traces", "logs"):
            outages.began(Sending(signal), 0, "404 Not Found", reachable=True)
    assert len(caplog.records) == 2


def test_each_endpoint_has_its_own(caplog: pytest.LogCaptureFixture) -> None:
    outages, here, there = Outages(), Sending("logs"), Sending("logs", "there:1")
    outages.began(here, 0, "x", reachable=False)
    outages.began(there, 0, "x", reachable=False)
    outages.ended(there)
    assert [message.split()[0] for message in caplog.messages] == ["here:4318", "there:1", "there:1"]


def test_what_was_well_all_the_time_is_not_told(caplog: pytest.LogCaptureFixture) -> None:
    Outages().ended(Sending("logs"))
    assert caplog.messages == []


def test_a_forked_child_begins_without_its_parents() -> None:
    outages = Outages()
    outages.began(Sending("logs"), 0, "x", reachable=False)
    child = os.fork()
    if child == 0:
        os._exit(len(outages._known))
    assert os.waitpid(child, 0)[1] == 0

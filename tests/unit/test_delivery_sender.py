"""Whether a batch arrived, and what exporters log of it."""

from __future__ import annotations

import logging
from time import monotonic
from typing import Any

import pytest

from otel_distro.delivery.attempts import Attempt
from otel_distro.delivery.sender import Sender


class Exporter:
    """Answers as it is told, and logs as the real ones do."""

    def __init__(self, answer: Any, line: str = "") -> None:
        self._answer = answer
        self._line = line
        self.calls = 0

    def export(self, batch: Any) -> Any:
        self.calls += 1
        if self._line:
            logging.getLogger(__name__).warning(self._line)
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer

    def shutdown(self) -> None:
        raise RuntimeError("wanted")


class Success:
    name = "SUCCESS"


class Failure:
    name = "FAILURE"


@pytest.mark.parametrize(
    ("answer", "attempt"),
    [
        (Success(), Attempt(True)),
        (Failure(), Attempt(False, "the exporter gave it up")),
        (None, Attempt(False, "the exporter gave it up")),
        (OSError(28, "No space left on device"), Attempt(False, "No space left on device")),
    ],
)
def test_an_answer_of_any_exporter_is_understood(answer: Any, attempt: Attempt) -> None:
    sender = Sender("logs", Exporter(answer))
    sender.hurry(monotonic() + 10)
    assert sender.send([1]) == attempt
    sender.close()


def test_lines_of_attempts_are_not_logged_but_all_others(caplog: pytest.LogCaptureFixture) -> None:
    for line in ("Transient error %s", "Failed to export batch", "certificate file not found"):
        Sender("logs", Exporter(Success(), line)).send([1])
    logging.getLogger(__name__).warning("Failed to export by somebody else")
    assert caplog.messages == ["certificate file not found", "Failed to export by somebody else"]


def test_no_more_can_be_rejected_than_was_sent_whatever_a_receiver_says() -> None:
    sender = Sender("logs", Exporter(Success()))
    sender.note(5, Attempt(True, "no", rejected=10**9))
    assert sender.ledger.dropped == 5

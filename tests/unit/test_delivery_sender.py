"""Whether a batch arrived, and what exporters log of it."""

from __future__ import annotations

import logging
import threading
from time import monotonic
from typing import Any

import pytest

from otel_distro.delivery import sender as module
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
        (None, Attempt(True)),  # the SDK does not ask, so many an exporter returns nothing
        (OSError(28, "No space left on device"), Attempt(False, "No space left on device")),
    ],
)
def test_an_answer_of_any_exporter_is_understood(answer: Any, attempt: Attempt) -> None:
    sender = Sender("logs", Exporter(answer))
    sender.hurry(monotonic() + 10)
    assert sender.send([1]) == attempt
    sender.close()


@pytest.mark.parametrize("signal", ["traces", "metrics", "logs"])
def test_what_the_first_request_needs_is_loaded_where_a_fork_waits(
    signal: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = threading.Lock()
    loaded: dict[str, bool] = {}
    monkeypatch.setattr(module, "loading", lambda: held)
    monkeypatch.setattr(module, "import_module", lambda name: loaded.update({name: held.locked()}))
    exporter: Any = Exporter(Success())
    exporter._endpoint = "http://here:4318"
    assert Sender(signal, exporter).send([1]).delivered
    own = {"traces": {"otel_distro.span_masking"}, "metrics": {"otel_distro.otlp_metrics"}, "logs": set()}
    assert loaded == dict.fromkeys({"encodings.idna", *own[signal]}, True)


def test_lines_of_attempts_are_not_logged_but_all_others(caplog: pytest.LogCaptureFixture) -> None:
    for line in (
        *("Transient error %s", "Failed to export batch", "Failed to encode the batch"),
        *("Shutdown in progress", "Exporter already shutdown", "certificate file not found"),
    ):
        Sender("logs", Exporter(Success(), line)).send([1])
    logging.getLogger(__name__).warning("Failed to export by somebody else")
    assert caplog.messages == ["certificate file not found", "Failed to export by somebody else"]


def test_no_more_can_be_rejected_than_was_sent_whatever_a_receiver_says() -> None:
    sender = Sender("logs", Exporter(Success()))
    sender.note(5, Attempt(True, "no", rejected=10**9))
    assert sender.ledger.dropped == 5


@pytest.mark.parametrize(
    ("last", "answer", "attempt"),
    [
        (Attempt(True, "one too many", rejected=1), Success(), Attempt(True, "one too many", rejected=1)),
        (Attempt(False, "308 Permanent Redirect"), Success(), Attempt(False, "308 Permanent Redirect")),
        (Attempt(False, "503 Busy", again=True), Failure(), Attempt(False, "503 Busy", again=True)),
        (Attempt(True), Failure(), Attempt(False, "the exporter gave it up")),
    ],
)
def test_what_is_known_of_the_last_request_goes_before_what_an_exporter_says(
    last: Attempt, answer: Any, attempt: Attempt
) -> None:
    class Watched(Exporter):
        def export(self, batch: Any) -> Any:
            sender._attempts.last = last
            return super().export(batch)

    sender = Sender("logs", Watched(answer))
    assert sender.send([1]) == attempt


def test_nothing_is_known_by_a_request_of_another_batch() -> None:
    sender = Sender("logs", Exporter(Failure()))
    sender._attempts.last = Attempt(False, "503 Busy", again=True)
    assert sender.send([1]) == Attempt(False, "the exporter gave it up")


def test_what_is_on_its_way_waits_for_an_answer_or_has_failed_before() -> None:
    sender = Sender("logs", Exporter(Success()))
    for last, why in ((None, "no answer in time"), (Attempt(True), "no answer in time"), (Attempt(False, "x"), "x")):
        sender._why, sender._attempts.last = "no answer in time", last
        sender.explain()
        assert sender.ledger.why == why

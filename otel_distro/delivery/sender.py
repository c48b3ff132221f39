"""Sends batches by an exporter, and says of each whether it arrived."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from importlib import import_module
from time import sleep
from typing import Any, Final

from otel_distro.delivery.attempts import Attempt, Attempts
from otel_distro.delivery.ledger import FAILED, Ledger
from otel_distro.delivery.outages import NOUNS
from otel_distro.delivery.worker import loading

_BETWEEN: Final = 0.1  # seconds between two attempts of a batch when time runs out
# What exporters log of each failed attempt; one warning an outage stands in its place.
_LINES: Final = (
    "Transient error", "Failed to export", "Failed to encode", "Shutdown in progress", "Exporter already shutdown",
)  # fmt: skip
_ENCODERS: Final = {"traces": "encode_spans", "metrics": "encode_metrics", "logs": "encode_logs"}
# What the first request loads that a start does not pay for; Python has the one of hosts that are looked up.
_LOADED: Final = {
    "traces": ("encodings.idna", "otel_distro.span_masking"),
    "metrics": ("encodings.idna", "otel_distro.otlp_metrics"),
    "logs": ("encodings.idna",),
}
_SPARES: Final = "otel_distro_spares"
_exporting: Final = threading.local()
_logger: Final = logging.getLogger("otel_distro")


class Sender:
    """One exporter with its ledger; to be used by one thread, but for `hurry`, `relax` and `close`."""

    def __init__(self, signal: str, exporter: Any) -> None:
        self.exporter = exporter
        self._attempts = Attempts(signal, exporter)
        self._told = False
        self.ledger = Ledger(signal, self._attempts.endpoint)
        self._why = ""
        self.hurry = self._attempts.hurry
        self.relax = self._attempts.relax
        for name in {type(exporter).__module__, "opentelemetry.exporter.otlp.proto.grpc.exporter"}:
            logging.getLogger(name).addFilter(_without_attempts)
        _spare_the_rest(exporter, _ENCODERS[signal])

    def send(self, batch: Any, *arguments: Any, **named: Any) -> Attempt:
        """Send a batch, again and again while there is a deadline that is not over and another attempt may help."""
        self._why = "no answer in time"
        while True:
            attempt = self._tried(batch, *arguments, **named)
            self._why = attempt.why
            if attempt.delivered or not attempt.again or not self._attempts.hurried:
                return attempt
            sleep(_BETWEEN)

    def note(self, number: int, attempt: Attempt) -> None:
        """Enter into the ledger what came of a batch with so many items."""
        number -= attempt.spoilt
        if attempt.spoilt:
            self.spoilt(attempt.spoilt, attempt.of_spoilt)
        if attempt.delivered:
            self.ledger.arrived(min(attempt.rejected, number), attempt.why)  # whatever a receiver says
        elif number:
            # At the end of a process one line tells it all.
            self.ledger.failed(number, attempt.why, reachable=not attempt.again, told=not self._attempts.ending)

    def spoilt(self, number: int, why: str) -> None:
        """Enter into the ledger what no request can be made of; the first time it is told."""
        self.ledger.why = why = self._attempts.reasons.short(why)
        self.ledger.drop(FAILED, number)
        if not self._told and not self._attempts.ending:
            self._told = True
            _logger.warning(
                "%s that cannot be encoded are dropped, and counted in otel_distro_export_dropped_total (%s); "
                "all others are sent",
                NOUNS[self.ledger.signal],
                why,
            )

    def explain(self) -> None:
        """Enter into the ledger why what is on its way has not arrived yet."""
        last = self._attempts.last
        self.ledger.why = last.why if last is not None and not last.delivered else self._why

    def close(self) -> None:
        """Let the exporter end, whatever it is doing; never raises."""
        try:
            self.exporter.shutdown()
        except Exception:
            logging.getLogger(__name__).debug("an exporter did not end well", exc_info=True)

    def _tried(self, batch: Any, *arguments: Any, **named: Any) -> Attempt:
        _exporting.spoilt = (0, "")
        attempt = self._exported(batch, *arguments, **named)
        number, why = _exporting.spoilt
        return replace(attempt, spoilt=number, of_spoilt=why) if number else attempt

    def _exported(self, batch: Any, *arguments: Any, **named: Any) -> Attempt:
        self._attempts.last = None
        _exporting.by_us = True
        try:
            if self.ledger.endpoint:
                with loading():
                    for name in _LOADED[self.ledger.signal]:
                        import_module(name)
            result = self.exporter.export(batch, *arguments, **named)
        except Exception as error:  # noqa: BLE001 -- an exporter of any make
            return Attempt(False, self._attempts.reasons.of(error))
        finally:
            _exporting.by_us = False
        last = self._attempts.last
        if result is None or getattr(result, "name", "") == "SUCCESS":
            # An exporter of the user's may say nothing, as the SDK does not ask; one takes a redirection for a success.
            return last or Attempt(True)
        return last if last is not None and not last.delivered else Attempt(False, "the exporter gave it up")


def _without_attempts(record: logging.LogRecord) -> bool:
    return not (getattr(_exporting, "by_us", False) and str(record.msg).startswith(_LINES))


def _spare_the_rest(exporter: Any, name: str) -> None:
    """Have an exporter's module encode what it can of a batch and leave out the rest; another module stays as it is."""
    module: Any = sys.modules[type(exporter).__module__]
    encode: Callable[[Any], Any] | None = getattr(module, name, None)
    if encode is None or hasattr(encode, _SPARES):
        return

    @wraps(encode)
    def encode_what_can_be(batch: Any) -> Any:
        try:
            return encode(batch)
        except Exception:
            if not getattr(_exporting, "by_us", False):
                raise  # an exporter of the application's own
            with loading():
                from otel_distro.delivery import spoilt

            rest, *_exporting.spoilt = spoilt.without(batch, encode)
            if rest is None:
                raise
            return encode(rest)

    setattr(encode_what_can_be, _SPARES, True)
    setattr(module, name, encode_what_can_be)

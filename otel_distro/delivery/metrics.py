"""Metrics that are sent every minute or so: a reader that can end within a given time, and says what did not arrive."""

from __future__ import annotations

import os
from time import monotonic
from typing import Any

from opentelemetry.sdk.metrics.export import MetricReader, MetricsData

from otel_distro.delivery.ledger import EXIT
from otel_distro.delivery.sender import Sender
from otel_distro.delivery.worker import Worker


class PeriodicReader(MetricReader):
    """Collects and sends every so many seconds, in the place of the SDK's own.

    Thread and fork safe. What does not arrive is counted in points; later ones of a sum say what these had to say.
    """

    def __init__(self, sender: Sender, seconds: float, limit: float = 3.0) -> None:
        exporter = sender.exporter
        super().__init__(
            preferred_temporality=getattr(exporter, "_preferred_temporality", None),
            preferred_aggregation=getattr(exporter, "_preferred_aggregation", None),
        )
        self.sender = sender
        self.ledger = sender.ledger
        self._limit = limit
        self._closed = False
        self._waiter: Any = None
        self._after_fork()
        os.register_at_fork(after_in_child=self._after_fork)
        self._worker = Worker("OtelDistroMetrics", seconds, self._work)

    def _after_fork(self) -> None:
        self._flying: list[int] = []
        self.sender.relax()

    def hurry(self, deadline: float) -> None:
        """Begin to send what there is, to be done by the deadline (`time.monotonic`)."""
        self.sender.hurry(deadline)
        self._waiter = self._worker.ask()

    def wait(self, deadline: float) -> None:
        """Wait for it, and give up what is not sent by then."""
        if not self._waiter.acquire(timeout=max(0.0, deadline - monotonic())):
            self._give_up()
        self.sender.relax()

    def close(self) -> None:
        """End for good."""
        if not self._closed:
            self._closed = True
            self._worker.stop()
            self._give_up()
            self.sender.close()
            self._worker.join(0.05)  # as in `outbox`

    def shutdown(self, timeout_millis: float = 30_000, **_: Any) -> None:
        """Send what there is, within the limit of the end of a process, and end."""
        if not self._closed:
            deadline = monotonic() + min(self._limit, timeout_millis / 1000)
            self.hurry(deadline)
            self.wait(deadline)
            self.close()

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """Send what there is."""
        return bool(self._worker.ask().acquire(timeout=max(0.0, timeout_millis / 1000)))

    def _work(self, rung: bool, everything: bool) -> None:  # noqa: ARG002 -- whoever comes, all is collected
        if not self._closed:
            self.collect()

    def _receive_metrics(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **_: Any) -> None:
        number = sum(
            len(metric.data.data_points)
            for resource in metrics_data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        )
        self._flying.append(number)
        attempt = self.sender.send(metrics_data, timeout_millis=timeout_millis)
        if self._flying:
            self._flying.clear()
            self.sender.note(number, attempt)

    def _give_up(self) -> None:
        flying, self._flying = self._flying, []
        if flying:
            self.sender.explain()
            self.ledger.drop(EXIT, sum(flying))

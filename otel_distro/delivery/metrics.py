"""Metrics that are sent every minute or so: a reader that can end within a given time, and says what did not arrive."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from opentelemetry.sdk.metrics.export import MetricReader, MetricsData

from otel_distro.delivery.closing import Closing
from otel_distro.delivery.ledger import EXIT
from otel_distro.delivery.sender import Sender


class PeriodicReader(Closing, MetricReader):
    """Collects and sends every so many seconds, in the place of the SDK's own.

    Thread and fork safe. What does not arrive is counted in points; later ones of a sum say what these had to say.
    `form_of` makes of what is collected what the exporter can send. The SDK gives up a collection whose callbacks have
    not answered after `patience` seconds.
    """

    def __init__(
        self,
        sender: Sender,
        seconds: float,
        limit: float = 3.0,
        form_of: Callable[[MetricsData], MetricsData] | None = None,
        patience: float = 30.0,
    ) -> None:
        exporter = sender.exporter
        self._form_of = form_of
        self._patience = patience * 1000
        super().__init__(
            preferred_temporality=getattr(exporter, "_preferred_temporality", None),
            preferred_aggregation=getattr(exporter, "_preferred_aggregation", None),
        )
        self._open("OtelDistroMetrics", sender, seconds, limit)

    def _forget(self) -> None:
        self._flying: list[int] = []

    def shutdown(self, timeout_millis: float = 30_000, **_: Any) -> None:
        """Send what there is, within the limit of the end of a process, and end."""
        self.end(timeout_millis / 1000)

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """Send what there is."""
        return self.flush(timeout_millis / 1000)

    def _work(self, rung: bool, everything: bool) -> None:  # noqa: ARG002 -- whoever comes, all is collected
        if not self._closed:
            self.collect(timeout_millis=self._patience)

    def _receive_metrics(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **_: Any) -> None:
        number = sum(
            len(metric.data.data_points)
            for resource in metrics_data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        )
        self._flying.append(number)
        made = metrics_data if self._form_of is None else self._form_of(metrics_data)
        attempt = self.sender.send(made, timeout_millis=timeout_millis)
        if self._flying:
            self._flying.clear()
            self.sender.note(number, attempt)

    def _give_up(self) -> None:
        flying, self._flying = self._flying, []
        if flying:
            self.sender.explain()
            self.ledger.drop(EXIT, sum(flying))

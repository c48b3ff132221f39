"""Metrics that are sent now and then, and at the end."""

from __future__ import annotations

import os
import threading
from typing import Any

from opentelemetry.sdk.metrics import Counter, MeterProvider, UpDownCounter
from opentelemetry.sdk.metrics.export import AggregationTemporality, MetricsData
from opentelemetry.sdk.metrics.view import DropAggregation

from otel_distro.delivery.metrics import PeriodicReader
from otel_distro.delivery.sender import Sender
from tests.support import wait_until


class Result:
    def __init__(self, name: str) -> None:
        self.name = name


class Exporter:
    _preferred_temporality = None
    _preferred_aggregation = None

    def __init__(self, name: str = "SUCCESS") -> None:
        self.values: list[list[Any]] = []
        self.gate = threading.Event()
        self.gate.set()
        self._name = name

    def export(self, data: MetricsData, timeout_millis: float = 0) -> Result:
        self.gate.wait(20)
        metrics = [metric for r in data.resource_metrics for scope in r.scope_metrics for metric in scope.metrics]
        self.values.append([point.value for metric in metrics for point in metric.data.data_points])  # type: ignore[union-attr]
        return Result(self._name)

    def shutdown(self) -> None:
        pass


def reader_of(exporter: Exporter, seconds: float = 600, limit: float = 60) -> tuple[PeriodicReader, Any, MeterProvider]:
    reader = PeriodicReader(Sender("metrics", exporter), seconds, limit)
    provider = MeterProvider([reader], shutdown_on_exit=False)
    return reader, provider.get_meter("test").create_counter("work"), provider


def test_what_is_measured_is_sent_when_its_time_has_come_and_at_the_end() -> None:
    exporter = Exporter()
    _, counter, provider = reader_of(exporter, 0.01)
    counter.add(1)
    wait_until(lambda: [1] in exporter.values)
    counter.add(2)
    provider.shutdown()
    assert exporter.values[-1] == [3]


def test_a_flush_sends_now() -> None:
    exporter = Exporter()
    _, counter, provider = reader_of(exporter)
    counter.add(1)
    assert provider.force_flush()
    assert exporter.values == [[1]]
    provider.shutdown()


def test_points_that_are_given_up_are_counted() -> None:
    reader, counter, provider = reader_of(Exporter("FAILURE"))
    counter.add(1, {"a": 1})
    counter.add(1, {"a": 2})
    provider.force_flush()
    assert reader.ledger.dropped == 2
    provider.shutdown()
    assert reader.ledger.dropped == 4


def test_an_exporter_that_hangs_does_not_hold_the_end_and_its_points_are_counted_once() -> None:
    exporter = Exporter()
    exporter.gate.clear()
    reader, counter, provider = reader_of(exporter, limit=0.2)
    counter.add(1)
    provider.shutdown()
    assert (reader.ledger.dropped, reader.ledger.why) == (1, "no answer in time")
    exporter.gate.set()
    reader._worker.join(10)
    assert reader.ledger.dropped == 1


def test_a_forked_child_sends_by_itself() -> None:
    exporter = Exporter()
    _, counter, provider = reader_of(exporter)
    counter.add(1)
    child = os.fork()
    if child == 0:
        provider.force_flush()
        os._exit(0 if exporter.values else 1)
    assert os.waitpid(child, 0)[1] == 0
    provider.shutdown()


def test_who_flushes_or_ends_it_gives_the_time_in_milliseconds() -> None:
    exporter = Exporter()
    exporter.gate.clear()
    reader, counter, _ = reader_of(exporter)
    counter.add(1)
    assert not reader.force_flush(10)
    reader.shutdown(10)
    assert reader.ledger.dropped == 1
    exporter.gate.set()


def test_an_exporter_says_which_temporality_and_aggregation_it_wants() -> None:
    exporter: Any = Exporter()
    exporter._preferred_temporality = {Counter: AggregationTemporality.DELTA}
    exporter._preferred_aggregation = {UpDownCounter: DropAggregation()}
    _, counter, provider = reader_of(exporter)
    provider.get_meter("test").create_up_down_counter("waiting").add(5)
    for amount in (1, 2):
        counter.add(amount)
        provider.force_flush()
    assert exporter.values == [[1], [2]]
    provider.shutdown()

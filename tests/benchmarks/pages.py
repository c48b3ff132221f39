"""The metrics pages whose cost is compared: a counter with three labels, of one process or of four."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from prometheus_client import REGISTRY, CollectorRegistry, Counter, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from otel_distro.metrics import streams
from otel_distro.metrics.limits import Limits
from otel_distro.metrics.reader import PrometheusReader
from otel_distro.metrics.streams import Stream
from tests.shared_metrics import Worker, in_child

PROCESSES: Final = 4
_STREAM: Final = Stream("requests", streams.COUNTER, "", "Requests.")
_LABELS: Final = ("endpoint", "method", "status")

Page = Callable[[], bytes]


def _labels(number: int) -> tuple[str, str, str]:
    return f"/api/orders/{number}", "GET", "200"


class SharedPage:
    """Four workers with all series, and the page of the group."""

    def __init__(self, folder: Path, size: int, recycled: int = 0) -> None:
        from opentelemetry.sdk.metrics import MeterProvider

        folder.mkdir()
        self.size = size
        self.expected = size * PROCESSES
        self.reader = PrometheusReader(folder=folder, target_info=False)
        self._provider = MeterProvider([self.reader], shutdown_on_exit=False)
        for begin in range(0, recycled, 25):
            # In another process, as the memory of workers is not the reader's; every series in some of them.
            in_child(lambda begin=begin: self._end_some(folder, begin))  # type: ignore[misc]
            self.page()
        self.expected += sum(len(range(number % 10, size, 10)) for number in range(recycled))
        self.workers = [self._worker(folder, f"{number}-alive", range(size)) for number in range(PROCESSES)]
        for _ in range(2):
            self.page()

    def _end_some(self, folder: Path, begin: int) -> None:
        for number in range(begin, begin + 25):
            self._worker(folder, f"{number}-ended", range(number % 10, self.size, 10)).die()

    def _worker(self, folder: Path, name: str, numbers: range) -> Worker:
        worker = Worker(folder, name)
        # Each process meets its series in an order of its own.
        for number in random.Random(name).sample(numbers, len(numbers)):
            worker.record(_STREAM, 1, *zip(_LABELS, _labels(number), strict=True))
        return worker

    def page(self) -> bytes:
        """Return the page of the group."""
        return self.reader.page()


def _own(_: Path, size: int) -> Page:
    reader = PrometheusReader(target_info=False, limits=Limits(size))
    _count_by_api(reader, size)
    return reader.page


def _own_shared(folder: Path, size: int) -> Page:
    return SharedPage(folder, size).page


def _stock(_: Path, size: int) -> Page:
    from opentelemetry.exporter.prometheus import PrometheusMetricReader

    # The stock reader has no registry of its own: it is taken out of the common one again.
    reader = PrometheusMetricReader()
    collector = reader._collector
    REGISTRY.unregister(collector)
    registry = CollectorRegistry()
    registry.register(collector)
    _count_by_api(reader, size)
    return lambda: generate_latest(registry)


def _count_by_api(reader: Any, size: int) -> None:
    from opentelemetry.sdk.metrics import MeterProvider

    provider = MeterProvider([reader], shutdown_on_exit=False)
    counter = provider.get_meter("bench").create_counter("requests", description="Requests.")
    for number in range(size):
        counter.add(1, dict(zip(_LABELS, _labels(number), strict=True)))


def _client(_: Path, size: int) -> Page:
    registry = CollectorRegistry()
    count_by_client(registry, size)
    return lambda: generate_latest(registry)


def count_by_client(registry: CollectorRegistry, size: int) -> None:
    """Count each series once with prometheus_client, into files where its variable for them is set."""
    counter = Counter("requests", "Requests.", _LABELS, registry=registry)
    for number in range(size):
        counter.labels(*_labels(number)).inc()


def _client_shared(folder: Path, size: int) -> Page:
    folder.mkdir()
    for _ in range(PROCESSES):
        # The library decides for its process mode when it is imported.
        subprocess.run(
            [sys.executable, "-m", "tests.benchmarks.page_cost", "--fill", str(size)],
            env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(folder)},
            check=True,
        )
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=str(folder))  # type: ignore[no-untyped-call]
    return lambda: generate_latest(registry)


# Each page, what it is compared with, and what the sum of its series has to be in multiples of their number.
WAYS: Final[dict[str, tuple[Callable[[Path, int], Page], str, int]]] = {
    "prometheus_client": (_client, "prometheus_client", 1),
    "prometheus_client again": (_client, "prometheus_client", 1),
    "ours": (_own, "prometheus_client", 1),
    "stock OpenTelemetry": (_stock, "prometheus_client", 1),
    "prometheus_client, 4 processes": (_client_shared, "prometheus_client, 4 processes", PROCESSES),
    "ours, 4 processes": (_own_shared, "prometheus_client, 4 processes", PROCESSES),
}

"""prometheus_client's metrics do not keep a forked child waiting."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Summary

from otel_distro.internals import renew_meter_locks
from otel_distro.metrics.foreign import renew_locks
from otel_distro.metrics.reader import PrometheusReader
from tests.shared_metrics import in_child


@contextmanager
def _held(*locks: Any) -> Iterator[None]:
    """Let another thread hold the locks for the time of the block."""
    taken, done = threading.Event(), threading.Event()

    def hold() -> None:
        with ExitStack() as stack:
            for lock in locks:
                stack.enter_context(lock)
            taken.set()
            done.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    taken.wait(60)
    try:
        yield
    finally:
        done.set()
        thread.join()


def test_a_childs_page_waits_for_no_lock_that_a_thread_of_the_parent_held() -> None:
    registry = CollectorRegistry()
    counter = Counter("jobs", "", ["kind"], registry=registry)
    child = counter.labels("a")
    child.inc()
    gauge, took = Gauge("level", "", registry=registry), Histogram("took", "", registry=registry)
    size = Summary("size", "", registry=registry)
    took.observe(1)
    size.observe(1)
    reader = PrometheusReader(registries=[registry])
    provider = MeterProvider([reader], shutdown_on_exit=False)

    def page() -> None:
        reader.after_fork()
        counter.labels("b").inc()
        assert b'jobs_total{kind="a"} 1' in reader.page()

    parts: list[Any] = [registry, counter, child._value, gauge._value, took._buckets[0], took._sum, size._count]
    with _held(*(part._lock for part in parts)):
        in_child(page, timeout=10)
    provider.shutdown()


def test_a_child_gets_meters_and_instruments_whatever_a_thread_of_the_parent_was_making() -> None:
    reader = PrometheusReader()
    provider: Any = MeterProvider([reader], shutdown_on_exit=False)
    meter = provider.get_meter("known")

    def make() -> None:
        renew_meter_locks(provider)
        reader.after_fork()
        meter.create_counter("a").add(1)
        provider.get_meter("new").create_counter("b").add(1)
        assert b"b_total 1" in reader.page()

    with _held(provider._meter_lock, meter._instrument_registration_lock):
        in_child(make, timeout=10)
    provider.shutdown()


@pytest.mark.parametrize("registry", [object(), CollectorRegistry()])
def test_what_has_no_locks_is_left_alone(registry: Any) -> None:
    renew_locks(registry)

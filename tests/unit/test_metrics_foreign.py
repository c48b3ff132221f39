"""prometheus_client's metrics do not keep a forked child waiting."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.metrics._internal import _ProxyMeterProvider
from opentelemetry.sdk.metrics import MeterProvider
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Summary

from otel_distro.internals import renew_meter_locks
from otel_distro.metrics.foreign import DefaultRegistry, after_fork, registries_of, renew_locks
from otel_distro.metrics.reader import PrometheusReader
from otel_distro.settings import Settings
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


def test_a_fork_in_the_midst_of_the_first_pages_import_does_not_wait_for_itself() -> None:
    def fork_in_the_midst() -> None:
        registry = DefaultRegistry()
        with registry._lock:  # as a signal handler finds it
            in_child(lambda: None)

    in_child(fork_in_the_midst)


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
    parts += [reader, reader.store]
    with _held(*(part._lock for part in parts)):
        in_child(page)
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
        in_child(make)
    provider.shutdown()


def test_a_child_has_a_free_lock_of_the_librarys_own_registry() -> None:
    registry = DefaultRegistry()
    (default,) = registry

    def page() -> None:
        after_fork(registry)
        assert default._lock.acquire(timeout=30)

    with _held(default._lock):
        in_child(page)


@pytest.mark.parametrize("registry", [object(), CollectorRegistry()])
def test_what_has_no_locks_is_left_alone(registry: Any) -> None:
    renew_locks(registry)


IMPORTED_WHILE_FORKING = """
import os, signal, sys, threading
from otel_distro.metrics.foreign import DefaultRegistry, after_fork

registry = DefaultRegistry()
importing = threading.Event()

class Slow:
    def find_spec(self, name, *_):
        if name == "prometheus_client.registry":
            importing.set()
            threading.Event().wait(0.3)

after_fork(registry)
assert "prometheus_client" not in sys.modules
sys.meta_path.insert(0, Slow())
threading.Thread(target=list, args=[registry], daemon=True).start()
assert importing.wait(30)
child = os.fork()
if not child:
    signal.alarm(20)  # a child that waits for ever is killed
    after_fork(registry)
    (found,) = registry
    os._exit(0 if list(found.collect()) else 1)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_child_that_is_forked_while_a_thread_imports_the_library_has_its_metrics() -> None:
    done = subprocess.run([sys.executable, "-c", IMPORTED_WHILE_FORKING], capture_output=True, text=True, check=True)
    assert done.stdout == "0\n"


@pytest.mark.parametrize("kind", [threading.Lock, threading.RLock])
def test_a_lock_of_either_kind_is_replaced_by_a_free_one_of_its_kind(kind: Any) -> None:
    registry: Any = CollectorRegistry()
    held = registry._lock = kind()
    renew_locks(registry)
    assert type(registry._lock) is type(held)
    assert registry._lock is not held


COUNTED = """
import prometheus_client
prometheus_client.Counter("jobs", "").inc(2)
"""


def test_in_the_process_mode_of_the_library_the_page_shows_what_its_files_say(tmp_path: Path) -> None:
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    for _ in range(2):
        subprocess.run([sys.executable, "-c", COUNTED], check=True, env=environment)
    reader = PrometheusReader(registries=registries_of(Settings.from_environ(environment)))
    provider = MeterProvider([reader], shutdown_on_exit=False)
    assert b"jobs_total 4.0\n" in reader.page()
    provider.shutdown()


def test_a_folder_of_the_library_that_is_none_costs_its_metrics_alone_and_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    named = str(tmp_path / "none")
    reader = PrometheusReader(registries=registries_of(Settings.from_environ({"PROMETHEUS_MULTIPROC_DIR": named})))
    provider = MeterProvider([reader], shutdown_on_exit=False)
    provider.get_meter("a").create_counter("hits").add(3)
    assert b"hits_total 3\n" in reader.page()
    (message,) = caplog.messages
    assert f"PROMETHEUS_MULTIPROC_DIR={named} is no folder" in message
    provider.shutdown()


def test_a_child_gets_series_and_a_page_whatever_a_thread_of_the_parent_was_making() -> None:
    reader = PrometheusReader()
    provider: Any = MeterProvider([reader], shutdown_on_exit=False)
    counter = provider.get_meter("known").create_counter("a")
    counter.add(1)
    (storage,) = provider._measurement_consumer._reader_storages.values()

    def make() -> None:
        reader.after_fork()
        counter.add(1, {"b": "c"})
        assert b'a_total{b="c"} 1' in reader.page()

    for lock in (storage._lock, *(match._lock for match in storage.matches())):
        with _held(lock):
            in_child(make, timeout=30)
    provider.shutdown()


def test_a_child_of_a_process_that_has_set_no_provider_yet_begins_anew_as_well() -> None:
    provider = _ProxyMeterProvider()
    provider.get_meter("early")
    renew_meter_locks(provider)

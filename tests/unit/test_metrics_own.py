"""What the page says of the process and of the package itself."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.resources import Resource
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families

from otel_distro.metrics import own
from otel_distro.metrics.limits import Limits
from otel_distro.metrics.own import SinceFork, observe_limits, observe_process
from otel_distro.metrics.reader import PrometheusReader
from tests.shared_metrics import in_child


class Page:
    """A page of this process with its own metrics."""

    def __init__(self) -> None:
        self.reader = PrometheusReader(target_info=False, registries=(REGISTRY,), limits=Limits(3))
        self.provider = MeterProvider([self.reader], resource=Resource({}), shutdown_on_exit=False)
        self.meter = self.provider.get_meter("own")

    def values(self) -> dict[str, float]:
        return {
            sample.name + "".join(f",{value}" for value in sample.labels.values()): sample.value
            for family in text_string_to_metric_families(self.reader.page().decode())
            for sample in family.samples
        }


@pytest.fixture
def page() -> Iterator[Page]:
    made = Page()
    yield made
    made.provider.shutdown()


def test_cpu_memory_files_and_collections_are_those_of_the_system(page: Page) -> None:
    observe_process(page.meter)
    before = os.times()
    values = page.values()
    after = os.times()
    assert before.user + before.system <= values["process_cpu_seconds_total"] <= after.user + after.system
    statm = Path("/proc/self/statm").read_text().split()
    virtual, resident = (int(pages) * os.sysconf("SC_PAGE_SIZE") for pages in statm[:2])
    assert values["process_resident_memory_bytes"] == pytest.approx(resident, rel=0.1)
    assert values["process_virtual_memory_bytes"] == pytest.approx(virtual, rel=0.03)
    assert values["process_open_fds"] == pytest.approx(len(os.listdir("/proc/self/fd")), abs=3)
    assert values["python_threads"] >= 1
    collections = values["python_gc_collections_total,2"]
    gc.collect()
    assert page.values()["python_gc_collections_total,2"] >= collections + 1


@pytest.mark.parametrize("statm", [None, "", "1", "x x"])
def test_what_the_system_does_not_tell_is_left_out_without_a_word(
    page: Page, statm: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(own, "_PROC", tmp_path)
    if statm is not None:
        (tmp_path / "statm").write_text(statm)
    observe_process(page.meter)
    values = page.values()
    assert values["process_cpu_seconds_total"] > 0
    assert not {"process_open_fds", "process_resident_memory_bytes", "python_threads"} & set(values)
    assert caplog.messages == []


def test_what_prometheus_client_says_of_one_process_is_left_out(page: Page) -> None:
    observe_process(page.meter)
    text = page.reader.page().decode()
    assert text.count("process_resident_memory_bytes ") >= 1
    assert "process_start_time_seconds" not in text
    assert "python_info" in text


def test_busy_time_goes_on_counting(page: Page) -> None:
    observe_process(page.meter)
    first = page.values()["process_cpu_seconds_total"]
    until = time.process_time() + 0.05
    while time.process_time() < until:
        pass
    assert page.values()["process_cpu_seconds_total"] > first


def test_a_forked_child_shows_its_own_overflows_alone(page: Page) -> None:
    observe_limits(page.meter, page.reader)
    jobs = page.meter.create_counter("jobs")

    def overflows() -> float | None:
        return page.values().get("otel_distro_series_overflows_total,jobs")

    def child() -> None:
        page.reader.after_fork()
        assert overflows() is None
        for number in range(4):
            jobs.add(1, {"job": number})
        assert overflows() == 1

    for number in range(5):
        jobs.add(1, {"job": number})
    assert overflows() == 2
    in_child(child)


def test_a_forked_child_does_not_count_what_its_parent_had() -> None:
    counts = [5, 7]
    since = SinceFork(lambda: list(counts))
    assert since() == [5, 7]

    def child() -> None:
        assert since() == [0, 0]
        counts[1] += 2
        assert since() == [0, 2]

    in_child(child)
    assert since() == [5, 7]


def test_what_the_limits_hold_back_is_counted_by_instrument(page: Page) -> None:
    observe_limits(page.meter, page.reader)
    counter = page.meter.create_counter("jobs")
    for number in range(5):
        counter.add(1, {"id": str(number)})
    counter.add(1, {"id": "x" * 5000})
    values = page.values()
    assert values["otel_distro_series_overflows_total,jobs"] == 3
    assert values["otel_distro_label_values_cut_total,jobs"] >= 1
    assert values["jobs_total,true"] == 3

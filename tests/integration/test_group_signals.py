"""What all processes of a group say together besides their counters: exemplars, observed values, OTLP streams."""

from __future__ import annotations

import itertools
import os
import re
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from tests.otlp import Receiver, attributes
from tests.processes import AppProcess
from tests.support import free_port, request, wait_until


class Run:
    """Gunicorn with three workers before the observed application."""

    def __init__(self, **env: str) -> None:
        self.port, metrics_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}/"
        self.page_url = f"http://127.0.0.1:{metrics_port}/metrics"
        self.env = {"OTEL_SERVICE_NAME": "group", "OTEL_EXPORTER_PROMETHEUS_PORT": str(metrics_port), **env}

    def start(self) -> AppProcess:
        words = ["opentelemetry-instrument", "gunicorn", "-w", "3", "-b", f"127.0.0.1:{self.port}"]
        app = AppProcess([*words, "tests.data.apps.observed:app"], self.env)
        app.wait_for_http(self.url)
        return app

    def send(self, number: int) -> set[str]:
        """Send requests; return the processes that answered."""
        with ThreadPoolExecutor(6) as pool:
            return set(pool.map(lambda _: request(self.url).text, range(number)))

    def page(self) -> str:
        return request(self.page_url, headers={"Accept": "application/openmetrics-text"}).text

    def observed(self) -> set[str]:
        return set(re.findall(r'^level\{worker="(\d+)"\} 7', self.page(), re.MULTILINE))

    def workers(self) -> set[str]:
        """Wait until all three have the application, and return them."""
        found: list[set[str]] = []

        def all_there() -> bool:
            found.append(self.observed())
            return len(found[-1]) == 3

        wait_until(all_there, 60, what="three workers' values")
        return found[-1]


def test_observed_values_are_there_for_every_living_worker_and_gone_with_it() -> None:
    run = Run()
    with run.start():
        # The master imports no application, so what is observed comes from the workers alone.
        victim = sorted(run.workers())[0]
        os.kill(int(victim), signal.SIGKILL)
        wait_until(lambda: victim not in run.observed(), 60, what="the end of its value")
        assert victim not in run.workers()
        resident = re.search(r"^process_resident_memory_bytes (\d+)", run.page(), re.MULTILINE)
        assert resident is not None
        assert int(resident.group(1)) > 3 * 20_000_000
        assert "otel_distro_processes 4" in run.page()


def test_exemplars_of_the_workers_are_on_the_page_of_the_master() -> None:
    with Receiver() as receiver:
        run = Run(OTEL_EXPORTER_OTLP_ENDPOINT=receiver.endpoint, OTEL_BSP_SCHEDULE_DELAY="100")
        with run.start():
            run.send(30)
            found = {
                sample.name: dict(sample.exemplar.labels)
                for family in text_string_to_metric_families(run.page())  # type: ignore[no-untyped-call]
                for sample in family.samples
                if sample.exemplar
            }
            assert {"jobs_total", "http_request_duration_seconds_bucket", "http_requests_total"} <= found.keys()

            def exported() -> set[str]:
                return {
                    span.trace_id.hex()
                    for resource in list(receiver.spans)
                    for scope in resource.scope_spans
                    for span in scope.spans
                }

            wait_until(lambda: {e["trace_id"] for e in found.values()} <= exported(), 60, what="the exemplars' traces")
            assert "trace_id" not in request(run.page_url).text


@pytest.mark.parametrize("temporality", ["cumulative", "delta"])
def test_each_process_is_a_stream_of_its_own_and_their_sum_is_the_page(temporality: str) -> None:
    with Receiver() as receiver:
        run = Run(
            OTEL_METRICS_EXPORTER="prometheus,otlp",
            OTEL_TRACES_EXPORTER="none",
            OTEL_LOGS_EXPORTER="none",
            OTEL_EXPORTER_OTLP_ENDPOINT=receiver.endpoint,
            OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE=temporality,
            OTEL_METRIC_EXPORT_INTERVAL="300",
        )
        with run.start():
            run.workers()  # else the first one that is ready may answer everything
            run.send(60)

            def totals() -> tuple[int, int]:
                """Jobs and sizes: an export may come between the two measurements of a request."""
                jobs = sum(point.as_int for point in _totals(receiver, "jobs", temporality))
                return jobs, sum(point.count for point in _totals(receiver, "sizes", temporality))

            wait_until(lambda: totals() == (61, 61), 60, what=lambda: f"61 of both by OTLP, not {totals()}")
            page = run.page()
            assert "jobs_total 61" in page
            assert len({instance for instance, _ in receiver.points("jobs")}) > 1

            sizes = list(_totals(receiver, "sizes", temporality))
            buckets = map(int, re.findall(r"^sizes_bucket\{le=.*\} (\d+)", page, re.MULTILINE))
            counts = [sum(point.bucket_counts[number] for point in sizes) for number in range(4)]
            assert list(itertools.accumulate(counts)) == list(buckets)
            for name in ("count", "sum"):
                on_page = re.search(rf"^sizes_{name} (\S+)$", page, re.MULTILINE)
                assert on_page is not None
                assert sum(getattr(point, name) for point in sizes) == float(on_page.group(1))
            for point in sizes:
                assert 0 <= point.min <= point.sum / point.count <= point.max <= 3.5


def _totals(receiver: Receiver, name: str, temporality: str) -> Iterator[Any]:
    """Yield the points that make up the total: of deltas all, else the last one of each process."""
    points = list(receiver.points(name))
    yield from (point for _, point in points) if temporality == "delta" else dict(points).values()


def test_a_users_own_instance_id_is_kept() -> None:
    with Receiver() as receiver:
        run = Run(
            OTEL_METRICS_EXPORTER="otlp",
            OTEL_TRACES_EXPORTER="none",
            OTEL_LOGS_EXPORTER="none",
            OTEL_EXPORTER_OTLP_ENDPOINT=receiver.endpoint,
            OTEL_METRIC_EXPORT_INTERVAL="200",
            OTEL_RESOURCE_ATTRIBUTES="service.instance.id=mine",
        )
        with run.start():
            run.send(5)
            wait_until(lambda: receiver.metrics, 60, what="an export")
        assert {attributes(resource.resource)["service.instance.id"] for resource in receiver.metrics} == {"mine"}

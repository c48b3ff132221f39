"""Metrics and traces through the Collector: by OTLP in, to Prometheus by scrape and by remote write, and onward."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Final

import pytest

from tests import otlp
from tests.agent import AGENT
from tests.processes import AppProcess
from tests.services.collector import Collector, validate
from tests.services.prometheus import Generation, Prometheus
from tests.support import wait_until

REMOTE_WRITE: Final = AGENT.with_name("remote-write.yaml")
NOTHING_SCRAPED: Final = "global: {}\n"
PAGE: Final = """
global: {{scrape_interval: 200ms, scrape_timeout: 200ms}}
scrape_configs:
  - job_name: otel-collector-exporter
    honor_labels: true
    static_configs: [{{targets: ["{address}"]}}]
"""
PROGRAM: Final = """
from opentelemetry import metrics, trace
from otel_distro import BusinessMetrics
with trace.get_tracer("app").start_as_current_span("checkout"):
    for _ in range(3):
        BusinessMetrics.record_order("completed", "alipay", 99.99)
    BusinessMetrics.update_active_users(7)
    BusinessMetrics.record_processing_time(12, "express")
"""
# What the program has counted, under the names that alerts and dashboards have. Prometheus 3 makes 10.0 of a bound 10.
COUNTED: Final = {
    'orders_total{job="shop", status="completed", payment_method="alipay"}': 3,
    'revenue_total{job="shop", currency="CNY"}': 299.97,
    'active_users{job="shop", time_window="1h"}': 7,
    'order_processing_seconds_count{job="shop", order_type="express"}': 1,
    'order_processing_seconds_bucket{job="shop", order_type="express", le=~"10([.]0)?"}': 0,
    'order_processing_seconds_bucket{job="shop", order_type="express", le=~"30([.]0)?"}': 1,
}


@pytest.fixture(scope="module")
def onward() -> Iterator[otlp.Receiver]:
    """The place that traces go on to."""
    with otlp.Receiver() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def written(prometheus_binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """A Prometheus that scrapes nothing and takes what is written to it."""
    folder = tmp_path_factory.mktemp("written")
    flags = ["--web.enable-remote-write-receiver"]
    with Prometheus(prometheus_binary, NOTHING_SCRAPED, folder, flags=flags) as running:
        yield running


@pytest.fixture(scope="module")
def agent(
    collector_binary: Path, onward: otlp.Receiver, written: Prometheus, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Collector]:
    """The Collector with remote write, after a program under the prefix command has sent it all it had."""
    folder = tmp_path_factory.mktemp("agent")
    env = {
        "LOG_GLOB": str(folder / "*.log"),
        "TRACES_ENDPOINT": onward.endpoint,
        "REMOTE_WRITE_URL": f"{written.url}/api/v1/write",
    }
    with Collector(collector_binary, [AGENT, REMOTE_WRITE], folder, env) as running:
        variables = {
            "OTEL_SERVICE_NAME": "shop",
            "OTEL_EXPORTER_OTLP_ENDPOINT": running.otlp_http,
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            "OTEL_METRICS_EXPORTER": "otlp",
        }
        with AppProcess(["opentelemetry-instrument", "python", "-c", PROGRAM], variables) as program:
            assert program.wait() == 0, program.output
        yield running


def test_metrics_by_otlp_are_scraped_from_the_collector_under_their_names(
    agent: Collector, each_prometheus: Generation, tmp_path: Path
) -> None:
    with Prometheus(
        each_prometheus.binary, PAGE.format(address=agent.env["PROMETHEUS_ENDPOINT"]), tmp_path
    ) as scraping:
        scraping.wait_for_scrape("otel-collector-exporter")
        for expression, value in COUNTED.items():
            assert scraping.value(expression) == pytest.approx(value), expression


def test_metrics_by_otlp_are_written_to_a_prometheus_under_the_same_names(
    agent: Collector, written: Prometheus
) -> None:
    for expression, value in COUNTED.items():
        wait_until(partial(written.query, expression), what=lambda: f"the last of {list(COUNTED)}\n{agent.log}")
        assert written.value(expression) == pytest.approx(value), expression


def test_traces_go_onward(agent: Collector, onward: otlp.Receiver) -> None:
    (resource,) = wait_until(lambda: list(onward.spans), what=lambda: f"spans\n{agent.log}")
    assert otlp.attributes(resource.resource)["service.name"] == "shop"
    assert [span.name for scope in resource.scope_spans for span in scope.spans] == ["checkout"]


def test_the_overlay_is_valid_and_a_mistyped_copy_is_not(tmp_path: Path) -> None:
    validate(AGENT, REMOTE_WRITE)
    for right, wrong in (
        ("max_elapsed_time", "max_elapsed"),
        ("prometheus_remote_write]", "prometheus_remote_writer]"),
    ):
        mistyped = tmp_path / "remote-write.yaml"
        mistyped.write_text(REMOTE_WRITE.read_text().replace(right, wrong, 1))
        with pytest.raises(AssertionError, match="status 1"):
            validate(AGENT, mistyped)

"""Everything that dashboards show, running, and a Prometheus that has seen exactly one known round of traffic.

The shop sends logs and traces through the Collector, the logs on into Elasticsearch; another service is in trouble, and
another Collector refuses what it is sent, in each of the ways in which one can.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from prometheus_client.parser import text_string_to_metric_families

from examples.shop.ledger import Ledger, expected_series
from examples.shop.page import compare_settled, read_page, table
from examples.shop.plan import make_plan
from examples.shop.traffic import run_traffic
from otel_distro.monitoring.files import generated, write
from otel_distro.monitoring.parameters import Parameters
from tests.agent import Agent, export_request, install_templates
from tests.grafana import Target, all_value, targets
from tests.grafana_elastic import Shown, search
from tests.integration.test_alert_metrics import known, missing, troubled_service
from tests.integration.test_shop import Shop, running_shop
from tests.promql_lint import Catalog
from tests.scraping import collector_job
from tests.services.collector import Collector
from tests.services.elasticsearch import Elasticsearch
from tests.services.elasticsearch_client import Document
from tests.services.node_exporter import NodeExporter
from tests.services.prometheus import Prometheus, Sample
from tests.support import free_port, request, wait_until

PLAN: Final = make_plan(60, seed=11)
CONFIG: Final = """
global: {{scrape_interval: 500ms, scrape_timeout: 500ms, evaluation_interval: 500ms}}
rule_files: [rules/*.yml]
scrape_configs:
  - {{job_name: shop, static_configs: [{{targets: ["localhost:{shop}"]}}]}}
  - {{job_name: troubled, static_configs: [{{targets: ["localhost:{troubled}"]}}]}}
  - {collectors}
  - {{job_name: node, static_configs: [{{targets: ["{node}"]}}]}}
"""
FAILING: Final = """
extensions:
  health_check: {endpoint: "${env:HEALTH_ENDPOINT}"}
receivers:
  otlp: {protocols: {http: {endpoint: "${env:OTLP_HTTP_ENDPOINT}"}}}
processors:
  memory_limiter: {check_interval: 100ms, limit_mib: 2, spike_limit_mib: 1}
exporters:
  otlp_http: &nobody
    endpoint: http://127.0.0.1:1
    retry_on_failure: {enabled: false}
    sending_queue: {enabled: false}
  otlp_http/queue: {<<: *nobody, sending_queue: {sizer: items, queue_size: 1}}
service:
  extensions: [health_check]
  pipelines:
    logs: {receivers: [otlp], exporters: [otlp_http]}
    logs/queue: {receivers: [otlp], exporters: [otlp_http/queue]}
    logs/memory: {receivers: [otlp], processors: [memory_limiter], exporters: [otlp_http]}
  telemetry:
    metrics:
      readers:
        - pull: {exporter: {prometheus: {host: 127.0.0.1, port: "${env:TELEMETRY_PORT}"}}}
"""
LOST: Final = 7
"""How many records the failing Collector gets in each round."""
EXEMPLARS: Final = ("--enable-feature=exemplar-storage",)
# Who is asked for in each dashboard; what is a regular expression in Grafana is one here.
CHOSEN: Final = {"endpoint": ".*", "function_name": ".*", "instance": ".*"}
JOBS: Final = {"pipeline": "otel-collector", "node": "node"}

Moved = dict[tuple[str, frozenset[tuple[str, str]]], float]
"""By how much each series of the shop's page moved: by name and labels."""


@dataclass(frozen=True)
class Stage:
    """What runs, what was sent, and the moment at which everything is asked."""

    files: Mapping[str, str]
    prometheus: Prometheus
    elasticsearch: Elasticsearch
    agent: Agent
    catalog: Catalog
    all_books: Ledger
    """Both rounds of traffic: what the logs have."""
    books: Ledger
    """The second round alone: what Prometheus saw happen."""
    moved: Moved
    at: float
    since: float

    def targets(self, kind: str) -> list[Target]:
        """Return every query for a kind of data source."""
        return [target for target in targets(self.files) if target.kind == kind]

    def expression(self, target: Target) -> str:
        """Return a query with the choices made."""
        return target.expression(job=JOBS.get(target.dashboard, "shop"), **CHOSEN)

    def answer(self, target: Target) -> list[Sample]:
        """Ask Prometheus."""
        return self.prometheus.query(self.expression(target), at=self.at)

    def found(self, target: Target, **values: str) -> dict[str, object]:
        """Ask Elasticsearch as Grafana does, for all of the shop unless `values` say otherwise."""
        shown = Shown(int(self.since * 1000) - 60_000, int(time.time() * 1000) + 60_000)
        everything = {"service": '("shop")', "level": all_value(self.files, "logs", "level"), "search": "*"}
        body = search(target.model, shown, {**everything, **values})
        answer: dict[str, object] = self.elasticsearch.request("POST", f"/{self.agent.indices}/_search", body)
        return answer


@contextmanager
def running_stage(
    binaries: Mapping[str, Path], elasticsearch: Elasticsearch, folder: Path, files: Mapping[str, str]
) -> Iterator[Stage]:
    """Start everything, send the two rounds, record, and give the stage."""
    install_templates(elasticsearch)
    since = time.time()
    with ExitStack() as running:
        agent = running.enter_context(Agent(binaries["otelcol"], elasticsearch, folder / "agent"))
        node = running.enter_context(NodeExporter(binaries["node_exporter"]))
        troubled = free_port()
        running.enter_context(troubled_service(troubled))
        shop = running.enter_context(running_shop(folder, {"OTEL_EXPORTER_OTLP_ENDPOINT": agent.otlp_http}))
        failing = running.enter_context(_failing(binaries["otelcol"], folder / "failing"))
        wait_until(lambda: "Refusing data" in failing.log, what="the limit of memory to be noticed")
        collectors = collector_job(*(f"127.0.0.1:{one.env['TELEMETRY_PORT']}" for one in (agent, failing)))
        config = CONFIG.format(collectors=collectors, shop=shop.metrics_port, troubled=troubled, node=node.address)

        first = _round(shop, Ledger())
        _lose(failing)
        _wait_for_lines(agent, first)
        before = _page(shop)
        server = running.enter_context(Prometheus(binaries["prometheus"], config, folder, flags=EXEMPLARS))
        for job in ("shop", "troubled", "otel-collector", "node"):
            server.wait_for_scrape(job)
        second = _round(shop, first)
        _lose(failing)
        moved = {key: value - before.get(key, 0) for key, value in _page(shop).items()}
        both = Ledger()
        both.add(first)
        both.add(second)
        _wait_for_lines(agent, both)
        elasticsearch.refresh(agent.indices)
        for job in ("shop", "otel-collector", "node"):
            server.wait_for_scrape(job)
        _record(server, folder)
        yield Stage(files, server, elasticsearch, agent, known(server), both, second, moved, _moment(server), since)


def _failing(binary: Path, folder: Path) -> Collector:
    """A Collector that has nobody to send to, no room in its queue and no memory, so that it refuses whatever comes."""
    folder.mkdir()
    (folder / "failing.yaml").write_text(FAILING)
    return Collector(binary, [folder / "failing.yaml"], folder)


def _lose(failing: Collector) -> None:
    body = export_request([{"message": "lost"}] * LOST, {}).SerializeToString()
    headers = {"Content-Type": "application/x-protobuf"}
    assert request(f"{failing.otlp_http}/v1/logs", method="POST", body=body, headers=headers).status >= 500


def _round(shop: Shop, earlier: Ledger) -> Ledger:
    """Send the plan once; return when the page has all of it."""
    books = run_traffic(shop.url, PLAN)
    assert books.surprises == []
    all_books = Ledger()
    all_books.add(earlier)
    all_books.add(books)
    rows = compare_settled(expected_series(all_books), lambda: read_page(shop.metrics_url))
    assert all(row.agrees for row in rows), "\n" + table(rows, only_wrong=True)
    return books


def _wait_for_lines(agent: Agent, books: Ledger) -> None:
    """Wait until every line of a request is stored, and what is stored is counted."""
    lines = books.lines_by_level.total()
    agent.wait_for(lines)  # lines of the start may be among them

    def stored() -> list[Document]:
        documents = agent.stored()
        return documents if sum("request_id" in document.source for document in documents) >= lines else []

    number = len(wait_until(stored, 60, what=lambda: f"{lines} lines of requests\n{agent.log[-3000:]}", every=0.2))
    counter = partial(agent.metric, "otelcol_exporter_sent_log_records", exporter="elasticsearch")
    wait_until(lambda: counter() >= number, what=lambda: f"{number} documents to be counted; there are {counter()}")


def _moment(server: Prometheus) -> float:
    """Return a moment from now on at which no target was one that could not be read in time."""
    begun = time.time()
    read = "timestamp(up) * up"

    def moment() -> float:
        # What the others were at the time of the one that was read longest ago is no longer open.
        at = min(sample.value for sample in server.query(read))
        return at if at > begun and all(sample.value for sample in server.query(read, at=at)) else 0

    return wait_until(moment, 60, what="a moment at which each target had been read", every=0.05)


def _record(server: Prometheus, folder: Path) -> None:
    """Load the rules only now: every value that they record is one of the whole round."""
    rules = generated(Parameters())
    rules["rules/requests.yml"] = rules["rules/requests.yml"].replace("interval: 2m", "interval: 500ms")
    write(folder, {name: text for name, text in rules.items() if name.startswith("rules/")})
    server.reload()
    wait_until(lambda: not missing(server), what=lambda: f"every recorded series: {missing(server)}", every=0.2)
    wait_until(lambda: server.query("job:http_request_slow:budget_left_30d"), what="the budgets", every=0.2)


def _page(shop: Shop) -> Moved:
    families = text_string_to_metric_families(request(shop.metrics_url).text)
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }

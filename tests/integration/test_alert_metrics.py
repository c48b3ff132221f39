"""Every metric and label of rules and runbook is one that the shop, the Collector or the node exporter really exposes.

All of them run here, a real Prometheus scrapes them and evaluates the rules at a sixtieth of their pace; what it then
has is the catalog that expressions are held to; three Collectors that refuse what comes in are there as well, for the
counters that only such a one has. Five broken copies show that each kind of fault is found.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from examples.shop.plan import make_plan
from examples.shop.traffic import run_traffic
from otel_distro.monitoring.files import generated, write
from otel_distro.monitoring.parameters import EXAMPLE_JOB, Parameters
from tests.integration.test_shop import running_shop
from tests.processes import ROOT, AppProcess
from tests.promql_lint import Catalog, faults
from tests.refusing_collectors import COUNTERS, mend, refusing
from tests.scraping import collector_job
from tests.services import prometheus
from tests.services.collector import Collector
from tests.services.node_exporter import NodeExporter
from tests.services.prometheus import Prometheus
from tests.support import free_port, wait_for_http, wait_until
from tests.webhooks import Bulk, listening

FILES = generated(Parameters())
PACED = Parameters(pace=1 / 60)
CONFIG = """
global: {{scrape_interval: 500ms, scrape_timeout: 500ms, evaluation_interval: 500ms}}
rule_files: [rules/*.yml, alerts/*.yml]
scrape_configs:
  - {{job_name: python-app, static_configs: [{{targets: ["localhost:{shop}", "localhost:{troubled}"]}}]}}
  - {collectors}
  - {{job_name: node, static_configs: [{{targets: ["{node}"]}}]}}
"""
FOLDER = ROOT / "collector-config" / "prometheus"


@dataclass(frozen=True)
class World:
    """A Prometheus with everything in it, what it knows, and where its Collector reads logs and sends them.

    `newer` is one of the third generation beside it, with the same configuration.
    """

    server: Prometheus
    newer: Prometheus
    shop: str  # its URL
    troubles: dict[str, str]
    """What the alerts on telemetry said."""
    catalog: Catalog
    logs: Path
    bulk: Bulk
    collector: str  # as Prometheus names it
    refusing: dict[str, Collector]

    def told_of(self, alert: str, **labels: str) -> str:
        """Wait until an alert with these labels fires in both, and return its description."""
        told_of(self.newer, alert, **labels)
        return told_of(self.server, alert, **labels)

    def firing(self, alert: str, **labels: str) -> list[dict[str, Any]]:
        """Return the alerts with this name and these labels that fire in one of them."""
        return [one for server in (self.server, self.newer) for one in firing(server, alert, **labels)]


@pytest.fixture(scope="module")
def world(
    prometheus_binary: Path,
    prometheus3_binary: Path,
    collector_binary: Path,
    node_exporter_binary: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("world")
    with ExitStack() as running:
        bulk = Bulk()
        running.enter_context(listening(bulk))
        collector = running.enter_context(collecting(collector_binary, folder / "collector", bulk))
        lacking = running.enter_context(refusing(collector_binary, folder / "refusing", bulk.url))
        node = running.enter_context(NodeExporter(node_exporter_binary))
        troubled = free_port()
        running.enter_context(troubled_service(troubled))
        shop = running.enter_context(running_shop(folder))
        write(folder, generated(PACED))
        collectors = [instance(one) for one in (collector, *lacking.values())]
        config = CONFIG.format(
            shop=shop.metrics_port, troubled=troubled, collectors=collector_job(*collectors), node=node.address
        )
        write(folder / "newer", generated(PACED))
        server = running.enter_context(Prometheus(prometheus_binary, config, folder))
        newer = running.enter_context(Prometheus(prometheus3_binary, config, folder / "newer"))
        # Their counters stand still, so these fire for no longer than their window after the first scrape.
        troubles = {alert: told_of(server, alert) for alert in ("SeriesLimitReached", "TelemetryRejected")}
        server.wait_for_scrape("python-app")
        write_logs(folder / "logs", "a", "b")
        run_traffic(shop.url, make_plan(30, seed=3))
        wait_until(lambda: bulk.refused, what="documents that are refused")
        counters = COUNTERS.values()

        def whole() -> bool:
            # A rate is of what came after a series' first sample, in the last five seconds.
            run_traffic(shop.url, make_plan(30, seed=4))
            return not missing(server, *counters) | missing(newer, *counters)

        wait_until(whole, 60, what=lambda: f"{missing(server, *counters)}, {missing(newer, *counters)}", every=0.3)
        server.wait_for_scrape("otel-collector")
        yield World(server, newer, shop.url, troubles, known(server), folder / "logs", bulk, collectors[0], lacking)


def instance(collector: Collector) -> str:
    """The address under which Prometheus scrapes it."""
    return f"127.0.0.1:{collector.env['TELEMETRY_PORT']}"


def collecting(binary: Path, folder: Path, bulk: Bulk) -> Collector:
    """A Collector with the project's own configuration, which reads the logs and sends to the bulk endpoint."""
    env = {"LOG_GLOB": str(folder.parent / "logs" / "*.log"), "ELASTICSEARCH_URL": bulk.url}
    folder.mkdir()
    return Collector(binary, [ROOT / "collector-config" / "agent.yaml"], folder, env)


def troubled_service(port: int) -> AppProcess:
    """A service whose instruments have more label values than places."""
    env = {
        "OTEL_SERVICE_NAME": "troubled",
        "OTEL_EXPORTER_PROMETHEUS_PORT": str(port),
        "OTEL_DISTRO_SERIES_LIMIT": "5",
    }
    service = AppProcess(["opentelemetry-instrument", "python", "-m", "tests.data.apps.troubled"], env)
    wait_for_http(f"http://localhost:{port}/metrics")
    return service


def write_logs(folder: Path, *ids: str) -> None:
    """Lines of a service that is logged of beside the shop's own."""
    lines = [
        {"timestamp": "2026-01-01T00:00:00.000000Z", "level": "INFO", "message": "x", "log_id": log_id}
        for log_id in ids
    ]
    folder.mkdir(exist_ok=True)
    with (folder / "other.log").open("a") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)


def told_of(server: Prometheus, alert: str, **labels: str) -> str:
    """Wait until an alert with these labels fires, and return its description."""

    def told() -> list[str]:
        return [one["annotations"]["description"] for one in firing(server, alert, **labels)]

    return wait_until(told, 60, what=lambda: f"{alert}: {server.api('alerts')}", every=0.2)[0]


def firing(server: Prometheus, alert: str, **labels: str) -> list[dict[str, Any]]:
    """Return the alerts with this name and these labels that fire."""
    alerts: list[dict[str, Any]] = server.api("alerts")["alerts"]
    wanted = {"alertname": alert, **labels}
    return [one for one in alerts if one["state"] == "firing" and wanted.items() <= one["labels"].items()]


def recorded() -> set[str]:
    """The names of all recorded series."""
    return {rule["record"] for rule in all_rules() if "record" in rule}


def all_rules() -> list[dict[str, Any]]:
    """Every rule of the files as they are committed."""
    documents = [yaml.safe_load(text) for name, text in FILES.items() if name.endswith(".yml")]
    return [rule for document in documents for group in document["groups"] for rule in group["rules"]]


def missing(server: Prometheus, *others: str) -> set[str]:
    """The recorded series, and these others, that are not there yet."""
    return (recorded() | set(others)) - set(server.api("label/__name__/values"))


def known(server: Prometheus) -> Catalog:
    """Every metric with the labels of all of its series."""
    labels: dict[str, set[str]] = {}
    for series in server.api("series", **{"match[]": '{__name__=~".+"}'}):
        labels.setdefault(series["__name__"], set()).update(series)
    return {name: frozenset(found) for name, found in labels.items()}


def runbook_queries() -> list[str]:
    """Every query of the runbook, a line each."""
    blocks = re.findall(r"```promql\n(.*?)```", FILES["runbook.md"], re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


def name_of(rule: dict[str, Any]) -> str:
    return str(rule.get("record") or rule["alert"] + rule["labels"].get("long", ""))


@pytest.mark.parametrize("rule", all_rules(), ids=name_of)
def test_every_rule_names_only_what_is_exposed(rule: dict[str, Any], world: World) -> None:
    assert faults(rule["expr"], world.catalog) == []


def test_the_third_generation_is_given_the_same_names(world: World) -> None:
    def different() -> set[str]:
        newer = known(world.newer)
        return {name for name, labels in world.catalog.items() if newer.get(name) != labels and name != "ALERTS"}

    wait_until(lambda: not different(), what=lambda: f"the same names and labels for {different()}", every=0.5)


@pytest.mark.parametrize("query", sorted(set(runbook_queries())))
def test_every_query_of_the_runbook_names_only_what_is_exposed_and_is_answered(query: str, world: World) -> None:
    assert faults(query, world.catalog) == []
    world.server.query(query)


def test_the_queries_of_the_runbook_are_of_the_job_that_is_scraped(world: World) -> None:
    assert f'job="{EXAMPLE_JOB}"' in "".join(runbook_queries())
    queries = set(runbook_queries())

    def unanswered() -> set[str]:
        run_traffic(world.shop, make_plan(10, seed=5))  # some queries are of what came in the last five seconds
        return {query for query in queries if not world.server.query(query)}

    # A target that was not read in time has no series until it is read again.
    wait_until(lambda: len(unanswered()) <= 0.1 * len(queries), 60, what=lambda: f"an answer to {unanswered()}")


@pytest.mark.parametrize("rule", [rule for rule in all_rules() if "record" in rule], ids=name_of)
def test_a_recorded_series_has_exactly_the_labels_that_its_name_says(rule: dict[str, Any], world: World) -> None:
    level = rule["record"].partition(":")[0]
    labels = {"job_payment_method": {"job", "payment_method"}}.get(level, set(level.split("_")))
    assert world.catalog[rule["record"]] - {"__name__"} == labels


def test_every_rule_was_evaluated_without_an_error_or_a_warning(world: World) -> None:
    def healths() -> set[str]:
        groups = [group for server in (world.server, world.newer) for group in server.api("rules")["groups"]]
        return {rule["health"] for group in groups for rule in group["rules"]}

    wait_until(lambda: "unknown" not in healths(), what="every rule to be evaluated once", every=0.2)
    assert healths() == {"ok"}
    assert world.server.complaints + world.newer.complaints == []


def test_the_alerts_on_telemetry_fire_for_the_troubled_service_with_readable_texts(world: World) -> None:
    overflowing = r"Measurements of signups at python-app that went into the overflow series in the last 15s: \d+\. .*"
    assert re.fullmatch(overflowing, world.troubles["SeriesLimitReached"])
    rejected = "Values of revenue_total at python-app that could not be recorded in the last 15s: 1."
    assert world.troubles["TelemetryRejected"] == rejected


def test_a_collector_that_refuses_a_file_is_told_of_whichever_part_refuses_and_its_mend_as_well(world: World) -> None:
    name = "LogsRefusedByCollector"
    for lack, collector in world.refusing.items():
        said = world.told_of(name, instance=instance(collector))
        assert re.fullmatch(
            r"Log records .* refused in the last 5s, .* every try: [\d.]+\. It has accepted fewer\.", said
        )
        assert {other for other, counter in COUNTERS.items() if collector.metric(counter)} == {lack}
        # What the receiver itself counts says nothing of it.
        assert collector.metric("otelcol_receiver_refused_log_records", receiver="file_log") == 0
    assert world.firing(name, instance=world.collector) == []
    mend(world.refusing)
    for collector in world.refusing.values():
        accepted = partial(collector.metric, "otelcol_receiver_accepted_log_records", receiver="file_log")
        wait_until(accepted, 60, what="what waited to be accepted")
        assert accepted() == 1
    wait_until(lambda: not world.firing(name), 60, what=lambda: f"the end of {world.firing(name)}", every=0.2)


BROKEN = {
    "ungrouped ratio": (
        "job:http_request_errors:ratio_rate5m",
        'rate(http_requests_total{status=~"5.."}[5m]) / rate(http_requests_total[5m])',
        "not summed up",
    ),
    "quantile without rate": (
        "job:http_request_duration_seconds:p95_rate5m",
        "histogram_quantile(0.95, sum by (le, job) (http_request_duration_seconds_bucket))",
        "without a rate",
    ),
    "wrong label": (
        "job:http_request_errors:ratio_rate5m",
        'sum(rate(http_requests_total{status_code=~"5.."}[5m])) / sum(rate(http_requests_total[5m]))',
        "http_requests_total has no label status_code",
    ),
    "misspelt metric": (
        "job:http_requests:rate5m",
        "sum by (job) (rate(http_request_total[5m]))",
        "there is no metric http_request_total",
    ),
    "or vector(0)": ("LowRequestRate", "(job:http_requests:rate5m or vector(0)) < 1", "`or vector()`"),
}


def broken_copy(kind: str, folder: Path) -> None:
    """The committed files with one expression broken."""
    name, expression, _ = BROKEN[kind]
    for part in ("rules", "alerts", "tests"):
        shutil.copytree(FOLDER / part, folder / part)
    for file in (*folder.glob("rules/*.yml"), *folder.glob("alerts/*.yml")):
        document = yaml.safe_load(file.read_text())
        for group in document["groups"]:
            for rule in group["rules"]:
                if name in (rule.get("record"), rule.get("alert")):
                    rule["expr"] = expression
        file.write_text(yaml.safe_dump(document))


def found_in(folder: Path, catalog: Catalog) -> list[str]:
    """What is wrong with the rules below a folder."""
    documents = [yaml.safe_load(file.read_text()) for file in (*folder.glob("rules/*"), *folder.glob("alerts/*"))]
    rules = [rule for document in documents for group in document["groups"] for rule in group["rules"]]
    return [fault for rule in rules for fault in faults(rule["expr"], catalog)]


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_copy_is_found_by_its_expression_and_by_what_it_does(kind: str, world: World, tmp_path: Path) -> None:
    broken_copy(kind, tmp_path)
    found = found_in(tmp_path, world.catalog)
    assert found
    assert all(BROKEN[kind][2] in fault for fault in found)
    with pytest.raises(AssertionError, match="FAILED"):
        prometheus.promtool("test", "rules", tmp_path / "tests" / "requests_test.yml")


def test_documents_that_are_refused_an_endpoint_that_takes_nothing_and_one_that_refuses_the_key_are_told_of(
    world: World,
) -> None:
    write_logs(world.logs, "c", "d", "e")
    refused = world.told_of("LogsRefusedByElasticsearch", instance=world.collector)
    assert re.fullmatch(r"Documents of .* refused in the last 15s for document_parsing_exception: [\d.]+\.", refused)
    world.bulk.status = 503
    write_logs(world.logs, "f")
    stalled = world.told_of("LogPipelineStalled", instance=world.collector)
    assert re.fullmatch(r"The queue of logs of .* holds [\d.]+k? .*nothing has been sent for 5s\.", stalled)
    world.bulk.status = 401
    credentials = world.told_of("CollectorCredentialsRefused", instance=world.collector)
    address = world.bulk.url.removeprefix("http://")
    assert re.match(rf"{address} has answered the Collector .* with 401 in the last 5s: [\d.]+ times\. ", credentials)

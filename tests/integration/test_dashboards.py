"""Every panel has data and says what is known: the real shop's round of traffic, asked of the real servers.

The expressions are the generated ones with Grafana's variables filled in; the searches those that Grafana makes.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timezone
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.dashboard_panels import expectations
from tests.dashboard_stage import Stage, running_stage
from tests.grafana import Target, targets
from tests.grafana_elastic import counts
from tests.processes import ROOT, AppProcess
from tests.promql_lint import faults
from tests.services import prometheus, prometheus3
from tests.services.elasticsearch import Elasticsearch
from tests.support import wait_until

GRAFANA = ROOT / "collector-config" / "grafana"
COMMITTED = {f"dashboards/{file.name}": file.read_text() for file in sorted(GRAFANA.glob("dashboards/*.json"))}
EXPRESSIONS = [target for target in targets(COMMITTED) if target.kind == "prometheus"]
SEARCHES = [target for target in targets(COMMITTED) if target.kind == "elasticsearch"]


def name_of(target: Target) -> str:
    return f"{target.dashboard}: {target.panel} {target.model['refId']}"


@pytest.fixture(scope="module")
def stage(
    prometheus3_binary: Path,
    collector_binary: Path,
    node_exporter_binary: Path,
    elasticsearch_server: Elasticsearch,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("dashboards")
    command: list[str | Path] = ["otel-distro", "dashboards", "--from", "examples.shop:app", "--out", folder]
    with AppProcess(command) as program:
        assert program.wait() == 0, program.output
    files = {f"dashboards/{file.name}": file.read_text() for file in folder.glob("dashboards/*.json")}
    binaries = {
        "prometheus": prometheus3_binary,
        "otelcol": collector_binary,
        "node_exporter": node_exporter_binary,
    }
    with running_stage(binaries, elasticsearch_server, folder, files) as running:
        yield running


def test_every_query_for_prometheus_has_its_expectation(stage: Stage) -> None:
    asked = {(target.dashboard, target.panel, target.model["refId"]) for target in stage.targets("prometheus")}
    wanted = {(*panel, letter) for panel, checks in expectations(stage).items() for letter in checks}
    assert asked == wanted
    assert len(EXPRESSIONS) == len(asked) - 1  # the shop's own metric


@pytest.mark.parametrize("target", EXPRESSIONS, ids=name_of)
def test_a_panel_says_what_is_known(target: Target, stage: Stage) -> None:
    expectations(stage)[target.dashboard, target.panel][target.model["refId"]].check(stage.answer(target))


def test_the_panel_of_the_shops_own_metric_says_what_is_known(stage: Stage) -> None:
    (own,) = [target for target in stage.targets("prometheus") if target.panel == "shop_carts_abandoned_total"]
    expectations(stage)["business", own.panel]["A"].check(stage.answer(own))


@pytest.mark.parametrize("target", EXPRESSIONS, ids=name_of)
def test_an_expression_names_only_what_is_exposed(target: Target, stage: Stage) -> None:
    assert faults(stage.expression(target), stage.catalog) == []


def test_the_lag_is_in_seconds_though_the_queue_counts_bytes(tmp_path: Path) -> None:
    (lag,) = [target for target in EXPRESSIONS if target.panel == "Lag"]
    series: dict[str, str] = {}
    # Ten records of 500 bytes a second from one Collector; the other's are all put off by Elasticsearch.
    for instance, sent in (("sends:8888", 600), ("waits:8888", 0)):
        of = f'{{job="otel-collector",instance="{instance}"'
        queue = f'otelcol_exporter_queue_size{of},exporter="elasticsearch",data_type="logs"}}'
        series[queue] = "1000000x10"
        series[f"otelcol_elasticsearch_flushed_uncompressed_bytes{of}}}"] = "0+300000x10"
        series[f'otelcol_exporter_sent_log_records{of},exporter="elasticsearch"}}'] = f"0+{sent}x10"
    _holds(
        lag.expression(job="otel-collector"), series, '{instance="sends:8888", exporter="elasticsearch"}', 200, tmp_path
    )


@pytest.mark.parametrize(
    ("name", "in_logs"), [("total", "total"), ("Cart.total", "total"), ("Shop.Cart.__len__", "__len__")]
)
def test_a_line_of_a_function_has_its_name_in_the_logs_as_a_label(name: str, in_logs: str, tmp_path: Path) -> None:
    (calls,) = [target for target in EXPRESSIONS if target.panel == "Calls"]
    labels = f'module="shop", function_name="{name}"'
    series = {f'function_duration_seconds_count{{job="shop",{labels}}}': "0+60x10"}
    expression = calls.expression(job="shop", function_name=".*")
    _holds(expression, series, f'{{{labels}, function="{in_logs}"}}', 1, tmp_path)


@pytest.mark.parametrize(("panel", "metric", "value"), [("In flight", "connections", 7), ("Active users", "users", 4)])
def test_requests_of_two_instances_add_up_and_users_whom_both_count_do_not(
    panel: str, metric: str, value: float, tmp_path: Path
) -> None:
    (target,) = [target for target in EXPRESSIONS if target.panel == panel]
    series = {
        f'active_{metric}{{job="shop",instance="{number}",time_window="1h"}}': f"{number}x10" for number in (3, 4)
    }
    labels = '{job="shop"}' if metric == "connections" else '{time_window="1h"}'
    _holds(target.expression(job="shop"), series, labels, value, tmp_path)


def test_revenue_is_shown_by_the_minute(tmp_path: Path) -> None:
    (target,) = [target for target in EXPRESSIONS if target.panel == "Revenue by currency"]
    labels = '{currency="EUR", job="shop"}'
    _holds(target.expression(job="shop"), {f"job_currency:revenue:rate5m{labels}": "2x10"}, labels, 120, tmp_path)


def _holds(expression: str, series: dict[str, str], labels: str, value: float, folder: Path) -> None:
    """Let both promtools say that after ten minutes of a sample a minute this series is all that is found."""
    asked = {"expr": expression, "eval_time": "10m", "exp_samples": [{"labels": labels, "value": value}]}
    given = [{"series": name, "values": values} for name, values in series.items()]
    case = {"interval": "1m", "input_series": given, "promql_expr_test": [asked]}
    (folder / "case.yml").write_text(yaml.safe_dump({"tests": [case]}))
    for promtool in (prometheus.promtool, prometheus3.promtool):
        assert "SUCCESS" in promtool("test", "rules", folder / "case.yml")


def test_panels_with_exemplars_lead_from_a_point_to_a_trace(stage: Stage) -> None:
    shown = [target for target in stage.targets("prometheus") if target.model["exemplar"]]
    for target in shown:
        found = stage.prometheus.api(
            "query_exemplars", query=stage.expression(target), start=f"{stage.since}", end=f"{stage.at}"
        )
        ids = {exemplar["labels"]["trace_id"] for series in found for exemplar in series["exemplars"]}
        assert ids, target.panel
        assert all(len(one) == 32 for one in ids)
    (destination,) = _source("Prometheus")["jsonData"]["exemplarTraceIdDestinations"]
    assert destination == {"name": "trace_id", "datasourceUid": "otel-distro-traces"}


def _search(dashboard: str, panel: str) -> Target:
    (found,) = [target for target in SEARCHES if (target.dashboard, target.panel) == (dashboard, panel)][:1]
    return found


def test_the_volume_by_level_is_what_the_client_made_the_shop_log(stage: Stage) -> None:
    target = _search("logs", "Documents by level")
    found = counts(stage.found(target), target.model)
    started = found["INFO"] - stage.all_books.lines_by_level["INFO"]  # lines of no request
    assert 0 < started < 10
    assert found == {**stage.all_books.lines_by_level, "INFO": found["INFO"]}
    only = counts(stage.found(target, level='("WARNING")'), target.model)
    assert only == {"WARNING": stage.all_books.lines_by_level["WARNING"]}


def test_documents_without_a_level_as_of_plain_text_are_shown_where_all_levels_are(stage: Stage) -> None:
    text, moment = "nobody gave this a level", datetime.fromtimestamp(stage.since, timezone.utc).isoformat()
    stage.agent.write(json.dumps({"message": text, "timestamp": moment}))
    of_its_service = {"service": '("python-app")'}
    volume = _search("logs", "Documents by level")
    wait_until(lambda: counts(stage.found(volume, **of_its_service), volume.model) == {"-": 1}, what="the line")
    lines: Any = stage.found(SEARCHES_BY_TYPE["logs"], **of_its_service)
    assert [hit["_source"]["message"] for hit in lines["hits"]["hits"]] == [text]
    assert counts(stage.found(volume, level='("ERROR")', **of_its_service), volume.model) == {}


def test_the_numbers_of_documents_and_errors_are_those_of_the_books(stage: Stage) -> None:
    errors, everything = (_search("logs", name) for name in ("Errors", "Documents"))
    assert counts(stage.found(errors), errors.model) == {"": stage.all_books.errors}
    assert counts(stage.found(errors, level='("INFO")'), errors.model) == {"": stage.all_books.errors}
    users = 'user_id:"user-001"'
    found = counts(stage.found(everything, search=users), everything.model)
    assert found == {"": stage.all_books.lines_by_user["user-001"]}
    assert counts(stage.found(everything, service='("another")'), everything.model) == {"": 0}


@pytest.mark.parametrize("panel", ["Documents", "Errors"])
def test_what_is_typed_into_the_search_is_one_condition_and_nothing_is_none(stage: Stage, panel: str) -> None:
    target = _search("logs", panel)

    def number(typed: str) -> int:
        return counts(stage.found(target, search=typed), target.model)[""]

    one, other = 'user_id:"user-001"', 'user_id:"user-002"'
    assert number(f"{one} OR {other}") == number(f"{other} {one}") == number(one) + number(other) > number(one)
    assert number(f"{one} AND {other}") == 0
    assert number(f"NOT {one}") == number("*") - number(one)
    assert number("") == number(" ") == number("*")


def test_the_most_frequent_errors_are_the_declined_payments(stage: Stage) -> None:
    target = _search("logs", "Errors by type")
    found = counts(stage.found(target), target.model)
    declined = sum(count for (status, _), count in stage.all_books.orders.items() if status == "failed")
    assert found["PaymentDeclinedError"] == declined
    assert list(found.values()) == sorted(found.values(), reverse=True)
    for panel in ("Errors by logger", "Errors by user"):
        assert sum(counts(stage.found(_search("logs", panel)), _search("logs", panel).model).values()) > 0


def test_the_tables_show_documents_with_the_fields_that_their_links_need(stage: Stage) -> None:
    errors: Any = stage.found(SEARCHES_BY_TYPE["raw_data"])
    documents = [hit["_source"] for hit in errors["hits"]["hits"]]
    assert errors["hits"]["total"]["value"] == stage.all_books.errors
    assert {document["level"] for document in documents} == {"ERROR"}
    assert all(document["request_id"] and len(document["trace_id"]) == 32 for document in documents)
    one = documents[0]["request_id"]
    again: Any = stage.found(SEARCHES_BY_TYPE["logs"], search=f'request_id:"{one}"')
    assert {hit["_source"]["request_id"] for hit in again["hits"]["hits"]} == {one}
    newest = [hit["_source"]["@timestamp"] for hit in again["hits"]["hits"]]
    assert newest == sorted(newest, reverse=True)


SEARCHES_BY_TYPE = {target.model["metrics"][0]["type"]: target for target in SEARCHES}


def test_the_newest_document_is_of_the_time_of_the_traffic(stage: Stage) -> None:
    target = _search("pipeline", "Newest document")
    found: Any = stage.found(target)
    buckets = found["aggregations"]["3"]["buckets"]
    newest = max(bucket["1"]["value"] for bucket in buckets if bucket["1"]["value"] is not None) / 1000
    assert stage.since < newest <= stage.at


def test_grafana_is_told_of_the_sources_and_of_the_index_that_the_collector_writes(stage: Stage) -> None:
    logs = _source("Elasticsearch")["jsonData"]
    assert logs["timeField"] == SEARCHES[0].model["timeField"]
    assert all(fnmatch(document.index, logs["index"]) for document in stage.agent.stored()[:10])
    assert Counter(source["type"] for source in _sources()) == {"prometheus": 1, "elasticsearch": 1, "tempo": 1}
    uids = {source["uid"] for source in _sources()}
    assert logs["dataLinks"][0]["datasourceUid"] in uids


def test_grafana_is_told_where_the_dashboards_are() -> None:
    (provider,) = yaml.safe_load((GRAFANA / "provisioning" / "dashboards" / "otel-distro.yml").read_text())["providers"]
    assert provider["type"] == "file"
    assert provider["options"]["path"]


def _sources() -> list[dict[str, Any]]:
    text = (GRAFANA / "provisioning" / "datasources" / "otel-distro.yml").read_text()
    found: list[dict[str, Any]] = yaml.safe_load(text)["datasources"]
    return found


def _source(name: str) -> dict[str, Any]:
    return next(source for source in _sources() if source["name"] == name)

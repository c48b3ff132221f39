"""The generated dashboards: every panel has words, unit, source and a sound query, every choice its place."""

from __future__ import annotations

import json
import re
import sys
from typing import Any

import promql_parser
import pytest

from otel_distro.errors import InputError
from otel_distro.monitoring.dashboards.business import OwnMetric
from otel_distro.monitoring.dashboards.files import dashboards, generated
from otel_distro.monitoring.objectives import Objectives
from otel_distro.monitoring.parameters import LANGUAGES, Parameters
from tests.grafana import targets, variables

OWN = (
    OwnMetric("signups_total", "counter", "New accounts.", ("plan",)),
    OwnMetric("sent_bytes_total", "counter", "", (), "bytes"),
    OwnMetric("queue_depth", "gauge", "Jobs that wait.", ("queue", "host")),
    OwnMetric("render_seconds", "histogram", "Rendering.", ("page",), "seconds"),
    OwnMetric("answer_bytes", "histogram", "Answers.", (), "bytes", buckets=False),
)
FILES = generated(Parameters(), OWN)
SERVICE = generated(Parameters("shop", Objectives(availability=99.5), "zh"), OWN)
# The Collector and the machines are the same for every service.
SHARED = ("pipeline", "node")


# What every service counts of itself is shown for all of them.
UNCHOSEN = {
    "Log lines dropped",
    "Not delivered by OTLP",
    "Values rejected",
    "Beyond the limit of series",
    "Time to read a metrics page",
}


def panels(text: str) -> list[dict[str, Any]]:
    return [panel for panel in json.loads(text)["panels"] if panel["type"] != "row"]


def by_title(files: dict[str, str], dashboard: str) -> dict[str, dict[str, Any]]:
    return {panel["title"]: panel for panel in panels(files[f"dashboards/{dashboard}.json"])}


def expressions(panel: dict[str, Any]) -> list[str]:
    return [target["expr"] for target in panel["targets"]]


@pytest.mark.parametrize("name", FILES)
def test_every_panel_has_title_description_unit_source_and_queries(name: str) -> None:
    for panel in panels(FILES[name]):
        assert panel["title"]
        assert panel["description"], panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert panel["targets"]
        assert {target["datasource"]["uid"] for target in panel["targets"]} == {panel["datasource"]["uid"]}
        refs = [target["refId"] for target in panel["targets"]]
        assert len(set(refs)) == len(refs)


@pytest.mark.parametrize("name", FILES)
def test_no_two_panels_lie_on_each_other_and_none_leaves_the_grid(name: str) -> None:
    dashboard = json.loads(FILES[name])
    places = [panel["gridPos"] for panel in dashboard["panels"]]
    cells = [
        (place["x"] + right, place["y"] + down)
        for place in places
        for right in range(place["w"])
        for down in range(place["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert all(place["x"] + place["w"] <= 24 for place in places)
    numbers = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(numbers)) == len(numbers)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("files", [FILES, SERVICE], ids=["every job", "one service"])
def test_every_variable_that_is_used_is_a_choice_of_its_dashboard(files: dict[str, str], name: str) -> None:
    dashboard = json.loads(files[name])
    choices = {choice["name"] for choice in dashboard["templating"]["list"]}
    assert variables(json.dumps([dashboard["panels"], dashboard["templating"]])) <= choices


def test_every_expression_parses_and_selects_by_the_chosen_job() -> None:
    asked = [target for target in targets(FILES) if target.kind == "prometheus"]
    assert len(asked) > 60
    for target in asked:
        promql_parser.parse(target.expression(job="shop", endpoint=".*", function_name=".*", instance=".*"))
        if target.panel not in UNCHOSEN:
            assert 'job="$job"' in target.model["expr"]


def test_quantiles_of_buckets_and_counters_of_requests_show_exemplars() -> None:
    shown = {target.panel for target in targets(FILES) if target.model.get("exemplar")}
    assert {"Durations", "Processing time", "Slowest 5%", "Requests by method and status"} <= shown
    recorded = [target for target in targets(FILES) if target.model.get("exemplar") and ":" in target.model["expr"]]
    assert recorded == []


def test_panels_of_the_service_lead_to_its_logs_of_the_same_time() -> None:
    linked = by_title(FILES, "service")
    (link,) = linked["Failing by endpoint"]["links"]
    assert link["url"] == "/d/otel-distro-logs?var-service=$job&var-level=ERROR&${__url_time_range}"
    (other,) = linked["Requests by endpoint"]["links"]
    assert other["url"] == "/d/otel-distro-logs?var-service=$job&${__url_time_range}"


def test_a_function_leads_to_the_logs_of_that_function() -> None:
    (link,) = by_title(FILES, "functions")["Calls"]["fieldConfig"]["defaults"]["links"]
    assert "var-search=function%3A%22${__field.labels.function}%22" in link["url"]


def test_a_document_leads_to_its_trace_and_to_all_of_its_request() -> None:
    tables = [panel for panel in panels(FILES["dashboards/logs.json"]) if panel["type"] == "table"]
    (errors,) = [panel for panel in tables if panel["targets"][0]["metrics"][0]["type"] == "raw_data"]
    links = {
        override["matcher"]["options"]: override["properties"][0]["value"][0]["url"]
        for override in errors["fieldConfig"]["overrides"]
    }
    assert set(links) == {"trace_id", "request_id", "user_id"}
    assert links["trace_id"].startswith("/explore?")
    assert "${traces}" in links["trace_id"]
    assert "${__value.raw}" in links["trace_id"]
    assert "var-search=request_id%3A%22${__value.raw}%22" in links["request_id"]


def test_thresholds_and_texts_are_those_of_the_objectives() -> None:
    strict = generated(Parameters(objectives=Objectives(availability=99.99, latency_seconds=1.0)))
    shown = by_title(strict, "service")
    assert "99.99%" in shown["Budget of errors left"]["description"]
    assert "within 1 s" in shown["Budget of slow requests left"]["description"]
    steps = shown["Failing"]["fieldConfig"]["defaults"]["thresholds"]["steps"]
    assert [step["value"] for step in steps] == [None, 0.0001, 0.05]
    assert all(
        expression.endswith("/ 0.0001") for expression in expressions(shown["How fast errors burn their budget"])
    )


def test_one_service_alone_is_no_choice_and_has_addresses_of_its_own() -> None:
    for name, text in SERVICE.items():
        dashboard = json.loads(text)
        choices = {choice["name"]: choice for choice in dashboard["templating"]["list"]}
        job = choices.get("job", choices.get("service"))
        if not name.endswith(tuple(f"/{shared}.json" for shared in SHARED)):
            assert job is not None
            assert (job["type"], job["current"]["value"], job["hide"]) == ("custom", "shop", 2)
        assert dashboard["title"].startswith("shop · ")
        assert re.fullmatch(r"shop-[0-9a-f]{8}-\w+", dashboard["uid"])
    assert "/d/otel-distro" not in "".join(SERVICE.values())


def test_the_rejected_values_of_one_service_are_its_own() -> None:
    (expression,) = expressions(by_title(SERVICE, "pipeline")["被拒绝的值"])
    assert 'otel_distro_rejected_total{job="shop"}' in expression


def test_each_metric_of_ones_own_has_a_panel_that_fits_its_kind() -> None:
    shown = by_title(FILES, "business")
    assert expressions(shown["signups_total"]) == ['sum by (plan) (rate(signups_total{job="$job"}[$__rate_interval]))']
    assert shown["signups_total"]["description"] == "New accounts."
    assert shown["sent_bytes_total"]["description"] == "sent_bytes_total"
    assert shown["sent_bytes_total"]["fieldConfig"]["defaults"]["unit"] == "Bps"
    assert expressions(shown["queue_depth"]) == ['sum by (queue, host) (queue_depth{job="$job"})']
    assert shown["queue_depth"]["targets"][0]["legendFormat"] == "{{queue}} {{host}}"
    assert len(expressions(shown["render_seconds"])) == 2
    assert 'sum by (le, page) (rate(render_seconds_bucket{job="$job"}' in expressions(shown["render_seconds"])[0]
    (mean,) = expressions(shown["answer_bytes"])
    assert mean.startswith("sum by (job) (rate(answer_bytes_sum")


def test_a_service_with_metrics_of_its_own_and_no_orders_can_be_chosen() -> None:
    def asked(*own: OwnMetric) -> str:
        choices = json.loads(generated(Parameters(), own)["dashboards/business.json"])["templating"]["list"]
        (job,) = [choice for choice in choices if choice["name"] == "job"]
        return str(job["query"]["query"])

    names = "orders_total|signups_total|sent_bytes_total|queue_depth|render_seconds_count|answer_bytes_count"
    assert asked(*OWN) == f'label_values({{__name__=~"{names}"}}, job)'
    assert asked() == "label_values(orders_total, job)"


def test_a_description_with_braces_is_shown_as_it_is() -> None:
    text = generated(Parameters(), [OwnMetric("a_total", "counter", "In {curly} braces.", ())])[
        "dashboards/business.json"
    ]
    assert by_title({"dashboards/business.json": text}, "business")["a_total"]["description"] == "In {curly} braces."


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_language_has_exactly_the_words_that_the_dashboards_need(language: str) -> None:
    from otel_distro.monitoring.texts.languages import dashboard_words

    words = dashboard_words(language).dashboards
    shown = {dashboard.name: dashboard for dashboard in dashboards(Parameters(), OWN)}
    assert set(words) == set(shown)
    for name, dashboard in shown.items():
        assert set(words[name].rows) == {row.name for row in dashboard.rows}
        named = [panel.name for row in dashboard.rows for panel in row.panels if panel.text is None]
        assert len(set(named)) == len(named)
        assert set(words[name].panels) == set(named)


def test_the_chinese_words_are_chinese_and_name_the_same_alerts_and_figures() -> None:
    from otel_distro.monitoring.texts.languages import dashboard_words

    english, chinese = dashboard_words("en"), dashboard_words("zh")
    assert set(english.terms) == set(chinese.terms)
    for name, text in english.dashboards.items():
        for panel, words in text.panels.items():
            other = chinese.dashboards[name].panels[panel]
            assert re.search(r"[\u4e00-\u9fff]", other.title), panel
            pattern = r"`[^`]+`|\{\w+\}"
            assert set(re.findall(pattern, words.description)) == set(re.findall(pattern, other.description)), panel


def test_without_grafanas_sdk_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "otel_distro.monitoring.dashboards.grafana")
    monkeypatch.setitem(sys.modules, "grafana_foundation_sdk.builders", None)
    with pytest.raises(InputError, match=r"pip install 'otel-distro\[dashboards\]'"):
        generated(Parameters())


def test_an_older_python_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "otel_distro.monitoring.dashboards.grafana")
    monkeypatch.setitem(sys.modules, "grafana_foundation_sdk.builders", None)
    monkeypatch.setattr(sys, "version_info", (3, 10, 13))
    with pytest.raises(InputError, match=r"dashboards need Python 3\.11 or newer"):
        generated(Parameters())

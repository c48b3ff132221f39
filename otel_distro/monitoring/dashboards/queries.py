"""Queries in the form of Grafana's data sources, by Grafana's own builders."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from grafana_foundation_sdk.builders import elasticsearch, prometheus
from grafana_foundation_sdk.models.dashboard import DataSourceRef
from grafana_foundation_sdk.models.elasticsearch import TermsOrder
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from otel_distro.monitoring.dashboards.model import Look, Panel, Query, Search

TIME_FIELD: Final = "@timestamp"
METRICS: Final = DataSourceRef("prometheus", "${datasource}")
LOGS: Final = DataSourceRef("elasticsearch", "${logs}")
_TERM: Final = re.compile(r"(?<!\{)\{(\w+)\}(?!\})")


def source(panel: Panel) -> DataSourceRef:
    """Return what answers a panel's queries."""
    return LOGS if isinstance(panel.queries[0], Search) else METRICS


def targets(panel: Panel, terms: Mapping[str, str]) -> list[Any]:
    """Return the builders of a panel's queries; `terms` are the words of legends."""
    return [
        _search(query, ref) if isinstance(query, Search) else _expression(query, ref, panel, terms)
        for query, ref in zip(panel.queries, "ABCDEFGH", strict=False)
    ]


def _expression(query: Query, ref: str, panel: Panel, terms: Mapping[str, str]) -> prometheus.Dataquery:
    legend = _TERM.sub(lambda found: terms[found[1]], query.legend)
    built = prometheus.Dataquery().datasource(METRICS).ref_id(ref).expr(query.expression)
    built.legend_format(legend).exemplar(query.exemplars)
    built.format(PromQueryFormat.TABLE if panel.look is Look.TABLE else PromQueryFormat.TIME_SERIES)
    return built.instant() if query.instant else built.range()


def _search(search: Search, ref: str) -> elasticsearch.Dataquery:
    built = elasticsearch.Dataquery().datasource(LOGS).ref_id(ref).query(search.lucene).time_field(TIME_FIELD)
    return built.metrics([_metric(search)]).bucket_aggs(_buckets(search))


def _metric(search: Search) -> Any:
    size = str(search.size)
    if search.what == "newest":
        return elasticsearch.Max().id("1").field(TIME_FIELD)
    if search.what == "documents":
        return elasticsearch.RawData().id("1").settings(elasticsearch.ElasticsearchRawDataSettings().size(size))
    if search.what == "lines":
        return elasticsearch.Logs().id("1").settings(elasticsearch.ElasticsearchLogsSettings().limit(size))
    return elasticsearch.Count().id("1")


def _buckets(search: Search) -> list[Any]:
    found: list[Any] = []
    if search.by:
        terms = elasticsearch.ElasticsearchTermsSettings().size(str(search.size)).min_doc_count("1")
        terms.order(TermsOrder.DESC).order_by("_count")
        if search.without:
            terms.missing(search.without)
        found.append(elasticsearch.Terms().id("2").field(search.by).settings(terms))
    if search.over_time:
        settings = elasticsearch.ElasticsearchDateHistogramSettings().interval("auto").min_doc_count("0")
        found.append(elasticsearch.DateHistogram().id("3").field(TIME_FIELD).settings(settings))
    return found

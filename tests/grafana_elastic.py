"""Queries of Grafana's Elasticsearch data source as the searches that Grafana makes of them.

The rules are those of Grafana's backend: a filter of the time and a query string, one aggregation inside the other in
the order of the bucket aggregations, metrics innermost; logs and raw data are the newest documents themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.grafana import filled


@dataclass(frozen=True)
class Shown:
    """The time that a dashboard shows, milliseconds since the epoch."""

    since: int
    until: int


def search(model: Mapping[str, Any], shown: Shown, values: Mapping[str, str]) -> dict[str, Any]:
    """Return the body of the search for one target."""
    field = model["timeField"]
    time = {"range": {field: {"gte": shown.since, "lte": shown.until, "format": "epoch_millis"}}}
    words = {"query_string": {"analyze_wildcard": True, "query": filled(model["query"], values)}}
    body: dict[str, Any] = {"size": 0, "query": {"bool": {"filter": [time, words]}}}
    (metric,) = model["metrics"]
    if metric["type"] in ("logs", "raw_data"):
        size = metric["settings"].get("limit") or metric["settings"]["size"]
        order = [{field: {"order": "desc", "unmapped_type": "boolean"}}, {"_doc": {"order": "desc"}}]
        return {**body, "size": int(size), "sort": order}
    inner: dict[str, Any] = {}
    if metric["type"] != "count":
        inner = {metric["id"]: {metric["type"]: {"field": metric["field"]}}}
    for bucket in reversed(model["bucketAggs"]):
        inner = {bucket["id"]: {**_bucket(bucket, shown), **({"aggs": inner} if inner else {})}}
    return {**body, "aggs": inner}


def _bucket(bucket: Mapping[str, Any], shown: Shown) -> dict[str, Any]:
    settings = bucket["settings"]
    if bucket["type"] == "terms":
        order = {settings["orderBy"]: settings["order"]}
        missing = {"missing": settings["missing"]} if "missing" in settings else {}
        return {"terms": {"field": bucket["field"], "size": int(settings["size"]), "order": order, **missing}}
    assert settings["interval"] == "auto", settings
    histogram = {
        "field": bucket["field"],
        "fixed_interval": "30000ms",
        "min_doc_count": int(settings["min_doc_count"]),
        "extended_bounds": {"min": shown.since, "max": shown.until},
        "format": "epoch_millis",
    }
    return {"date_histogram": histogram}


def counts(answer: Mapping[str, Any], model: Mapping[str, Any]) -> dict[str, int]:
    """Return how many documents each value of the first aggregation has; over time alone, all are one value."""
    first = model["bucketAggs"][0]
    buckets = answer["aggregations"][first["id"]]["buckets"]
    if first["type"] == "date_histogram":
        return {"": sum(bucket["doc_count"] for bucket in buckets)}
    return {str(bucket["key"]): bucket["doc_count"] for bucket in buckets}

"""Families from the data that the SDK collects: the way of the page where fast recording is not to be had."""

from __future__ import annotations

from typing import Any

from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    ExponentialHistogram,
    Gauge,
    Histogram,
    Metric,
    MetricsData,
    Sum,
)

from otel_distro.metrics.exponential import to_distribution
from otel_distro.metrics.families import (
    COUNTER,
    GAUGE,
    HISTOGRAM,
    SUMMARY,
    Distribution,
    Families,
    Family,
    Value,
    described,
    labels_in,
    labels_of,
    scope_attributes,
)


def add_collected(families: Families, data: MetricsData, *, scope_labels: bool) -> None:
    """Add everything that a reader collected."""
    for resource_metrics in data.resource_metrics:
        for scope_metrics in resource_metrics.scope_metrics:
            scope = scope_metrics.scope
            extra = (
                scope_attributes(scope.name or "", scope.version or "", scope.schema_url or "", scope.attributes or {})
                if scope_labels
                else {}
            )
            for metric in scope_metrics.metrics:
                _add(families, metric, extra)


def _add(families: Families, metric: Metric, extra: dict[str, Any]) -> None:
    empty = _described(metric)
    if empty is None:
        families.warn(metric.name, "has a kind of data that no Prometheus page can show")
        return
    family = families.family(empty, metric.name)
    if family is None:
        return
    for point in metric.data.data_points:
        labels = labels_of({**extra, **(point.attributes or {})} if extra else point.attributes or {})
        families.put(family, labels_in(family.kind, labels), _value(point, family.kind), metric.name)


def _described(metric: Metric) -> Family | None:
    data = metric.data
    if isinstance(data, Sum):
        monotonic = data.is_monotonic and data.aggregation_temporality == AggregationTemporality.CUMULATIVE
        kind = COUNTER if monotonic else GAUGE
    elif isinstance(data, Gauge):
        kind = GAUGE
    elif isinstance(data, ExponentialHistogram):
        kind = HISTOGRAM
    elif isinstance(data, Histogram):
        bounded = any(point.explicit_bounds for point in data.data_points)
        kind = HISTOGRAM if bounded else SUMMARY
    else:
        return None
    additive = not isinstance(data, Gauge)
    return described(metric.name, kind, metric.unit or "", metric.description or "", additive=additive)


def _value(point: Any, kind: str) -> Value:
    if kind in (COUNTER, GAUGE):
        value: int | float = point.value
        return value
    if hasattr(point, "explicit_bounds"):
        bounds = tuple(map(float, point.explicit_bounds))
        counts = tuple(point.bucket_counts) if bounds else ()
        return Distribution(point.count, point.sum, bounds, counts)
    return Distribution(*to_distribution(point))

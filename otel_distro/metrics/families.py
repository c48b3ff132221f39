"""Metric families: what a page shows, made from the SDK's collected data.

One family has one name, type, help and unit; its series are keyed by their label pairs, sorted by name. Instruments of
several scopes that share a name become one family: their series stand side by side, and equal series are added up.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

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
from otel_distro.metrics.naming import label_name, metric_name, unit_name

Labels: TypeAlias = tuple[tuple[str, str], ...]

COUNTER: Final = "counter"
GAUGE: Final = "gauge"
HISTOGRAM: Final = "histogram"
SUMMARY: Final = "summary"

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Distribution:
    """Count and sum of observations, and the counts between bounds: one count more than bounds, none without bounds."""

    count: int
    sum: float
    bounds: tuple[float, ...] = ()
    counts: tuple[int, ...] = ()


Value: TypeAlias = int | float | Distribution


@dataclass(slots=True)
class Family:
    """One metric family; `name` has its unit and no `_total`.

    Gauges that were set are not `additive`: of two with the same labels the one that
    came to the page later is shown.
    """

    name: str
    kind: str
    help: str
    unit: str
    additive: bool = True
    series: dict[Labels, Value] = field(default_factory=dict)

    def sample_names(self) -> tuple[str, ...]:
        """Return the names that the family's samples have on a page."""
        suffixes = {
            COUNTER: ("_total",),
            GAUGE: ("",),
            HISTOGRAM: ("_bucket", "_count", "_sum"),
            SUMMARY: ("", "_count", "_sum"),
        }
        return tuple(self.name + suffix for suffix in suffixes[self.kind])


class Families:
    """The families of one page; conflicts between instruments are settled here, each with one warning for good.

    Not thread-safe: one page is made at a time.
    """

    def __init__(self, warned: set[str] | None = None) -> None:
        self._by_name: dict[str, Family] = {}
        self._owner: dict[str, str] = {}
        self._warned = set() if warned is None else warned

    def __iter__(self) -> Iterator[Family]:
        return iter(self._by_name.values())

    def names(self) -> set[str]:
        """Return every family and sample name that is taken."""
        return {*self._by_name, *self._owner}

    def add_all(self, data: MetricsData, *, scope_labels: bool) -> None:
        """Add everything that a reader collected."""
        for resource_metrics in data.resource_metrics:
            for scope_metrics in resource_metrics.scope_metrics:
                scope = _scope_labels(scope_metrics.scope) if scope_labels else {}
                for metric in scope_metrics.metrics:
                    self.add(metric, scope)

    def add(self, metric: Metric, extra: Mapping[str, Any]) -> None:
        """Add one instrument's data; `extra` are attributes that all its series get."""
        described = _describe(metric)
        if described is None:
            self._warn(metric.name, "has a kind of data that no Prometheus page can show")
            return
        family = self._family(described, metric)
        if family is None:
            return
        # Within one stream an attribute set may collapse onto another (1 and "1"): those are parts of one sum as well.
        for point in metric.data.data_points:
            labels = labels_of({**extra, **(point.attributes or {})} if extra else point.attributes or {})
            if family.additive:
                self._add(family, labels, _value(point, family.kind), metric.name)
            else:
                family.series[labels] = _value(point, GAUGE)

    def _family(self, described: Family, metric: Metric) -> Family | None:
        known = self._by_name.get(described.name)
        if known is not None:
            if (known.kind, known.additive) == (described.kind, described.additive):
                return known
            if {known.kind, described.kind} == {HISTOGRAM, SUMMARY}:
                self._warn(metric.name, f"has bounds in one place and none in another; only the {known.kind} is shown")
            else:
                self._warn(metric.name, f"is a {described.kind} here and a {known.kind} elsewhere; the first is shown")
            return None
        taken = [name for name in described.sample_names() if name in self._owner]
        if taken:
            owner = self._owner[taken[0]]
            self._warn(metric.name, f"would show as {taken[0]}, which is the name of {owner}; it is not shown")
            return None
        self._by_name[described.name] = described
        for name in described.sample_names():
            self._owner[name] = metric.name
        return described

    def _add(self, family: Family, labels: Labels, value: Value, instrument: str) -> None:
        known = family.series.get(labels)
        if known is None:
            family.series[labels] = value
        elif not isinstance(known, Distribution):
            family.series[labels] = known + value  # type: ignore[operator]
        elif isinstance(value, Distribution) and known.bounds == value.bounds:
            counts = tuple(a + b for a, b in zip(known.counts, value.counts, strict=True))
            family.series[labels] = Distribution(known.count + value.count, known.sum + value.sum, known.bounds, counts)
        else:
            self._warn(instrument, f"has two sets of bounds for {dict(labels)}; the first is shown")

    def _warn(self, instrument: str, what: str) -> None:
        message = f"metric {instrument!r} {what}"
        if message not in self._warned:
            self._warned.add(message)
            _logger.warning("%s; give the instruments different names", message)


def labels_of(attributes: Mapping[str, Any]) -> Labels:
    """Return the label pairs of attributes, sorted by name.

    Text stays as it is, everything else becomes JSON. An empty value is left out, as Prometheus takes it for an absent
    label; keys that become one label have their values joined by `;`, as the specification says.
    """
    labels: dict[str, str] = {}
    for key in sorted(attributes):
        value = attributes[key]
        text = value if isinstance(value, str) else json.dumps(value, default=str)
        name = label_name(key)
        if text and name:
            labels[name] = f"{labels[name]};{text}" if name in labels else text
    return tuple(sorted(labels.items()))


def _scope_labels(scope: Any) -> dict[str, Any]:
    labels = {f"otel_scope_{key}": value for key, value in (scope.attributes or {}).items()}
    labels["otel_scope_name"] = scope.name or ""
    labels["otel_scope_version"] = scope.version or ""
    labels["otel_scope_schema_url"] = scope.schema_url or ""
    return labels


def _describe(metric: Metric) -> Family | None:
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
    unit = unit_name(metric.unit or "")
    name = metric_name(metric.name)
    if kind == COUNTER:
        name = name.removesuffix("_total")
    if unit and not name.endswith("_" + unit):
        name = f"{name}_{unit}"
    return Family(name, kind, metric.description or "", unit, additive=not isinstance(data, Gauge))


def _value(point: Any, kind: str) -> Value:
    if kind in (COUNTER, GAUGE):
        value: int | float = point.value
        return value
    if hasattr(point, "explicit_bounds"):
        bounds = tuple(map(float, point.explicit_bounds))
        counts = tuple(point.bucket_counts) if bounds else ()
        return Distribution(point.count, point.sum, bounds, counts)
    return Distribution(*to_distribution(point))

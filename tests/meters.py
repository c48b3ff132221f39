"""What tests of instruments share: one real meter provider for the whole process, read as differences.

The global provider can be set once a process, so nothing may depend on what other tests have recorded before.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from otel_distro.metrics.own import PREFIXES

Key = tuple[str, tuple[tuple[str, Any], ...]]


@dataclass
class Reading:
    """What was recorded within a `reading()` block, by the OpenTelemetry name of the instrument and its attributes."""

    before: dict[Key, Any]
    after: dict[Key, Any] = field(default_factory=dict)

    def value(self, name: str, **attributes: str) -> float:
        """By how much a counter grew; 0 where there is no such series."""
        key = _key(name, attributes)
        return float(_number(self.after.get(key)) - _number(self.before.get(key)))

    def gauge(self, name: str, **attributes: str) -> float | None:
        """What a gauge stands at, or None where it was never set."""
        point = self.after.get(_key(name, attributes))
        return None if point is None else float(point.value)

    def count(self, name: str, **attributes: str) -> int:
        """How many observations a histogram got."""
        key = _key(name, attributes)
        return int(_attribute(self.after.get(key), "count") - _attribute(self.before.get(key), "count"))

    def sum(self, name: str, **attributes: str) -> float:
        """The sum of the observations that a histogram got."""
        key = _key(name, attributes)
        return float(_attribute(self.after.get(key), "sum") - _attribute(self.before.get(key), "sum"))

    def bounds(self, name: str, **attributes: str) -> tuple[float, ...]:
        """The upper bounds of a histogram's buckets."""
        return tuple(self.after[_key(name, attributes)].explicit_bounds)

    def changed(self) -> set[str]:
        """Names of the instruments that got anything, without those that observe the process itself."""
        return {
            key[0]
            for key, point in self.after.items()
            if _figure(point) != _figure(self.before.get(key)) and not key[0].startswith(PREFIXES)
        }


@contextmanager
def reading() -> Iterator[Reading]:
    """Read the difference that the block makes; the answers are there once it has ended."""
    found = Reading(_points())
    yield found
    found.after = _points()


def instruments() -> dict[str, tuple[str, str, str]]:
    """Return scope, unit and description of every instrument that has recorded anything, by name."""
    return {metric.name: (scope, metric.unit or "", metric.description or "") for scope, metric in _metrics()}


@cache
def _reader() -> InMemoryMetricReader:
    reader = InMemoryMetricReader()
    provider = metrics.get_meter_provider()
    if isinstance(provider, MeterProvider):
        provider.add_metric_reader(reader)
    else:
        metrics.set_meter_provider(MeterProvider([reader], shutdown_on_exit=False))
    return reader


def _metrics() -> list[tuple[str, Any]]:
    data = _reader().get_metrics_data()
    return [
        (scope_metrics.scope.name, metric)
        for resource_metrics in (data.resource_metrics if data else ())
        for scope_metrics in resource_metrics.scope_metrics
        for metric in scope_metrics.metrics
    ]


def _points() -> dict[Key, Any]:
    return {
        _key(metric.name, dict(point.attributes)): point
        for _, metric in _metrics()
        for point in metric.data.data_points
    }


def _key(name: str, attributes: dict[str, Any]) -> Key:
    return name, tuple(sorted(attributes.items()))


def _number(point: Any) -> float:
    return 0.0 if point is None else float(point.value)


def _attribute(point: Any, name: str) -> Any:
    return 0 if point is None else getattr(point, name)


def _figure(point: Any) -> Any:
    return None if point is None else getattr(point, "value", getattr(point, "count", None))

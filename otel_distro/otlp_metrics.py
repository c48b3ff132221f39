"""Metric points as OTLP can hold them: one that it cannot would keep all others from being sent, at each collection.

Whole numbers of OTLP have 63 bits, which a sum of nanoseconds can pass; its texts are UTF-8, which lone surrogates, as
in the JSON of a client, are not. Source: opentelemetry-proto, metrics/v1/metrics.proto and common/v1/common.proto.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from opentelemetry.sdk.metrics.export import MetricsData

_LEAST: Final = -(2**63)
_GREATEST: Final = 2**63 - 1
_NUMBERS: Final = ("value", "sum", "min", "max")


def sendable(data: MetricsData) -> MetricsData:
    """Return the data, with numbers that are too large as floats and with lone surrogates spelt out, as in spans.

    What has none of these is the same object.
    """
    for resource_metrics in data.resource_metrics:
        for scope_metrics in resource_metrics.scope_metrics:
            metrics: Any = scope_metrics.metrics
            for index, metric in enumerate(metrics):
                points: Any = metric.data.data_points
                for number, point in enumerate(points):
                    if not _fits(point):
                        points[number] = _fitting(point)
                if not (metric.description or "").isascii():
                    metrics[index] = replace(metric, description=_text(metric.description or ""))
    return data


def _fits(point: Any) -> bool:
    numbers = [getattr(point, name, 0) for name in _NUMBERS]
    numbers += [exemplar.value for exemplar in point.exemplars]
    if any(isinstance(number, int) and not _LEAST <= number <= _GREATEST for number in numbers):
        return False
    return _are_plain(point.attributes) and all(
        _are_plain(exemplar.filtered_attributes) for exemplar in point.exemplars
    )


def _are_plain(attributes: Mapping[str, Any] | None) -> bool:
    """Say whether attributes are texts of ASCII, as nearly all are; any others are looked at one by one."""
    return all(type(value) is str and value.isascii() and key.isascii() for key, value in (attributes or {}).items())


def _fitting(point: Any) -> Any:
    numbers = {name: _number(getattr(point, name)) for name in _NUMBERS if hasattr(point, name)}
    exemplars = [
        replace(
            exemplar, value=_number(exemplar.value), filtered_attributes=_attributes(exemplar.filtered_attributes or {})
        )
        for exemplar in point.exemplars
    ]
    return replace(point, attributes=_attributes(point.attributes or {}), exemplars=exemplars, **numbers)


def _number(value: Any) -> Any:
    if not isinstance(value, int) or _LEAST <= value <= _GREATEST:
        return value
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def _attributes(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {_text(str(key)): _value(value) for key, value in attributes.items()}


def _value(value: Any) -> Any:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int) and not _LEAST <= value <= _GREATEST:
        return str(value)
    if isinstance(value, Mapping):
        return _attributes(value)
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return tuple(map(_value, value))
    return value


def _text(value: str) -> str:
    return value.encode(errors="backslashreplace").decode()

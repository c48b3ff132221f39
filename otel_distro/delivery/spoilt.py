"""What no request can be made of, found in a batch that could not be encoded: it goes alone, and the rest is sent.

A span that starts before 1970, or a number beyond 64 bits, is enough for an exporter to give up all that is beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeAlias

Encoder: TypeAlias = Callable[[Any], Any]


def without(batch: Any, encode: Encoder) -> tuple[Any, int, str]:
    """Return the rest of a batch, or None where nothing is left, how many items are spoilt, and why the first one is.

    A batch is a list, or what a metric reader hands over; of metrics the points are counted.
    """
    return _items(batch, encode) if isinstance(batch, list) else _metrics(batch, encode)


def _items(batch: list[Any], encode: Encoder) -> tuple[Any, int, str]:
    reasons = [_reason(item, [item], encode) for item in batch]
    rest = [item for item, reason in zip(batch, reasons, strict=True) if not reason]
    return rest or None, len(batch) - len(rest), next(filter(None, reasons), "")


def _metrics(data: Any, encode: Encoder) -> tuple[Any, int, str]:
    reasons: list[str] = []
    resources = []
    for resource in data.resource_metrics:
        scopes = []
        for scope in resource.scope_metrics:

            def encode_in_scope(metrics: list[Any], resource: Any = resource, scope: Any = scope) -> Any:
                inner = replace(resource, scope_metrics=[replace(scope, metrics=metrics)])
                return encode(replace(data, resource_metrics=[inner]))

            metrics = [_points(metric, encode_in_scope, reasons) for metric in scope.metrics]
            metrics = [metric for metric in metrics if metric.data.data_points]
            if metrics:
                scopes.append(replace(scope, metrics=metrics))
        if scopes:
            resources.append(replace(resource, scope_metrics=scopes))
    return replace(data, resource_metrics=resources) if resources else None, len(reasons), next(iter(reasons), "")


def _points(metric: Any, encode: Encoder, reasons: list[str]) -> Any:
    """Return a metric with those of its points that can be encoded, and add why the others cannot."""
    if not _reason(metric, [metric], encode):
        return metric
    points = []
    for point in metric.data.data_points:
        reason = _reason(metric, [_with(metric, [point])], encode)
        if reason:
            reasons.append(reason)
        else:
            points.append(point)
    return _with(metric, points)


def _with(metric: Any, points: list[Any]) -> Any:
    return replace(metric, data=replace(metric.data, data_points=points))


def _reason(item: Any, alone: Any, encode: Encoder) -> str:
    """Return why an item cannot be encoded alone, or an empty text where it can."""
    try:
        encode(alone)
    except Exception as error:  # noqa: BLE001 -- protobuf and encoders raise many
        named = getattr(item, "name", None)
        cause = getattr(error, "original_exception", error)  # metrics stand in the other's words, as long as they are
        return f"{f'{named}: ' if named else ''}{type(cause).__name__}: {cause}"
    return ""

"""Read expressions of rules, dashboards and runbook, and say what is wrong with them beside what really is exposed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import promql_parser

Catalog = Mapping[str, frozenset[str]]
"""The metrics that there are, and the labels that each of them has."""

_RATES: Final = {"rate", "irate", "increase"}


def faults(expression: str, catalog: Catalog) -> list[str]:
    """Return what is wrong with an expression, a sentence each; an expression that does not parse raises ValueError."""
    nodes = list(nodes_of(promql_parser.parse(expression)))
    return [fault for check in (_names, _groupings, _ratios, _quantiles, _fillers) for fault in check(nodes, catalog)]


def nodes_of(tree: Any) -> Iterator[Any]:
    """Yield every part of an expression, the whole first."""
    found: list[Any] = []

    def visit(node: Any) -> bool:
        found.append(node)
        return True

    promql_parser.walk(tree, visit)
    yield from found


def _names(nodes: list[Any], catalog: Catalog) -> Iterator[str]:
    every_label = frozenset[str]().union(*catalog.values())
    for selector in _of(nodes, promql_parser.VectorSelector):
        if selector.name is not None and selector.name not in catalog:
            yield f"there is no metric {selector.name}"
            continue
        labels = catalog.get(selector.name, every_label)
        for matcher in selector.matchers.matchers:
            if matcher.name not in labels:
                yield f"{selector.name} has no label {matcher.name}"


def _groupings(nodes: list[Any], catalog: Catalog) -> Iterator[str]:
    for aggregate in _of(nodes, promql_parser.AggregateExpr):
        selectors = list(_of(nodes_of(aggregate.expr), promql_parser.VectorSelector))
        for label in _grouped_by(aggregate) - {"__name__"}:
            if not any(label in catalog.get(one.name, {label}) for one in selectors):
                yield f"nothing in {aggregate.expr} has the label {label}"


def _ratios(nodes: list[Any], _: Catalog) -> Iterator[str]:
    for division in _of(nodes, promql_parser.BinaryExpr):
        if str(division.op) == "/" and any(_is_rate(_bare(side)) for side in (division.lhs, division.rhs)):
            yield f"a ratio of rates that are not summed up compares each series with itself: {division}"


def _quantiles(nodes: list[Any], _: Catalog) -> Iterator[str]:
    for call in _of(nodes, promql_parser.Call):
        if call.func.name != "histogram_quantile":
            continue
        summed = _bare(call.args[1])
        if not isinstance(summed, promql_parser.AggregateExpr) or "le" not in _grouped_by(summed):
            yield f"a quantile needs buckets summed up by le: {call}"
        elif not _is_rate(_bare(summed.expr)):
            yield f"a quantile of buckets without a rate is one of all time: {call}"


def _fillers(nodes: list[Any], _: Catalog) -> Iterator[str]:
    for either in _of(nodes, promql_parser.BinaryExpr):
        other = _bare(either.rhs)
        if str(either.op) == "or" and isinstance(other, promql_parser.Call) and other.func.name == "vector":
            yield f"`or vector()` is there for every job and no job: {either}"


def _of(nodes: Any, kind: Callable[..., Any]) -> Iterator[Any]:
    return (node for node in nodes if isinstance(node, kind))  # type: ignore[arg-type]


def _grouped_by(aggregate: promql_parser.AggregateExpr) -> set[str]:
    return set(aggregate.modifier.labels) if aggregate.modifier else set()


def _bare(node: Any) -> Any:
    while isinstance(node, promql_parser.ParenExpr):
        node = node.expr
    return node


def _is_rate(node: Any) -> bool:
    return isinstance(node, promql_parser.Call) and node.func.name in _RATES

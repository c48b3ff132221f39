"""Metric families: what a page shows.

One family has one name, type, help and unit; its series are keyed by their label pairs, sorted by name. Instruments of
several scopes that share a name become one family: their series stand side by side, and equal series are added up.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from otel_distro.metrics.naming import label_name, metric_name, unit_name

Labels: TypeAlias = tuple[tuple[str, str], ...]

COUNTER: Final = "counter"
GAUGE: Final = "gauge"
HISTOGRAM: Final = "histogram"
SUMMARY: Final = "summary"
# The label by which the samples of one series differ.
OWN_LABELS: Final = {HISTOGRAM: "le", SUMMARY: "quantile"}

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Distribution:
    """Count and sum of observations, and the counts between bounds: one count more than bounds, none without bounds."""

    count: int
    sum: float
    bounds: tuple[float, ...] = ()
    counts: tuple[int, ...] = ()


Value: TypeAlias = int | float | Distribution


@dataclass(frozen=True, slots=True)
class Exemplar:
    """One measurement with the span it was made in; `time` is in seconds since the epoch, the ids are hexadecimal."""

    value: float
    time: float
    trace_id: str
    span_id: str


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
    # By bucket for a histogram, under 0 for a counter.
    exemplars: dict[Labels, dict[int, Exemplar]] = field(default_factory=dict)

    def sample_names(self) -> tuple[str, ...]:
        """Return the names that the family, as text, and its samples have on a page."""
        suffixes = {
            COUNTER: ("_total",),
            GAUGE: ("",),
            HISTOGRAM: ("", "_bucket", "_count", "_sum"),
            SUMMARY: ("", "_count", "_sum"),
        }
        return tuple(self.name + suffix for suffix in suffixes[self.kind])


class Families:
    """The families of one page; conflicts between instruments are settled here, each with one warning for good.

    Not thread-safe: one page is made at a time.
    """

    def __init__(self, warned: set[str] | None = None, reserved: Mapping[str, str] = MappingProxyType({})) -> None:
        """Begin with none; `reserved` are names that no family may have, and whose they are."""
        self._by_name: dict[str, Family] = {}
        self._reserved = reserved
        self._owner: dict[str, str] = {**reserved}
        self._warned = set() if warned is None else warned

    def __iter__(self) -> Iterator[Family]:
        return iter(self._by_name.values())

    def family(self, described: Family, instrument: str, *, lives: bool = True) -> Family | None:
        """Return the family to put an instrument's series into; None where its name is another kind's already.

        `lives` is False where ended processes alone have had the instrument, as before a reload: that is no conflict.
        """
        known = self._by_name.get(described.name)
        taken = next((name for name in described.sample_names() if name in self._owner), "")
        if described.name in self._reserved:
            taken = described.name
        if known is not None:
            if (known.kind, known.additive) == (described.kind, described.additive):
                return known
            if {known.kind, described.kind} == {HISTOGRAM, SUMMARY}:
                problem = f"has bounds in one place and none in another; only the {known.kind} is shown"
            else:
                problem = f"is a {described.kind} here and a {known.kind} elsewhere; the first is shown"
        elif taken:
            problem = f"would show as {taken}, which is the name of {self._owner[taken]}; it is not shown"
        else:
            self._by_name[described.name] = described
            self._owner.update(dict.fromkeys(described.sample_names(), instrument))
            return described
        if lives:
            self.warn(instrument, problem)
        return None

    def put(self, family: Family, labels: Labels, value: Value, instrument: str, *, lives: bool = True) -> bool:
        """Put one value into a family; where its labels are there already the two are added up, or the later one stays.

        Within one stream an attribute set may collapse onto another (1 and "1"): those are parts of one sum as well.
        False where it has other bounds than what is there; `lives` as for `family`.
        """
        if not family.additive:
            if lives or labels not in family.series:
                family.series[labels] = value
            return True
        known = family.series.get(labels)
        if known is None:
            family.series[labels] = value
        elif not isinstance(known, Distribution):
            family.series[labels] = known + value  # type: ignore[operator]
        elif isinstance(value, Distribution) and known.bounds == value.bounds:
            counts = tuple(a + b for a, b in zip(known.counts, value.counts, strict=True))
            family.series[labels] = Distribution(known.count + value.count, known.sum + value.sum, known.bounds, counts)
        else:
            if lives:
                self.warn(instrument, "has two sets of bounds; the first is shown")
            return False
        return True

    def warn(self, instrument: str, what: str) -> None:
        """Warn of an instrument, once for each reason."""
        message = f"metric {instrument!r} {what}"
        if message not in self._warned:
            self._warned.add(message)
            _logger.warning("%s; give the instruments different names", message)


def labels_of(attributes: Mapping[str, Any]) -> Labels:
    """Return the label pairs of attributes, sorted by name.

    Text stays as it is but for lone surrogates, which no page can hold: two values that differ in nothing else are one
    series. Everything else becomes JSON. An empty value is left out, as Prometheus takes it for an absent
    label; keys that become one label have their values joined by `;`, as the specification says.
    """
    labels: dict[str, str] = {}
    for key in sorted(attributes):
        value = attributes[key]
        text = value if isinstance(value, str) else json.dumps(value, default=str)
        name = label_name(key)
        if text and name:
            if not text.isascii():
                text = text.encode("utf-8", "replace").decode()
            labels[name] = f"{labels[name]};{text}" if name in labels else text
    return tuple(sorted(labels.items()))


def freed(labels: Labels, taken: str) -> Labels:
    """Return labels without one of a name that is taken: that is `exported_<name>` then, as Prometheus has it."""
    if all(name != taken for name, _ in labels):
        return labels
    renamed: dict[str, str] = {}
    for name, value in labels:
        key = f"exported_{name}" if name == taken else name
        renamed[key] = f"{renamed[key]};{value}" if key in renamed else value
    return tuple(sorted(renamed.items()))


def labels_in(kind: str, labels: Labels) -> Labels:
    """Return labels as a family of this kind can have them: one that its own samples have would make no page of it."""
    return freed(labels, OWN_LABELS[kind]) if kind in OWN_LABELS else labels


def described(name: str, kind: str, unit: str, description: str, *, additive: bool) -> Family:
    """Return an empty family for an instrument, under the name that Prometheus scrapes without `_total`."""
    word = unit_name(unit)
    family = metric_name(name)
    if kind == COUNTER:
        family = family.removesuffix("_total")
    if word and not family.endswith("_" + word):
        family = f"{family}_{word}"
    return Family(family, kind, description, word, additive)


def scope_attributes(name: str, version: str, schema_url: str, attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attributes that tell the scope of an instrument, for pages that are asked to show it."""
    labels = {f"otel_scope_{key}": value for key, value in attributes.items()}
    return {
        **labels,
        "otel_scope_name": name,
        "otel_scope_version": version,
        "otel_scope_schema_url": schema_url,
    }

"""What a user declares of a metric, checked: name, unit, labels, buckets."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from otel_distro.errors import InputError
from otel_distro.metrics.naming import label_name, metric_name, unit_name
from otel_distro.metrics.rejected import LARGEST, usable

SECONDS_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
# The rule of the OpenTelemetry specification for instrument names.
_NAME: Final = re.compile(r"[a-zA-Z][-_./a-zA-Z0-9]{0,254}")
_LABEL: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_.]*")
_UNIT: Final = re.compile(r"[\x21-\x7e]{0,63}")
# Base units under the names that Prometheus users write, and their UCUM codes.
_UCUM: Final = {"seconds": "s", "bytes": "By"}
# Prometheus gives these labels a meaning of its own.
_RESERVED: Final = {"histogram": ("le", "quantile")}


@dataclass(frozen=True)
class Declaration:
    """One declared metric, in OpenTelemetry's terms: `name` without unit and `_total`, `unit` in UCUM.

    Two declarations are equal when they describe the same series; description and scope may differ.
    """

    kind: str
    name: str
    unit: str
    description: str = field(compare=False)
    labels: tuple[str, ...]
    buckets: tuple[float, ...] | None
    lowest: float
    scope: str = field(compare=False)

    @property
    def family(self) -> str:
        """The name of the Prometheus metric family: with the unit, without `_total`."""
        name, unit = metric_name(self.name), unit_name(self.unit)
        return f"{name}_{unit}" if unit and not name.endswith("_" + unit) else name

    @property
    def scraped_name(self) -> str:
        """The name under which Prometheus knows it."""
        return self.family + ("_total" if self.kind == "counter" else "")


def declaration(  # noqa: PLR0913 -- one argument for each particular of a declaration
    kind: str,
    name: object,
    *,
    description: object,
    labels: object,
    unit: object,
    buckets: tuple[float, ...] | None = None,
    lowest: float = 0.0,
    scope: str,
) -> Declaration:
    """Check a declaration and bring it into OpenTelemetry's terms.

    `kind` is `counter`, `gauge` or `histogram`. A name in Prometheus style gives its suffixes back: `_total` of a
    counter goes, `_seconds` and `_bytes` become the unit, so that the scraped name is the one written. Names are lower
    case, as the SDK makes them so anyway.

    Raises:
        InputError: name, unit, labels or minimum cannot be used; the message says what can.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InputError("the name must start with a letter and have at most 255 of: letters, digits, _ . - /")
    if not isinstance(unit, str) or not _UNIT.fullmatch(unit):
        raise InputError("the unit must have at most 63 visible ASCII characters, as s or By or {order}")
    minimum = usable(lowest, -LARGEST)
    if minimum is None:
        raise InputError("the minimum must be a finite number")
    stem, unit = _without_suffixes(kind, name.lower(), unit)
    return Declaration(
        kind=kind,
        name=stem,
        unit=unit,
        description=description if isinstance(description, str) else "",
        labels=_checked_labels(kind, labels),
        buckets=SECONDS_BUCKETS if kind == "histogram" and buckets is None and unit == "s" else buckets,
        lowest=minimum,
        scope=scope,
    )


def _without_suffixes(kind: str, name: str, unit: str) -> tuple[str, str]:
    unit = _UCUM.get(unit, unit)
    if kind == "counter":
        name = name.removesuffix("_total")
    if not unit:
        unit = next((code for word, code in _UCUM.items() if name.endswith("_" + word)), "")
    word = unit_name(unit)
    return name.removesuffix("_" + word) if word else name, unit


def _checked_labels(kind: str, labels: object) -> tuple[str, ...]:
    # One label given as text would otherwise be taken apart into its letters.
    names = (labels,) if isinstance(labels, str) else tuple(labels) if isinstance(labels, Iterable) else (labels,)
    if not all(isinstance(name, str) and _LABEL.fullmatch(name) for name in names):
        raise InputError("labels must be names of letters, digits and _, the first no digit")
    scraped = [label_name(name) for name in names]
    if len(set(scraped)) != len(scraped):
        raise InputError("labels must differ from each other as Prometheus writes them")
    taken = [name for name in scraped if name in _RESERVED.get(kind, ())]
    if taken:
        raise InputError(f"Prometheus keeps the label {taken[0]} for itself; choose another name")
    return names


def checked_buckets(buckets: object) -> tuple[float, ...]:
    """Return upper bounds of buckets as floats; a last one of infinity is left out, as every histogram has it.

    Raises:
        InputError: they are not finite numbers in ascending order.
    """
    given = tuple(buckets) if isinstance(buckets, Iterable) else (None,)
    if given and given[-1] == float("inf"):
        given = given[:-1]
    numbers = [usable(bound, -LARGEST) for bound in given]
    bounds = tuple(float(number) for number in numbers if number is not None)
    if len(bounds) != len(given) or any(low >= high for low, high in pairwise(bounds)):
        raise InputError("buckets must be finite numbers, each larger than the one before")
    return bounds

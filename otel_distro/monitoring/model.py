"""What a rule file is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from otel_distro.monitoring.objectives import Severity


class Unit(Enum):
    """How a value is shown to a person: the functions of Prometheus' templates."""

    SHARE = "{{ $value | humanizePercentage }}"
    SECONDS = "{{ $value | humanizeDuration }}"
    NUMBER = "{{ $value | humanize }}"
    RATE = '{{ $value | printf "%.2f" }}'
    AMOUNT = '{{ $value | printf "%.1f" }}'


@dataclass(frozen=True)
class Recording:
    """A series that Prometheus computes and keeps: `level:metric:operations`."""

    name: str
    expression: str


@dataclass(frozen=True)
class Alert:
    """When somebody is told, of what, and where to look first; the words are in `texts`, by the same name."""

    name: str
    expression: str
    held: str
    """How long it must be so (`for`), as Prometheus writes it; empty: no time at all."""
    severity: Severity
    by: tuple[str, ...]
    """The labels of an alert, which its texts may name."""
    unit: Unit
    figures: Mapping[str, str] = field(default_factory=dict)
    """Further placeholders of its texts: thresholds and windows."""
    labels: Mapping[str, str] = field(default_factory=dict)
    queries: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()


@dataclass(frozen=True)
class Group:
    """Rules that are evaluated together, one after the other."""

    name: str
    rules: tuple[Recording | Alert, ...]
    interval: str | None = None
    """How often; None: as the server is set up."""

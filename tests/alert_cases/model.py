"""One situation: series as Prometheus would have them, a time, and what fires then with which words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

Kind = Literal["fires", "just under", "no traffic", "missing series", "recovers"]
KINDS: Final[tuple[Kind, ...]] = ("fires", "just under", "no traffic", "missing series", "recovers")

Series = Mapping[str, str]


@dataclass(frozen=True)
class Firing:
    """An alert that must fire: all of its labels, and its texts as a person reads them."""

    labels: Mapping[str, str]
    summary: str
    description: str


@dataclass(frozen=True)
class Case:
    """A named situation; `series` are in promtool's notation, a sample a minute; `at` says what fires when.

    promtool takes groups in any order: what rests on recorded series may fire an evaluation later than its time.
    """

    kind: Kind
    name: str
    alert: str
    series: Series
    at: Mapping[str, Sequence[Firing]]


@dataclass(frozen=True)
class Recorded:
    """What recorded series say at a time: expression to labels (as written in a selector) and value."""

    name: str
    series: Series
    at: str
    values: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


QUIET: Final[Sequence[Firing]] = ()


def counted(status: str, endpoint: str = "/api/orders", job: str = "shop") -> str:
    """Return the series of requests that ended with a status."""
    labels = f'job="{job}",instance="app:8000",method="GET",endpoint="{endpoint}",status="{status}"'
    return f"http_requests_total{{{labels}}}"


def durations(counts: Mapping[str, str]) -> dict[str, str]:
    """Return buckets of request durations and their count, by upper bound: `{"1.0": "0+95x9", "+Inf": "0+100x9"}`."""
    labels = 'job="shop",instance="app:8000",method="GET",endpoint="/api/orders"'
    buckets = {f'http_request_duration_seconds_bucket{{{labels},le="{le}"}}': v for le, v in counts.items()}
    return {**buckets, f"http_request_duration_seconds_count{{{labels}}}": counts["+Inf"]}

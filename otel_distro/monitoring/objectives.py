"""Every number that an alert compares with, and the windows it looks at: one place, checked when it is made."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from otel_distro.errors import InputError

Severity = Literal["critical", "warning"]

MINUTE: Final = 60
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR

DURATION_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Bounds of `http_request_duration_seconds`, seconds: only at one of them the share of slow requests is exact."""


@dataclass(frozen=True)
class BurnRate:
    """One pair of windows (seconds): both must burn the budget `factor` times as fast as the objective allows.

    The long window says that it matters, the short one (a twelfth of it) that it still goes on. From the Google SRE
    workbook, chapter "Alerting on SLOs": 14.4 for an hour is 2 % of a 30-day budget, 1 for three days 10 %.
    """

    factor: float
    long: int
    short: int
    held: int
    severity: Severity


BURN_RATES: Final = (
    BurnRate(14.4, HOUR, 5 * MINUTE, 2 * MINUTE, "critical"),
    BurnRate(6, 6 * HOUR, 30 * MINUTE, 15 * MINUTE, "critical"),
    BurnRate(3, DAY, 2 * HOUR, HOUR, "warning"),
    BurnRate(1, 3 * DAY, 6 * HOUR, 3 * HOUR, "warning"),
)

RATE_WINDOW: Final = 5 * MINUTE
BUDGET_WINDOW: Final = 30 * DAY
MEMORY: Final = DAY
"""How long a series that is gone is remembered, seconds."""
SHORT_WINDOWS: Final = (RATE_WINDOW, 30 * MINUTE, HOUR, 2 * HOUR, 6 * HOUR)
LONG_WINDOWS: Final = (DAY, 3 * DAY)
"""Windows over which a rate is dear to compute: evaluated less often."""

# Where the fastest burn rate would ask for more than every request to fail, no alert could ever fire.
LEAST_OBJECTIVE: Final = 94.0
MOST_OBJECTIVE: Final = 99.999


@dataclass(frozen=True)
class Objectives:
    """Objectives (percent) and thresholds (shares from 0 to 1, seconds, per second).

    Raises InputError for what cannot be used.
    """

    availability: float = 99.9
    """Percent of the requests that must not fail (5xx)."""
    latency: float = 99.0
    """Percent of the requests that must be as fast as `latency_seconds`."""
    latency_seconds: float = 0.5
    error_share: float = 0.05
    response_seconds: float = 2.0
    """The 95th percentile of the durations that is too slow."""
    requests_per_second: float = 1.0
    """Fewer are too few."""
    payment_failure_share: float = 0.2
    revenue_pause: int = 30 * MINUTE
    page_seconds: float = 5.0
    """How long reading a metrics page may take; Prometheus gives up after 10."""
    queue_share: float = 0.8
    disk_share: float = 0.1
    """Share of a file system that must be free."""
    disk_hours: int = 24
    """So many hours before a file system will be full, once less than `disk_watch_share` is free."""
    disk_watch_share: float = 0.4
    memory_share: float = 0.1

    def __post_init__(self) -> None:
        """Check what a user can choose."""
        _check("objective", self.availability, _is_objective, _OBJECTIVE_RANGE)
        _check("latency objective", self.latency, _is_objective, _OBJECTIVE_RANGE)
        bounds = ", ".join(f"{bound:g}" for bound in DURATION_BUCKETS)
        _check("latency threshold", self.latency_seconds, DURATION_BUCKETS.__contains__, f"a bucket's bound: {bounds}")
        _check("least request rate", self.requests_per_second, _is_rate, "a number above 0")

    @property
    def availability_budget(self) -> float:
        """The share of the requests that may fail."""
        return round(1 - self.availability / 100, 10)

    @property
    def latency_budget(self) -> float:
        """The share of the requests that may be slow."""
        return round(1 - self.latency / 100, 10)


_OBJECTIVE_RANGE: Final = f"a percentage from {LEAST_OBJECTIVE:g} to {MOST_OBJECTIVE:g}"


def _is_objective(percent: float) -> bool:
    return math.isfinite(percent) and LEAST_OBJECTIVE <= percent <= MOST_OBJECTIVE


def _is_rate(per_second: float) -> bool:
    return 0 < per_second < math.inf


def _check(name: str, value: float, fits: Callable[[float], bool], wanted: str) -> None:
    if not fits(value):
        raise InputError(f"{name} {value:g} cannot be used; it must be {wanted}")

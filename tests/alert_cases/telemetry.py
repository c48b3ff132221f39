"""What the package in the service counts of itself: three counters of unwanted things, alike in their situations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tests.alert_cases.model import QUIET, Case, Firing

OVERFLOWS: Final = 'otel_distro_series_overflows_total{job="shop",instance="app:8000",instrument="signups"}'
REJECTED: Final = 'otel_distro_rejected_total{job="shop",instance="app:8000",instrument="orders"}'
UP: Final = 'up{job="shop",instance="app:8000"}'
DROPPED: Final = 'otel_distro_log_lines_dropped_total{job="shop",instance="app:8000"}'


def overflowing(number: str) -> Firing:
    return Firing(
        {"job": "shop", "instrument": "signups", "severity": "warning"},
        "shop: signups has more series than its limit",
        f"Measurements of signups at shop that went into the overflow series in the last 15m: {number}. "
        "New label values have no series.",
    )


def rejected(number: str) -> Firing:
    return Firing(
        {"job": "shop", "instrument": "orders", "severity": "warning"},
        "shop: values of orders are rejected",
        f"Values of orders at shop that could not be recorded in the last 15m: {number}.",
    )


def dropped(number: str) -> Firing:
    return Firing(
        {"job": "shop", "instance": "app:8000", "severity": "critical"},
        "shop on app:8000: log lines are lost",
        f"Log lines of shop on app:8000 that could not be written in the last 15m: {number}.",
    )


def situations(alert: str, series: str, firing: Callable[[str], Firing]) -> tuple[Case, ...]:
    return (
        Case("fires", "fires while the counter grows", alert, {series: "0+4x60"}, {"30m": [firing("60")]}),
        Case(
            "fires",
            "fires when the counter appears with its first count, having had no value to grow from",
            alert,
            {series: "_x20 3x60"},
            {"19m": QUIET, "22m": [firing("3")]},
        ),
        Case(
            "fires",
            "fires on where the service has begun again and counts less than before",
            alert,
            {series: "0+4x20 4+4x40"},
            {"30m": [firing("60")]},
        ),
        Case("just under", "is quiet at a count of nothing", alert, {series: "0x60"}, {"40m": QUIET}),
        Case("no traffic", "is quiet when nothing new is counted", alert, {series: "7x60"}, {"40m": QUIET}),
        Case(
            "missing series",
            "is quiet where the counter is not there",
            alert,
            {UP: "1x60"},
            {"40m": QUIET},
        ),
        Case(
            "no traffic",
            "is quiet a quarter of an hour after a scrape that failed, over a count of long ago",
            alert,
            {series: "7x20 stale 7x60"},
            {"36m": QUIET, "37m": QUIET},
        ),
        Case(
            "fires",
            "fires when the service has begun again and counts its first after a while without one",
            alert,
            {series: "7x20 stale _x25 3x60"},
            {"46m": QUIET, "52m": [firing("3")], "61m": [firing("3")]},
        ),
        Case(
            "fires",
            "fires when the service has begun again and counts as many as it did before",
            alert,
            {series: "7x20 stale _x25 7x60", UP: "1x110"},
            {"46m": QUIET, "52m": [firing("7")], "61m": [firing("7")]},
        ),
        Case(
            "no traffic",
            "is quiet after an hour in which nothing was read, over a count of long ago",
            alert,
            {series: "7x20 _x60 7x40", UP: "1x20 _x60 1x40"},
            {"83m": QUIET, "90m": QUIET, "99m": QUIET},
        ),
        Case(
            "fires",
            "fires after an hour in which nothing was read, over what was counted meanwhile",
            alert,
            {series: "7x20 _x60 9x40", UP: "1x20 0x60 1x40"},
            {"83m": [firing("9")], "97m": QUIET},
        ),
        Case(
            "recovers",
            "ends a quarter of an hour after the last count",
            alert,
            {series: "_x20 3x60"},
            {"30m": [firing("3")], "40m": QUIET},
        ),
        Case(
            "recovers",
            "is quiet after the service has begun again at nothing",
            alert,
            {series: "9x40 0x40"},
            {"39m": QUIET, "60m": QUIET},
        ),
    )


CASES: Final = (
    Case(
        "fires",
        "adds up all instances of a job, and each job for itself",
        "SeriesLimitReached",
        {
            OVERFLOWS: "0+4x60",
            OVERFLOWS.replace("8000", "8001"): "0+8x60",
            OVERFLOWS.replace("shop", "other"): "7x60",
        },
        {"30m": [overflowing("180")]},
    ),
    Case(
        "fires",
        "adds up what all instances of a job have counted first",
        "SeriesLimitReached",
        {OVERFLOWS: "_x20 3x60", OVERFLOWS.replace("8000", "8001"): "_x20 4x60"},
        {"22m": [overflowing("7")]},
    ),
    *situations("SeriesLimitReached", OVERFLOWS, overflowing),
    *situations("TelemetryRejected", REJECTED, rejected),
    *situations("LogLinesDropped", DROPPED, dropped),
)

"""Requests that fail, are slow, or stay away."""

from __future__ import annotations

from typing import Final

from tests.alert_cases.model import QUIET, Case, Firing, Series, counted, durations

CRITICAL: Final = {"job": "shop", "severity": "critical"}
WARNING: Final = {"job": "shop", "severity": "warning"}


def failing(share: str, ended: str = "5%") -> Firing:
    return Firing(
        CRITICAL,
        f"shop: {share} of the requests fail",
        f"{share} of the requests to shop ended with a status 5xx in the last 5m; {ended} is the limit.",
    )


def slow(p95: str) -> Firing:
    return Firing(
        WARNING,
        f"shop: the slowest 5% of the requests take {p95} or more",
        f"The 95th percentile of the request durations of shop over the last 5m is {p95}; the limit is 2s.",
    )


def few(rate: str) -> Firing:
    return Firing(
        WARNING,
        f"shop: only {rate} requests a second",
        f"shop has had under 1 request(s) a second for 10m, now {rate}. 0 may also mean that its metrics are gone.",
    )


def buckets(up_to_one: str, up_to_two_and_a_half: str) -> Series:
    """Durations up to 1 s, and between 1 s and 2.5 s, spread evenly in between."""
    return durations({"1.0": up_to_one, "2.5": up_to_two_and_a_half, "+Inf": up_to_two_and_a_half})


def one_in(*statuses: str) -> Series:
    return {counted(status): "0+10x30" for status in statuses}


CASES: Final = (
    Case(
        "fires",
        "fires after five minutes with 6 % of the requests failing",
        "HighErrorRate",
        {counted("200"): "0+940x20", counted("500"): "0+60x20"},
        {"5m": QUIET, "7m": [failing("6%")], "12m": [failing("6%")]},
    ),
    Case(
        "fires",
        "adds up all statuses from 500 on, all endpoints and all instances of a job",
        "HighErrorRate",
        {
            counted("200"): "0+900x20",
            counted("500"): "0+40x20",
            counted("503"): "0+40x20",
            counted("502", "/api/login"): "0+20x20",
            counted("200", job="other"): "0+10x20",
        },
        {"12m": [failing("10%")]},
    ),
    Case(
        "just under",
        "is quiet at 4.9 %",
        "HighErrorRate",
        {counted("200"): "0+951x30", counted("500"): "0+49x30"},
        {"12m": QUIET, "30m": QUIET},
    ),
    Case(
        "just under",
        "does not take 404 and 402 for failures of the service",
        "HighErrorRate",
        one_in("200", "404", "402"),
        {"20m": QUIET},
    ),
    Case(
        "no traffic",
        "is quiet when no requests come, whatever there was before",
        "HighErrorRate",
        {counted("200"): "100x30", counted("500"): "50x30"},
        {"20m": QUIET},
    ),
    Case(
        "missing series",
        "is quiet when nothing has failed yet",
        "HighErrorRate",
        {counted("200"): "0+100x30", 'up{job="shop",instance="app:8000"}': "1x30"},
        {"20m": QUIET},
    ),
    Case(
        "recovers",
        "ends when the requests succeed again",
        "HighErrorRate",
        {counted("200"): "0+90x40", counted("500"): "0+10x12 120x28"},
        {"12m": [failing("10%")], "18m": QUIET, "30m": QUIET},
    ),
    Case(
        "fires",
        "fires at a 95th percentile of 2.1 s",
        "HighResponseTime",
        buckets("0+1300x20", "0+1600x20"),
        {"5m": QUIET, "7m": [slow("2.1s")], "12m": [slow("2.1s")]},
    ),
    Case(
        "just under",
        "is quiet at a 95th percentile of 1.9 s",
        "HighResponseTime",
        buckets("0+1400x30", "0+1600x30"),
        {"12m": QUIET, "30m": QUIET},
    ),
    Case(
        "no traffic",
        "is quiet when no requests come, however slow they were",
        "HighResponseTime",
        buckets("0x30", "1600x30"),
        {"20m": QUIET},
    ),
    Case("missing series", "is quiet for a job without durations", "HighResponseTime", one_in("200"), {"20m": QUIET}),
    Case(
        "recovers",
        "ends when the requests are fast again",
        "HighResponseTime",
        buckets("0+1300x12 15600+1600x28", "0+1600x40"),
        {"12m": [slow("2.1s")], "20m": QUIET, "30m": QUIET},
    ),
    Case(
        "fires",
        "fires after ten minutes under one request a second",
        "LowRequestRate",
        {counted("200"): "0+54x40"},
        {"10m": QUIET, "12m": [few("0.90")], "20m": [few("0.90")]},
    ),
    Case(
        "just under",
        "is quiet at just over one request a second",
        "LowRequestRate",
        {counted("200"): "0+61x40"},
        {"20m": QUIET, "40m": QUIET},
    ),
    Case(
        "no traffic",
        "fires when no requests come at all",
        "LowRequestRate",
        {counted("200"): "500x40"},
        {"20m": [few("0.00")]},
    ),
    Case(
        "missing series",
        "fires when the series of a job that had it is gone",
        "LowRequestRate",
        {counted("200"): "0+120x20 stale"},
        {"20m": QUIET, "45m": [few("0.00")]},
    ),
    Case(
        "missing series",
        "is quiet for a job that never had requests",
        "LowRequestRate",
        {'up{job="node",instance="app:9100"}': "1x40"},
        {"30m": QUIET},
    ),
    Case(
        "recovers",
        "ends when the requests are back",
        "LowRequestRate",
        {counted("200"): "0+120x10 1200x20 1200+120x30"},
        {"30m": [few("0.00")], "40m": QUIET},
    ),
)

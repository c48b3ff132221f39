"""Targets that do not answer, and pages that take long."""

from __future__ import annotations

from typing import Final

from tests.alert_cases.model import QUIET, Case, Firing, counted

UP: Final = 'up{job="shop",instance="app:8000"}'
TAKEN: Final = 'scrape_duration_seconds{job="shop",instance="app:8000"}'
DOWN: Final = Firing(
    {"job": "shop", "instance": "app:8000", "severity": "critical"},
    "shop on app:8000 does not answer",
    "Prometheus has not been able to read the metrics of shop on app:8000 for 2m.",
)


def slow(taken: str) -> Firing:
    return Firing(
        {"job": "shop", "instance": "app:8000", "severity": "warning"},
        f"shop on app:8000: reading the metrics takes {taken}",
        f"The metrics page of shop on app:8000 takes {taken}; the limit is 5s, and Prometheus gives up after 10s.",
    )


CASES: Final = (
    Case(
        "fires",
        "fires for the one instance of two that does not answer",
        "TargetDown",
        {UP: "1x5 0x10", 'up{job="shop",instance="app:8001"}': "1x15"},
        {"7m": QUIET, "8m": [DOWN]},
    ),
    Case(
        "just under", "is quiet when one minute is missed", "TargetDown", {UP: "1x5 0 1x10"}, {"6m": QUIET, "9m": QUIET}
    ),
    Case(
        "no traffic",
        "is quiet for a target that answers and has no requests",
        "TargetDown",
        {UP: "1x20", counted("200"): "0x20"},
        {"15m": QUIET},
    ),
    Case(
        "missing series",
        "is quiet for a target that was taken out of the configuration",
        "TargetDown",
        {UP: "1x5 stale"},
        {"15m": QUIET},
    ),
    Case(
        "recovers", "ends when the target answers", "TargetDown", {UP: "1x5 0x10 1x10"}, {"10m": [DOWN], "17m": QUIET}
    ),
    Case(
        "fires",
        "fires after ten minutes of pages over five seconds",
        "MetricsPageSlow",
        {TAKEN: "5.1x30"},
        {"9m": QUIET, "10m": [slow("5.1s")]},
    ),
    Case("just under", "is quiet at 4.9 seconds", "MetricsPageSlow", {TAKEN: "4.9x30"}, {"30m": QUIET}),
    Case(
        "no traffic",
        "is quiet for a page that is read in no time",
        "MetricsPageSlow",
        {TAKEN: "0.001x30", counted("200"): "0x30"},
        {"30m": QUIET},
    ),
    Case("missing series", "is quiet where nothing is scraped", "MetricsPageSlow", {UP: "0x30"}, {"30m": QUIET}),
    Case(
        "recovers",
        "ends with the first quick page",
        "MetricsPageSlow",
        {TAKEN: "6x20 0.01x10"},
        {"15m": [slow("6s")], "22m": QUIET},
    ),
)

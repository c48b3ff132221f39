"""Budgets that are spent too fast: each pair of windows at its own pace."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tests.alert_cases.model import QUIET, Case, Firing, Series, counted, durations

PAIRS: Final = {
    "14.4": ("1h", "5m", "critical"),
    "6": ("6h", "30m", "critical"),
    "3": ("1d", "2h", "warning"),
    "1": ("3d", "6h", "warning"),
}


def failing(share: str, *factors: str) -> Sequence[Firing]:
    return [
        Firing(
            {"job": "shop", "severity": severity, "long": long, "short": short},
            f"shop: failing requests spend the error budget at over {factor} times the pace that 30 days allow",
            f"{share} of the requests to shop failed in the last {long}, and it went on in the last {short}. "
            f"The objective is 99.9%: that is over {factor} times the pace that its budget of 30 days allows.",
        )
        for factor in factors
        for long, short, severity in [PAIRS[factor]]
    ]


def slow(share: str, *factors: str) -> Sequence[Firing]:
    return [
        Firing(
            {"job": "shop", "severity": severity, "long": long, "short": short},
            f"shop: slow requests spend the latency budget at over {factor} times the pace that 30 days allow",
            f"{share} of the requests to shop took longer than 0.5s in the last {long}, and it went on in the last "
            f"{short}. The objective is 99% within 0.5s: that is over {factor} times the pace that its budget of "
            "30 days allows.",
        )
        for factor in factors
        for long, short, severity in [PAIRS[factor]]
    ]


def mixed(failed_of_10000: int, minutes: int) -> Series:
    """Ten thousand requests a minute, so many of them failing."""
    return {
        counted("200"): f"0+{10_000 - failed_of_10000}x{minutes}",
        counted("500"): f"0+{failed_of_10000}x{minutes}",
    }


def paced(slow_of_1000: int, minutes: int) -> Series:
    """A thousand requests a minute, so many of them slower than half a second."""
    return durations({"0.5": f"0+{1000 - slow_of_1000}x{minutes}", "+Inf": f"0+1000x{minutes}"})


CASES: Final = (
    Case(
        "fires",
        "fires within minutes when 1.6 % fail: both critical pairs",
        "AvailabilityBudgetBurning",
        mixed(160, 30),
        {
            "2m": QUIET,
            "6m": failing("1.6%", "14.4"),
            "16m": failing("1.6%", "14.4"),
            "20m": failing("1.6%", "14.4", "6"),
        },
    ),
    Case(
        "fires",
        "fires after a quarter of an hour at 0.7 %: the pair of six hours alone",
        "AvailabilityBudgetBurning",
        mixed(70, 40),
        {"10m": QUIET, "30m": failing("0.7%", "6")},
    ),
    Case(
        "fires",
        "warns after an hour at 0.4 %: the pair of a day alone",
        "AvailabilityBudgetBurning",
        mixed(40, 90),
        {"60m": QUIET, "64m": failing("0.4%", "3")},
    ),
    Case(
        "fires",
        "warns after three hours at 0.2 %: the pair of three days alone",
        "AvailabilityBudgetBurning",
        mixed(20, 200),
        {"180m": QUIET, "184m": failing("0.2%", "1")},
    ),
    Case(
        "just under",
        "is quiet at 0.09 %, for however long",
        "AvailabilityBudgetBurning",
        mixed(9, 200),
        {"60m": QUIET, "200m": QUIET},
    ),
    Case(
        "just under",
        "leaves the fastest pair out at 1.4 %",
        "AvailabilityBudgetBurning",
        mixed(140, 30),
        {"25m": failing("1.4%", "6")},
    ),
    Case(
        "no traffic",
        "is quiet when no requests come",
        "AvailabilityBudgetBurning",
        {counted("200"): "100x70", counted("500"): "100x70"},
        {"65m": QUIET},
    ),
    Case(
        "missing series",
        "is quiet when nothing has failed yet",
        "AvailabilityBudgetBurning",
        {counted("200"): "0+100x70"},
        {"65m": QUIET},
    ),
    Case(
        "recovers",
        "ends when the short window is clean, though the long one is still over its limit",
        "AvailabilityBudgetBurning",
        {counted("200"): "0+9000x60", counted("500"): "0+1000x10 10000x50"},
        {"10m": failing("10%", "14.4"), "45m": QUIET},
    ),
    Case(
        "fires",
        "fires within minutes when 16 % are slow",
        "LatencyBudgetBurning",
        paced(160, 30),
        {"2m": QUIET, "10m": slow("16%", "14.4"), "25m": slow("16%", "14.4", "6")},
    ),
    Case(
        "just under",
        "is quiet at 0.9 %, within the hour",
        "LatencyBudgetBurning",
        paced(9, 70),
        {"65m": QUIET},
    ),
    Case(
        "no traffic",
        "is quiet when no requests come",
        "LatencyBudgetBurning",
        durations({"0.5": "0x70", "+Inf": "100x70"}),
        {"65m": QUIET},
    ),
    Case(
        "missing series",
        "is quiet for a job without durations",
        "LatencyBudgetBurning",
        {counted("200"): "0+100x70"},
        {"65m": QUIET},
    ),
    Case(
        "recovers",
        "ends when the short window is clean",
        "LatencyBudgetBurning",
        durations({"0.5": "0+500x10 5000+1000x50", "+Inf": "0+1000x60"}),
        {"10m": slow("50%", "14.4"), "45m": QUIET},
    ),
)

"""Money that stays away."""

from __future__ import annotations

from typing import Final

from tests.alert_cases.model import QUIET, Case, Firing

# A small shop's: about one of its currency an hour, in steps that add up without a rest.
REVENUE: Final = 'revenue_total{job="shop",instance="app:8000",currency="CNY"}'


def stopped(average: str) -> Firing:
    return Firing(
        {"job": "shop", "severity": "critical"},
        "shop: no revenue for 30m",
        f"shop has taken no money for 30m; over the last 1d it took {average} an hour on average.",
    )


def failing(share: str, method: str = "wechat") -> Firing:
    return Firing(
        {"job": "shop", "payment_method": method, "severity": "warning"},
        f"shop: {share} of the orders by {method} fail",
        f"{share} of the orders paid by {method} at shop failed in the last 5m; 20% is the limit.",
    )


def orders(status: str, method: str = "wechat") -> str:
    return f'orders_total{{job="shop",instance="app:8000",status="{status}",payment_method="{method}"}}'


CASES: Final = (
    Case(
        "fires",
        "fires when no money has come for more than half an hour",
        "RevenueStopped",
        {REVENUE: "0+0.015625x60 0.9375x60"},
        {"60m": QUIET, "93m": QUIET, "95m": [stopped("0.6")], "100m": [stopped("0.6")]},
    ),
    Case(
        "just under",
        "is quiet when the pause is twenty-five minutes",
        "RevenueStopped",
        {REVENUE: "0+0.015625x60 0.9375x25 0.9375+0.015625x60"},
        {"85m": QUIET, "92m": QUIET, "120m": QUIET},
    ),
    Case(
        "just under",
        "is quiet after a release to new instances, each of which has taken its first money",
        "RevenueStopped",
        {
            REVENUE: "0+0.03125x40 stale",
            **{
                REVENUE.replace("8000", f"800{number}"): f"_x{minute} 5x{160 - minute}"
                for number, minute in ((1, 55), (2, 75), (3, 95))
            },
        },
        {"80m": QUIET, "100m": QUIET, "120m": QUIET},
    ),
    Case(
        "no traffic",
        "is quiet for a job that has a revenue of nothing since ever",
        "RevenueStopped",
        {REVENUE: "0x100"},
        {"100m": QUIET},
    ),
    Case(
        "missing series",
        "fires when the series of a job that had revenue is gone",
        "RevenueStopped",
        {REVENUE: "0+0.03125x60 stale"},
        {"60m": QUIET, "100m": [stopped("1.8")]},
    ),
    Case(
        "missing series",
        "is quiet for a job that never had revenue",
        "RevenueStopped",
        {'up{job="node",instance="app:9100"}': "1x100"},
        {"100m": QUIET},
    ),
    Case(
        "recovers",
        "ends with the next order",
        "RevenueStopped",
        {REVENUE: "0+0.03125x60 1.875x60 1.875+0.03125x20"},
        {"110m": [stopped("1.0")], "125m": QUIET},
    ),
    Case(
        "fires",
        "fires for the one payment method that fails",
        "PaymentFailures",
        {
            orders("completed"): "0+75x30",
            orders("failed"): "0+25x30",
            orders("completed", "card"): "0+95x30",
            orders("failed", "card"): "0+5x30",
        },
        {"10m": QUIET, "12m": [failing("25%")], "20m": [failing("25%")]},
    ),
    Case(
        "just under",
        "is quiet when 19 % fail",
        "PaymentFailures",
        {orders("completed"): "0+81x30", orders("failed"): "0+19x30"},
        {"30m": QUIET},
    ),
    Case(
        "no traffic",
        "is quiet without orders, whatever failed before",
        "PaymentFailures",
        {orders("completed"): "10x30", orders("failed"): "90x30"},
        {"30m": QUIET},
    ),
    Case(
        "missing series",
        "is quiet when no order has failed yet",
        "PaymentFailures",
        {orders("completed"): "0+10x30", orders("pending"): "0+10x30"},
        {"30m": QUIET},
    ),
    Case(
        "missing series",
        "fires when every order fails and none was ever completed",
        "PaymentFailures",
        {orders("failed"): "0+10x30"},
        {"20m": [failing("100%")]},
    ),
    Case(
        "recovers",
        "ends when the payments go through again",
        "PaymentFailures",
        {orders("completed"): "0+50x60", orders("failed"): "0+50x20 1000x40"},
        {"20m": [failing("50%")], "27m": QUIET},
    ),
)

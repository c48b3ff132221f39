"""What the recorded series say of known totals."""

from __future__ import annotations

from typing import Final

from tests.alert_cases.model import Recorded, counted, durations

CASES: Final = (
    Recorded(
        "shares and rates are exact over endpoints, statuses and instances",
        {
            counted("200"): "0+54x30",
            counted("500"): "0+6x30",
            counted("200", "/api/login"): "0+60x30",
            counted("200").replace("app:8000", "app:8001"): "0+60x30",
        },
        "20m",
        {
            "job:http_requests:rate5m": {'job:http_requests:rate5m{job="shop"}': 3},
            "job:http_request_errors:ratio_rate5m * 180": {'{job="shop"}': 6},
            "job_endpoint:http_requests:rate5m": {
                'job_endpoint:http_requests:rate5m{job="shop", endpoint="/api/orders"}': 2,
                'job_endpoint:http_requests:rate5m{job="shop", endpoint="/api/login"}': 1,
            },
            "job_endpoint:http_request_errors:ratio_rate5m": {
                'job_endpoint:http_request_errors:ratio_rate5m{job="shop", endpoint="/api/orders"}': 0.05,
                'job_endpoint:http_request_errors:ratio_rate5m{job="shop", endpoint="/api/login"}': 0,
            },
        },
    ),
    Recorded(
        "a job without requests has rates of nothing, no share, and no invented failures",
        {counted("200"): "100x30"},
        "20m",
        {
            "job:http_requests:rate5m": {'job:http_requests:rate5m{job="shop"}': 0},
            "job:http_request_errors:ratio_rate5m": {},
            "job:http_request_slow:ratio_rate5m": {},
        },
    ),
    Recorded(
        "quantiles lie inside the bucket that the requests are in",
        durations({"0.1": "0+0x30", "0.25": "0+90x30", "0.5": "0+100x30", "+Inf": "0+100x30"}),
        "20m",
        {
            "round(job:http_request_duration_seconds:p95_rate5m, 0.000001)": {'{job="shop"}': 0.375},
            "job:http_request_slow:ratio_rate5m": {'job:http_request_slow:ratio_rate5m{job="shop"}': 0},
        },
    ),
    Recorded(
        "half the allowed failures leave half the budget",
        {
            counted("200"): "0+19990x120",
            counted("500"): "0+10x120",
            **durations({"0.5": "0+19900x120", "+Inf": "0+20000x120"}),
        },
        "120m",
        {
            "round(job:http_request_errors:budget_left_30d, 0.001)": {'{job="shop"}': 0.5},
            "round(job:http_request_slow:budget_left_30d, 0.001)": {'{job="shop"}': 0.5},
        },
    ),
    Recorded(
        "orders and revenue are counted by status, method and currency",
        {
            'orders_total{job="shop",status="failed",payment_method="card"}': "0+15x30",
            'orders_total{job="shop",status="completed",payment_method="card"}': "0+45x30",
            'revenue_total{job="shop",currency="CNY"}': "0+600x30",
            'revenue_total{job="shop",currency="EUR"}': "0+60x30",
        },
        "20m",
        {
            "job_status:orders:rate5m": {
                'job_status:orders:rate5m{job="shop", status="failed"}': 0.25,
                'job_status:orders:rate5m{job="shop", status="completed"}': 0.75,
            },
            "job_payment_method:orders_failed:ratio_rate5m": {
                'job_payment_method:orders_failed:ratio_rate5m{job="shop", payment_method="card"}': 0.25
            },
            "job_currency:revenue:rate5m": {
                'job_currency:revenue:rate5m{job="shop", currency="CNY"}': 10,
                'job_currency:revenue:rate5m{job="shop", currency="EUR"}': 1,
            },
        },
    ),
)

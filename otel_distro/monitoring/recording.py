"""The recorded series that alerts and dashboards share, so that both say the same."""

from __future__ import annotations

from typing import Final

from otel_distro.monitoring.model import Group, Recording
from otel_distro.monitoring.objectives import (
    BUDGET_WINDOW,
    LONG_WINDOWS,
    MINUTE,
    RATE_WINDOW,
    SHORT_WINDOWS,
    Objectives,
)
from otel_distro.monitoring.parameters import Parameters, duration
from otel_distro.monitoring.promql import bound, part_rate, quantile, share, summed_rate

# Shorter than the 5 minutes after which Prometheus takes a series for gone.
LONG_INTERVAL: Final = 2 * MINUTE
QUANTILES: Final = (0.5, 0.95, 0.99)
LEVELS: Final = ("job", "job_endpoint")


def errors_share(window: int) -> str:
    """Return the name of the share of requests that fail, over a window of seconds."""
    return f"job:http_request_errors:ratio_rate{duration(window)}"


def slow_share(window: int) -> str:
    """Return the name of the share of requests that are slow, over a window of seconds."""
    return f"job:http_request_slow:ratio_rate{duration(window)}"


def request_groups(parameters: Parameters) -> tuple[Group, ...]:
    """Return rates, shares and quantiles of the requests."""
    return (
        Group("requests", (*_rates(parameters), *_quantiles(parameters))),
        Group("request-windows", _windows(parameters, SHORT_WINDOWS[1:])),
        Group(
            "request-budgets",
            (*_windows(parameters, LONG_WINDOWS), *_budgets(parameters, parameters.objectives)),
            parameters.span(LONG_INTERVAL),
        ),
    )


def business_groups(parameters: Parameters) -> tuple[Group, ...]:
    """Return rates and shares of orders and revenue."""
    window = parameters.span(RATE_WINDOW)
    revenue, orders = parameters.series("revenue_total"), parameters.series("orders_total")
    failed = parameters.series("orders_total", 'status="failed"')
    return (
        Group(
            "business",
            (
                Recording("job_currency:revenue:rate5m", summed_rate("job, currency", revenue, window)),
                Recording("job:revenue:rate5m", summed_rate("job", revenue, window)),
                Recording("job_status:orders:rate5m", summed_rate("job, status", orders, window)),
                Recording("job_payment_method:orders:rate5m", summed_rate("job, payment_method", orders, window)),
                Recording(
                    "job_payment_method:orders_failed:ratio_rate5m",
                    share("job, payment_method", failed, orders, window),
                ),
            ),
        ),
    )


def _rates(parameters: Parameters) -> tuple[Recording, ...]:
    window = parameters.span(RATE_WINDOW)
    requests, failed = _requests(parameters), _failed(parameters)
    found: list[Recording] = []
    for level in LEVELS:
        by = level.replace("_", ", ")
        found.append(Recording(f"{level}:http_requests:rate5m", summed_rate(by, requests, window)))
        found.append(Recording(f"{level}:http_request_errors:rate5m", part_rate(by, failed, requests, window)))
        found.append(Recording(f"{level}:http_request_errors:ratio_rate5m", share(by, failed, requests, window)))
    total, fast = _total_and_fast(parameters, window)
    found.append(Recording("job:http_request_slow:rate5m", f"{total}\n-\n{fast}"))
    found.append(Recording(slow_share(RATE_WINDOW), _slow(parameters, RATE_WINDOW)))
    return tuple(found)


def _quantiles(parameters: Parameters) -> tuple[Recording, ...]:
    window, buckets = parameters.span(RATE_WINDOW), parameters.series("http_request_duration_seconds_bucket")
    return tuple(
        Recording(
            f"{level}:http_request_duration_seconds:p{q * 100:g}_rate5m",
            quantile(q, level.replace("_", ", "), buckets, window),
        )
        for level in LEVELS
        for q in QUANTILES
    )


def _windows(parameters: Parameters, windows: tuple[int, ...]) -> tuple[Recording, ...]:
    requests, failed = _requests(parameters), _failed(parameters)
    failing = [
        Recording(errors_share(window), share("job", failed, requests, parameters.span(window))) for window in windows
    ]
    return (*failing, *(Recording(slow_share(window), _slow(parameters, window)) for window in windows))


def _budgets(parameters: Parameters, objectives: Objectives) -> tuple[Recording, ...]:
    """Return which share of the budget of 30 days is left: 1 is all, 0 nothing, less is overspent."""
    window = parameters.span(BUDGET_WINDOW)
    budgets = {"errors": objectives.availability_budget, "slow": objectives.latency_budget}
    return tuple(
        Recording(
            f"job:http_request_{kind}:budget_left_30d",
            f"1 - (\n"
            f"  sum_over_time({parameters.series(f'job:http_request_{kind}:rate5m')}[{window}])\n"
            f"  /\n"
            f"  (sum_over_time({parameters.series('job:http_requests:rate5m')}[{window}]) > 0)\n"
            f")\n/\n{budget!r}",
        )
        for kind, budget in budgets.items()
    )


def _requests(parameters: Parameters) -> str:
    return parameters.series("http_requests_total")


def _failed(parameters: Parameters) -> str:
    return parameters.series("http_requests_total", 'status=~"5.."')


def _slow(parameters: Parameters, window: int) -> str:
    total, fast = _total_and_fast(parameters, parameters.span(window))
    return f"1 - {fast}\n/\n({total} > 0)"


def _total_and_fast(parameters: Parameters, span: str) -> tuple[str, str]:
    limit = bound(parameters.objectives.latency_seconds)
    fast = summed_rate("job", parameters.series("http_request_duration_seconds_bucket", limit), span)
    return summed_rate("job", parameters.series("http_request_duration_seconds_count"), span), fast

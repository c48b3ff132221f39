"""Requests: how many, how long, how large, how many fail, and what is left of the objectives' budgets."""

from __future__ import annotations

from otel_distro.monitoring.dashboards.model import (
    PROMETHEUS,
    RATE_INTERVAL,
    Dashboard,
    Look,
    Panel,
    Query,
    Row,
    Unit,
    falling,
    rising,
)
from otel_distro.monitoring.dashboards.selections import job, of_job, several
from otel_distro.monitoring.objectives import BURN_RATES, DAY, HOUR, RATE_WINDOW
from otel_distro.monitoring.parameters import Parameters, duration, selector
from otel_distro.monitoring.promql import quantile, summed_rate
from otel_distro.monitoring.recording import QUANTILES, errors_share, slow_share

_BURN_WINDOWS = (RATE_WINDOW, HOUR, 6 * HOUR, 3 * DAY)


def dashboard(parameters: Parameters) -> Dashboard:
    """Return the dashboard of a service's requests."""
    return Dashboard(
        "service",
        (PROMETHEUS, job(parameters, "http_requests_total"), several("endpoint", "http_requests_total")),
        (
            Row("now", _now(parameters)),
            Row("requests", _requests(parameters)),
            Row("durations", _durations(parameters)),
            Row("answers", _answers()),
            Row("objectives", _objectives(parameters)),
        ),
    )


def _now(parameters: Parameters) -> tuple[Panel, ...]:
    objectives = parameters.objectives
    errors, slow = rising(objectives.availability_budget, objectives.error_share), rising(objectives.response_seconds)

    def number(name: str, expression: str, unit: Unit, **more: object) -> Panel:
        return Panel(name, (Query(expression),), unit, Look.NUMBER, 4, **more)  # type: ignore[arg-type]

    return (
        number("rate", of_job("job:http_requests:rate5m"), Unit.REQUESTS_PER_SECOND, logs=""),
        number(
            "error_share",
            of_job(errors_share(RATE_WINDOW)),
            Unit.SHARE,
            thresholds=errors,
            logs="",
            level="ERROR",
            figures={"limit": f"{objectives.error_share * 100:g}%"},
        ),
        number(
            "p95",
            of_job("job:http_request_duration_seconds:p95_rate5m"),
            Unit.SECONDS,
            thresholds=slow,
            figures={"limit": f"{objectives.response_seconds:g}"},
        ),
        number("in_flight", f"sum by (job) ({of_job('active_connections')})", Unit.NUMBER),
        number(
            "availability_left",
            of_job("job:http_request_errors:budget_left_30d"),
            Unit.SHARE,
            thresholds=falling(0, 0.25),
            figures={"objective": f"{objectives.availability:g}%"},
        ),
        number(
            "latency_left",
            of_job("job:http_request_slow:budget_left_30d"),
            Unit.SHARE,
            thresholds=falling(0, 0.25),
            figures={"objective": f"{objectives.latency:g}%", "seconds": f"{objectives.latency_seconds:g}"},
        ),
    )


def _requests(parameters: Parameters) -> tuple[Panel, ...]:
    limit = parameters.objectives.error_share
    return (
        Panel(
            "rate_by_endpoint",
            (Query(of_job("job_endpoint:http_requests:rate5m", "endpoint"), "{{endpoint}}"),),
            Unit.REQUESTS_PER_SECOND,
            Look.STACKED,
            logs="",
        ),
        Panel(
            "rate_by_status",
            (
                Query(
                    summed_rate("method, status", of_job("http_requests_total", "endpoint"), RATE_INTERVAL),
                    "{{method}} {{status}}",
                    exemplars=True,
                ),
            ),
            Unit.REQUESTS_PER_SECOND,
            Look.STACKED,
            logs="",
        ),
        Panel(
            "error_share_by_endpoint",
            (Query(of_job("job_endpoint:http_request_errors:ratio_rate5m", "endpoint"), "{{endpoint}}"),),
            Unit.SHARE,
            thresholds=rising(limit),
            logs="",
            level="ERROR",
            figures={"limit": f"{limit * 100:g}%"},
        ),
    )


def _durations(parameters: Parameters) -> tuple[Panel, ...]:
    limit = parameters.objectives.response_seconds
    buckets = of_job("http_request_duration_seconds_bucket", "endpoint")
    slow, figures = rising(limit), {"limit": f"{limit:g}"}
    by_endpoint = (
        Panel(
            f"p{percent}_by_endpoint",
            (
                Query(
                    of_job(f"job_endpoint:http_request_duration_seconds:p{percent}_rate5m", "endpoint"), "{{endpoint}}"
                ),
            ),
            Unit.SECONDS,
            thresholds=slow,
            logs="",
            figures=figures,
        )
        for percent in (95, 50)
    )
    overall = tuple(
        Query(quantile(q, "job", buckets, RATE_INTERVAL), f"p{q * 100:g}", exemplars=True) for q in QUANTILES
    )
    return (Panel("quantiles", overall, Unit.SECONDS, thresholds=slow, logs="", figures=figures), *by_endpoint)


def _answers() -> tuple[Panel, ...]:
    size = summed_rate("endpoint", of_job("http_response_size_bytes_sum", "endpoint"), RATE_INTERVAL)
    count = summed_rate("endpoint", of_job("http_response_size_bytes_count", "endpoint"), RATE_INTERVAL)
    return (
        Panel("size", (Query(f"{size}\n/\n({count} > 0)", "{{endpoint}}"),), Unit.BYTES),
        Panel("traffic", (Query(size, "{{endpoint}}"),), Unit.BYTES_PER_SECOND, Look.STACKED),
        Panel(
            "in_flight_over_time",
            (Query(f"sum by (instance) ({of_job('active_connections')})", "{{instance}}"),),
            Unit.NUMBER,
            Look.STACKED,
        ),
    )


def _objectives(parameters: Parameters) -> tuple[Panel, ...]:
    objectives, dearest = parameters.objectives, BURN_RATES[0].factor

    def burning(name: str, share: str, budget: float) -> Panel:
        windows = [(selector(series, 'job="$job"'), duration(window)) for series, window in _burn_series(share)]
        queries = tuple(Query(f"{series} / {budget!r}", window) for series, window in windows)
        figures = {"factor": f"{dearest:g}"}
        return Panel(name, queries, Unit.NUMBER, thresholds=rising(1, dearest), figures=figures)

    left = (
        Query(of_job("job:http_request_errors:budget_left_30d"), "{availability}"),
        Query(of_job("job:http_request_slow:budget_left_30d"), "{latency}"),
    )
    return (
        burning("availability_burning", "errors", objectives.availability_budget),
        burning("latency_burning", "slow", objectives.latency_budget),
        Panel("budgets_left", left, Unit.SHARE, thresholds=falling(0, 0.25)),
    )


def _burn_series(share: str) -> list[tuple[str, int]]:
    name = errors_share if share == "errors" else slow_share
    return [(name(window), window) for window in _BURN_WINDOWS]

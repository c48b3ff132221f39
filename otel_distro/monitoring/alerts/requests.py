"""Requests that fail, are slow, or stay away."""

from __future__ import annotations

from otel_distro.monitoring.model import Alert, Group, Unit
from otel_distro.monitoring.objectives import MEMORY, MINUTE, RATE_WINDOW
from otel_distro.monitoring.parameters import Parameters, selector
from otel_distro.monitoring.promql import or_nothing
from otel_distro.monitoring.recording import errors_share


def group(parameters: Parameters) -> Group:
    """Return the alerts on the requests of a service."""
    return Group("request-alerts", (_errors(parameters), _slow(parameters), _few(parameters)))


def _errors(parameters: Parameters) -> Alert:
    limit, job = parameters.objectives.error_share, f'job="{parameters.job}"'
    return Alert(
        "HighErrorRate",
        f"{parameters.series(errors_share(RATE_WINDOW))} > {limit:g}",
        parameters.span(5 * MINUTE),
        "critical",
        ("job",),
        Unit.SHARE,
        {"limit_percent": f"{limit * 100:g}%", "window": parameters.span(RATE_WINDOW)},
        queries=(
            selector("job_endpoint:http_request_errors:ratio_rate5m", job) + " > 0",
            "sum by (endpoint, status) (rate(" + selector("http_requests_total", job, 'status=~"5.."') + "[5m]))",
        ),
        commands=("otel-distro logs top --hours 1", "otel-distro logs errors --hours 1 --size 20"),
    )


def _slow(parameters: Parameters) -> Alert:
    limit, job = parameters.objectives.response_seconds, f'job="{parameters.job}"'
    return Alert(
        "HighResponseTime",
        f"{parameters.series('job:http_request_duration_seconds:p95_rate5m')} > {limit:g}",
        parameters.span(5 * MINUTE),
        "warning",
        ("job",),
        Unit.SECONDS,
        {"limit": f"{limit:g}", "window": parameters.span(RATE_WINDOW)},
        queries=(
            "sort_desc(" + selector("job_endpoint:http_request_duration_seconds:p95_rate5m", job) + ")",
            selector("active_connections", job),
            "histogram_quantile(0.95, sum by (le, function_name) (rate("
            + selector("function_duration_seconds_bucket", job)
            + "[5m])))",
        ),
        commands=("otel-distro logs top --hours 1", "otel-distro logs rate --hours 6"),
    )


def _few(parameters: Parameters) -> Alert:
    limit, job = parameters.objectives.requests_per_second, f'job="{parameters.job}"'
    rate = parameters.series("job:http_requests:rate5m")
    return Alert(
        "LowRequestRate",
        f"{or_nothing(rate, rate, parameters.span(MEMORY))} < {limit:g}",
        parameters.span(10 * MINUTE),
        "warning",
        ("job",),
        Unit.RATE,
        {"limit": f"{limit:g}", "held": parameters.span(10 * MINUTE), "memory": parameters.span(MEMORY)},
        queries=(
            selector("job:http_requests:rate5m", job),
            selector("up", job),
            "sum by (endpoint) (rate(" + selector("http_requests_total", job) + "[5m]))",
        ),
        commands=("otel-distro logs rate --hours 24", "otel-distro logs errors --hours 1 --size 20"),
    )

"""Money that stays away."""

from __future__ import annotations

from otel_distro.monitoring.model import Alert, Group, Unit
from otel_distro.monitoring.objectives import HOUR, MEMORY, MINUTE, RATE_WINDOW
from otel_distro.monitoring.parameters import Parameters, selector
from otel_distro.monitoring.promql import grown, indented


def group(parameters: Parameters) -> Group:
    """Return the alerts on orders and revenue."""
    return Group("business-alerts", (_revenue(parameters), _payments(parameters)))


def _revenue(parameters: Parameters) -> Alert:
    pause, memory, job = parameters.objectives.revenue_pause, parameters.span(MEMORY), f'job="{parameters.job}"'
    rate, revenue, up = (parameters.series(name) for name in ("job:revenue:rate5m", "revenue_total", "up"))
    # The first money of a new instance as well, which no increase shows.
    taken = grown("job", revenue, parameters.span(pause), memory, up)
    return Alert(
        "RevenueStopped",
        f"avg_over_time({rate}[{memory}]) * {HOUR} > 0\nunless on (job)\n(\n{indented(taken)}\n)",
        parameters.span(5 * MINUTE),
        "critical",
        ("job",),
        Unit.AMOUNT,
        {"pause": parameters.span(pause), "memory": memory},
        queries=(
            "sum by (currency) (rate(" + selector("revenue_total", job) + "[30m]))",
            selector("job_status:orders:rate5m", job),
            selector("job:http_requests:rate5m", job),
        ),
        commands=("otel-distro logs top --hours 1", "otel-distro logs errors --hours 1 --size 20"),
    )


def _payments(parameters: Parameters) -> Alert:
    limit, job = parameters.objectives.payment_failure_share, f'job="{parameters.job}"'
    return Alert(
        "PaymentFailures",
        f"{parameters.series('job_payment_method:orders_failed:ratio_rate5m')} > {limit:g}",
        parameters.span(10 * MINUTE),
        "warning",
        ("job", "payment_method"),
        Unit.SHARE,
        {"limit_percent": f"{limit * 100:g}%", "window": parameters.span(RATE_WINDOW)},
        queries=(
            selector("job_payment_method:orders_failed:ratio_rate5m", job),
            "sum by (payment_method, status) (increase(" + selector("orders_total", job) + "[30m]))",
        ),
        commands=("otel-distro logs top --hours 1", "otel-distro logs errors --hours 1 --size 20"),
    )

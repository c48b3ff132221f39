"""Budgets of failed and of slow requests that are spent too fast to last for their 30 days."""

from __future__ import annotations

from collections.abc import Callable

from otel_distro.monitoring.model import Alert, Group, Unit
from otel_distro.monitoring.objectives import BURN_RATES, BurnRate
from otel_distro.monitoring.parameters import Parameters, duration, selector
from otel_distro.monitoring.recording import errors_share, slow_share


def group(parameters: Parameters) -> Group:
    """Return an alert for each pair of windows and each budget."""
    failing = (_burning(parameters, rate, "AvailabilityBudgetBurning", errors_share) for rate in BURN_RATES)
    slow = (_burning(parameters, rate, "LatencyBudgetBurning", slow_share) for rate in BURN_RATES)
    return Group("budget-alerts", (*failing, *slow))


def _burning(parameters: Parameters, rate: BurnRate, name: str, series: Callable[[int], str]) -> Alert:
    objectives, availability = parameters.objectives, series is errors_share
    budget = objectives.availability_budget if availability else objectives.latency_budget
    limit = f"({rate.factor:g} * {budget!r})"
    long, short = parameters.series(series(rate.long)), parameters.series(series(rate.short))
    kind, job = "errors" if availability else "slow", f'job="{parameters.job}"'
    return Alert(
        name,
        f"{long} > {limit}\nand\n{short} > {limit}",
        parameters.span(rate.held),
        rate.severity,
        ("job",),
        Unit.SHARE,
        {
            "objective": f"{objectives.availability if availability else objectives.latency:g}%",
            "seconds": f"{objectives.latency_seconds:g}",
            "factor": f"{rate.factor:g}",
            "long": duration(rate.long),
            "short": duration(rate.short),
        },
        {"long": duration(rate.long), "short": duration(rate.short)},
        queries=(
            selector(f"job:http_request_{kind}:budget_left_30d", job),
            selector(series(BURN_RATES[0].long), job),
            selector(series(BURN_RATES[0].short), job),
        ),
        commands=("otel-distro logs rate --hours 24", "otel-distro logs top --hours 24"),
    )

"""Functions that `track_performance` and `monitor_request` measure."""

from __future__ import annotations

from otel_distro.monitoring.dashboards.model import (
    PROMETHEUS,
    RANGE,
    RATE_INTERVAL,
    Dashboard,
    Look,
    Panel,
    Query,
    Row,
    Unit,
)
from otel_distro.monitoring.dashboards.selections import job, of_job, several
from otel_distro.monitoring.parameters import Parameters
from otel_distro.monitoring.promql import quantile, summed_rate

_FAMILY = "function_duration_seconds"
_BY = "module, function_name"
_LEGEND = "{{module}}.{{function_name}}"
_LOGS = 'function:"${__field.labels.function}"'


def dashboard(parameters: Parameters) -> Dashboard:
    """Return the dashboard of measured functions."""
    return Dashboard(
        "functions",
        (PROMETHEUS, job(parameters, f"{_FAMILY}_count"), several("function_name", f"{_FAMILY}_count")),
        (Row("functions", _lines()), Row("dearest", (_dearest(),))),
    )


def _series(part: str) -> str:
    return of_job(f"{_FAMILY}_{part}", "function_name")


def _line(expression: str, *, exemplars: bool = False) -> Query:
    """Return a query whose series also have the label `function`: the name in logs, a method's without its class."""
    named = f'label_replace(\n  {expression},\n  "function", "$2", "function_name", "(.*[.])?(.+)"\n)'
    return Query(named, _LEGEND, exemplars=exemplars)


def _lines() -> tuple[Panel, ...]:
    calls = summed_rate(_BY, _series("count"), RATE_INTERVAL)
    seconds = summed_rate(_BY, _series("sum"), RATE_INTERVAL)
    quantiles = (
        Panel(
            f"p{q * 100:g}",
            (_line(quantile(q, _BY, _series("bucket"), RATE_INTERVAL), exemplars=True),),
            Unit.SECONDS,
            logs=_LOGS,
            width=12,
        )
        for q in (0.95, 0.5)
    )
    return (
        Panel("calls", (_line(calls),), Unit.PER_SECOND, width=12, logs=_LOGS),
        Panel("mean", (_line(f"{seconds} / ({calls} > 0)"),), Unit.SECONDS, width=12, logs=_LOGS),
        *quantiles,
    )


def _dearest() -> Panel:
    spent = f"sum by ({_BY}) (increase({_series('sum')}[{RANGE}]))"
    return Panel("spent", (Query(f"topk(20, {spent})", instant=True),), Unit.SECONDS, Look.TABLE, 24)

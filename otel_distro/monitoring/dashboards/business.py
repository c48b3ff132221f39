"""Orders, revenue, users, and whatever metrics of its own a service declares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

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
    rising,
)
from otel_distro.monitoring.dashboards.selections import job, of_job
from otel_distro.monitoring.parameters import Parameters, selector
from otel_distro.monitoring.promql import quantile, summed_rate
from otel_distro.monitoring.texts.model import PanelText

Kind = Literal["counter", "gauge", "histogram"]


@dataclass(frozen=True)
class OwnMetric:
    """A metric that a service declares, as Prometheus has it; `buckets` tells a histogram from a sum and a count."""

    name: str
    kind: Kind
    description: str
    labels: tuple[str, ...]
    unit: str = ""
    """The unit's word at the end of the name: `seconds`, `bytes`, any other or none."""
    buckets: bool = True


def dashboard(parameters: Parameters, own: Sequence[OwnMetric] = ()) -> Dashboard:
    """Return the dashboard of business metrics, with a panel for each metric of the service's own."""
    rows = (Row("total", _totals()), Row("orders", _orders(parameters)), Row("money", _money()))
    further = (Row("own", tuple(_own(metric) for metric in own)),) if own else ()
    return Dashboard("business", (PROMETHEUS, job(parameters, _anyone_with(own))), (*rows, *further))


def _anyone_with(own: Sequence[OwnMetric]) -> str:
    """Return a selector of the jobs to choose from: a service with metrics of its own need not have orders."""
    names = (f"{metric.name}_count" if metric.kind == "histogram" else metric.name for metric in own)
    return selector("", f'__name__=~"{"|".join(("orders_total", *names))}"') if own else "orders_total"


def _totals() -> tuple[Panel, ...]:
    def total(name: str, metric: str, by: str) -> Panel:
        query = Query(f"sum by ({by}) (increase({of_job(metric)}[{RANGE}]))", f"{{{{{by}}}}}", instant=True)
        return Panel(name, (query,), Unit.NUMBER, Look.NUMBER, 8, logs="")

    users = Query(f"max by (time_window) ({of_job('active_users')})", "{{time_window}}")
    return (
        total("orders_total", "orders_total", "status"),
        total("revenue_total", "revenue_total", "currency"),
        Panel("users", (users,), Unit.NUMBER, Look.NUMBER, 8),
    )


def _orders(parameters: Parameters) -> tuple[Panel, ...]:
    limit = parameters.objectives.payment_failure_share
    method = "{{payment_method}}"
    return (
        Panel(
            "orders_by_status",
            (Query(of_job("job_status:orders:rate5m"), "{{status}}"),),
            Unit.PER_SECOND,
            Look.STACKED,
            logs="",
        ),
        Panel(
            "orders_by_method",
            (Query(of_job("job_payment_method:orders:rate5m"), method),),
            Unit.PER_SECOND,
            Look.STACKED,
        ),
        Panel(
            "failed_by_method",
            (Query(of_job("job_payment_method:orders_failed:ratio_rate5m"), method),),
            Unit.SHARE,
            thresholds=rising(limit),
            logs="",
            level="ERROR",
            figures={"limit": f"{limit * 100:g}%"},
        ),
    )


def _money() -> tuple[Panel, ...]:
    buckets = of_job("order_processing_seconds_bucket")
    processing = tuple(
        Query(quantile(q, "order_type", buckets, RATE_INTERVAL), f"{{{{order_type}}}} p{q * 100:g}", exemplars=True)
        for q in (0.5, 0.95)
    )
    users = Query(f"max by (time_window) ({of_job('active_users')})", "{{time_window}}")
    return (
        Panel("revenue", (Query(f"{of_job('job_currency:revenue:rate5m')} * 60", "{{currency}}"),), Unit.NUMBER),
        Panel("processing", processing, Unit.SECONDS),
        Panel("users_over_time", (users,), Unit.NUMBER),
    )


def _own(metric: OwnMetric) -> Panel:
    by = ", ".join(metric.labels) or "job"
    legend = " ".join(f"{{{{{label}}}}}" for label in metric.labels) or "{{job}}"
    value = {"seconds": Unit.SECONDS, "bytes": Unit.BYTES}.get(metric.unit, Unit.NUMBER)
    unit = value if metric.kind != "counter" else Unit.BYTES_PER_SECOND if value is Unit.BYTES else Unit.PER_SECOND
    text = PanelText(metric.name, metric.description or metric.name)
    return Panel(f"own {metric.name}", _own_queries(metric, by, legend), unit, text=text)


def _own_queries(metric: OwnMetric, by: str, legend: str) -> tuple[Query, ...]:
    if metric.kind == "gauge":
        return (Query(f"sum by ({by}) ({of_job(metric.name)})", legend),)
    if metric.kind == "counter":
        return (Query(summed_rate(by, of_job(metric.name), RATE_INTERVAL), legend, exemplars=True),)
    if metric.buckets:
        buckets = of_job(f"{metric.name}_bucket")
        return tuple(
            Query(quantile(q, by, buckets, RATE_INTERVAL), f"{legend} p{q * 100:g}", exemplars=True)
            for q in (0.5, 0.95)
        )
    count = summed_rate(by, of_job(f"{metric.name}_count"), RATE_INTERVAL)
    return (Query(f"{summed_rate(by, of_job(f'{metric.name}_sum'), RATE_INTERVAL)}\n/\n({count} > 0)", legend),)

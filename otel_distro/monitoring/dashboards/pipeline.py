"""The way of the logs through the Collector into Elasticsearch, and what services could not record."""

from __future__ import annotations

from otel_distro.monitoring.alerts.pipeline import (
    ACCEPTED,
    DOCUMENTS,
    FAILED,
    NO_MEMORY,
    NOT_QUEUED,
    QUEUE_CAPACITY,
    QUEUE_SIZE,
    SENT,
)
from otel_distro.monitoring.dashboards.logs import EVERYTHING
from otel_distro.monitoring.dashboards.model import (
    ELASTICSEARCH,
    PROMETHEUS,
    RATE_INTERVAL,
    Dashboard,
    Look,
    Panel,
    Query,
    Row,
    Search,
    Unit,
    Variable,
    rising,
)
from otel_distro.monitoring.dashboards.selections import JOB, of_job
from otel_distro.monitoring.parameters import Parameters, selector
from otel_distro.monitoring.promql import part_rate, summed_rate

_REFUSED = "otelcol_receiver_refused_log_records"
_BYTES = "otelcol_elasticsearch_flushed_uncompressed_bytes"
_LOGS = 'data_type="logs"'


def dashboard(parameters: Parameters) -> Dashboard:
    """Return the dashboard of the Collector, whatever the service, and of the telemetry of all services or this one."""
    job = Variable("job", "metric", f"label_values({QUEUE_CAPACITY}, job)")
    return Dashboard(
        "pipeline",
        (PROMETHEUS, ELASTICSEARCH, job),
        (
            Row("queue", _queue(parameters)),
            Row("records", _records()),
            Row("services", _services(parameters)),
        ),
    )


def _queue(parameters: Parameters) -> tuple[Panel, ...]:
    limit, by = parameters.objectives.queue_share, "instance, exporter, data_type"
    size, capacity = f"max by ({by}) ({of_job(QUEUE_SIZE)})", f"max by ({by}) ({of_job(QUEUE_CAPACITY)})"
    name = "{{exporter}} {{data_type}}"
    return (
        Panel(
            "fill",
            (Query(f"{size}\n/\n{capacity}", name),),
            Unit.SHARE,
            Look.NUMBER,
            4,
            rising(limit / 2, limit),
            figures={"limit": f"{limit * 100:g}%"},
        ),
        Panel(
            "queue",
            (Query(size, f"{name} {{size}}"), Query(capacity, f"{name} {{capacity}}")),
            Unit.NUMBER,
            width=8,
        ),
        Panel(
            "lag",
            (Query(_lag(), "{{exporter}}"),),
            Unit.SECONDS,
            width=8,
            thresholds=rising(60, 300),
        ),
        Panel("newest", (Search(EVERYTHING, "newest", over_time=True),), Unit.AGO, Look.NUMBER, 4),
    )


def _lag() -> str:
    """Return for how long what waits for Elasticsearch will be sent: its queue counts bytes, so the pace does."""
    waiting = f"sum by (instance, exporter) ({selector(QUEUE_SIZE, JOB, _LOGS)})"
    # All that Elasticsearch has answered, also what it did not take: a pace only where records were sent as well.
    pace = summed_rate("instance", of_job(_BYTES), RATE_INTERVAL)
    sent = summed_rate("instance, exporter", of_job(SENT), RATE_INTERVAL)
    return f"{waiting}\n/ on (instance) group_left ()\n{pace}\nand on (instance, exporter)\n{sent} > 0"


def _records() -> tuple[Panel, ...]:
    taken = (
        Query(summed_rate("receiver", of_job(ACCEPTED), RATE_INTERVAL), "{{receiver}} {accepted}"),
        Query(summed_rate("exporter", of_job(SENT), RATE_INTERVAL), "{{exporter}} {sent}"),
    )
    failed = (
        Query(summed_rate("receiver", of_job(_REFUSED), RATE_INTERVAL), "{{receiver}} {refused}"),
        # What never failed has no series yet.
        Query(part_rate("exporter", of_job(FAILED), of_job(SENT), RATE_INTERVAL), "{{exporter}} {failed}"),
        Query(summed_rate("exporter", of_job(NOT_QUEUED), RATE_INTERVAL), "{{exporter}} {not_queued}"),
        Query(summed_rate("processor", of_job(NO_MEMORY), RATE_INTERVAL), "{{processor}} {refused}"),
    )
    by = "outcome, http_response_status_code"
    return (
        Panel("taken", taken, Unit.PER_SECOND),
        Panel("failed", failed, Unit.PER_SECOND, thresholds=rising(0.001)),
        Panel(
            "documents",
            (Query(summed_rate(by, of_job(DOCUMENTS), RATE_INTERVAL), "{{outcome}} {{http_response_status_code}}"),),
            Unit.PER_SECOND,
            Look.STACKED,
        ),
    )


def _services(parameters: Parameters) -> tuple[Panel, ...]:
    def counted(name: str, by: str, legend: str) -> Panel:
        series = parameters.series(f"otel_distro_{name}_total")
        return Panel(name, (Query(summed_rate(by, series, RATE_INTERVAL), legend),), Unit.PER_SECOND)

    slow = parameters.objectives.page_seconds
    return (
        counted("log_lines_dropped", "job", "{{job}}"),
        counted("export_dropped", "job, signal, reason", "{{job}} {{signal}} {{reason}}"),
        counted("rejected", "job, instrument", "{{job}} {{instrument}}"),
        counted("series_overflows", "job, instrument", "{{job}} {{instrument}}"),
        Panel(
            "scrapes",
            (Query(parameters.series("scrape_duration_seconds"), "{{job}} {{instance}}"),),
            Unit.SECONDS,
            thresholds=rising(slow),
            figures={"limit": f"{slow:g}"},
        ),
    )

"""Machines, as node exporter shows them."""

from __future__ import annotations

from otel_distro.monitoring.alerts.node import REAL_FILE_SYSTEMS
from otel_distro.monitoring.dashboards.model import (
    PROMETHEUS,
    RATE_INTERVAL,
    Dashboard,
    Look,
    Panel,
    Query,
    Row,
    Unit,
    Variable,
    falling,
    rising,
)
from otel_distro.monitoring.dashboards.selections import JOB, matching, of_job, several
from otel_distro.monitoring.parameters import Parameters, selector
from otel_distro.monitoring.promql import summed_rate

_NOT_LOOPBACK = 'device!="lo"'


def dashboard(parameters: Parameters) -> Dashboard:
    """Return the dashboard of machines; the job is that of node exporter, whatever the service."""
    job = Variable("job", "metric", "label_values(node_memory_MemTotal_bytes, job)")
    return Dashboard(
        "node",
        (PROMETHEUS, job, several("instance", "node_memory_MemTotal_bytes")),
        (Row("processors", _processors()), Row("memory", _memory(parameters)), Row("network", _network())),
    )


def _series(name: str, *matchers: str) -> str:
    return selector(name, JOB, matching("instance"), *matchers)


def _processors() -> tuple[Panel, ...]:
    idle = _series("node_cpu_seconds_total", 'mode="idle"')
    each = _series("node_cpu_seconds_total")
    cores = f"count by (instance) ({idle})"
    modes = f"{summed_rate('mode', each, RATE_INTERVAL)}\n/\nignoring (mode) group_left sum({cores})"
    return (
        Panel(
            "cpu",
            (Query(f"1 - avg by (instance) (rate({idle}[{RATE_INTERVAL}]))", "{{instance}}"),),
            Unit.SHARE,
            thresholds=rising(0.8, 0.95),
        ),
        Panel("cpu_modes", (Query(modes, "{{mode}}"),), Unit.SHARE, Look.STACKED),
        Panel(
            "load",
            (Query(f"sum by (instance) ({_series('node_load1')})\n/\n{cores}", "{{instance}}"),),
            Unit.NUMBER,
            thresholds=rising(1, 2),
        ),
    )


def _memory(parameters: Parameters) -> tuple[Panel, ...]:
    objectives = parameters.objectives
    free = _series("node_filesystem_avail_bytes", REAL_FILE_SYSTEMS)
    size = _series("node_filesystem_size_bytes", REAL_FILE_SYSTEMS)
    by, place = "instance, mountpoint", "{{instance}} {{mountpoint}}"
    available = of_job("node_memory_MemAvailable_bytes", "instance")
    total = of_job("node_memory_MemTotal_bytes", "instance")
    return (
        Panel(
            "memory",
            (Query(f"sum by (instance) ({available})\n/\nsum by (instance) ({total})", "{{instance}}"),),
            Unit.SHARE,
            thresholds=falling(objectives.memory_share),
            figures={"limit": f"{objectives.memory_share * 100:g}%"},
        ),
        Panel(
            "memory_bytes",
            (Query(available, "{{instance}} {available}"), Query(total, "{{instance}} {total}")),
            Unit.BYTES,
        ),
        Panel(
            "disk",
            (Query(f"min by ({by}) ({free})\n/\nmin by ({by}) ({size})", place),),
            Unit.SHARE,
            thresholds=falling(objectives.disk_share, objectives.disk_watch_share),
            figures={"limit": f"{objectives.disk_share * 100:g}%"},
        ),
    )


def _network() -> tuple[Panel, ...]:
    def rates(*names: str, by: str = "instance, device", skipped: tuple[str, ...] = ()) -> tuple[Query, ...]:
        words = ("{in}", "{out}")
        return tuple(
            Query(summed_rate(by, _series(name, *skipped), RATE_INTERVAL), f"{{{{instance}}}} {{{{device}}}} {word}")
            for name, word in zip(names, words, strict=True)
        )

    return (
        Panel(
            "network",
            rates("node_network_receive_bytes_total", "node_network_transmit_bytes_total", skipped=(_NOT_LOOPBACK,)),
            Unit.BYTES_PER_SECOND,
            width=12,
        ),
        Panel(
            "disk_traffic",
            rates("node_disk_read_bytes_total", "node_disk_written_bytes_total"),
            Unit.BYTES_PER_SECOND,
            width=12,
        ),
    )

"""Machines that run out of disk or memory (node exporter)."""

from __future__ import annotations

from otel_distro.monitoring.model import Alert, Group, Unit
from otel_distro.monitoring.objectives import HOUR, MINUTE
from otel_distro.monitoring.parameters import Parameters, selector

# Images (of packages, configuration drives, discs) are full by nature.
REAL_FILE_SYSTEMS = 'fstype!~"tmpfs|ramfs|overlay|squashfs|erofs|iso9660|udf|fuse.*"'


def group(parameters: Parameters) -> Group:
    """Return the alerts on machines."""
    return Group("node-alerts", (_disk(parameters), _memory(parameters)))


def _disk(parameters: Parameters) -> Alert:
    objectives, by = parameters.objectives, "job, instance, mountpoint"
    free, size = (
        selector("node_filesystem_avail_bytes", REAL_FILE_SYSTEMS),
        selector("node_filesystem_size_bytes", REAL_FILE_SYSTEMS),
    )
    left = f"min by ({by}) ({free}) / min by ({by}) ({size})"
    trend, ahead = parameters.span(6 * HOUR), objectives.disk_hours * HOUR * parameters.pace
    return Alert(
        "NodeDiskFilling",
        f"{left} < {objectives.disk_share:g}\n"
        f"or\n"
        f"{left} < {objectives.disk_watch_share:g}\n"
        f"and\n"
        f"min by ({by}) (predict_linear({free}[{trend}], {ahead:g})) < 0",
        parameters.span(15 * MINUTE),
        "warning",
        ("job", "instance", "mountpoint"),
        Unit.SHARE,
        {"limit_percent": f"{objectives.disk_share * 100:g}%", "hours": f"{objectives.disk_hours}h"},
        queries=(
            f"sort(min by (instance, mountpoint) ({free}))",
            f"min by (instance, mountpoint) (deriv({free}[1h]))",
        ),
        commands=("otel-distro logs rate --hours 24",),
    )


def _memory(parameters: Parameters) -> Alert:
    limit = parameters.objectives.memory_share
    return Alert(
        "NodeMemoryLow",
        "sum by (job, instance) (node_memory_MemAvailable_bytes)\n"
        "/\n"
        f"sum by (job, instance) (node_memory_MemTotal_bytes) < {limit:g}",
        parameters.span(5 * MINUTE),
        "warning",
        ("job", "instance"),
        Unit.SHARE,
        {"limit_percent": f"{limit * 100:g}%"},
        queries=("node_memory_MemAvailable_bytes", "sort_desc(process_resident_memory_bytes)"),
        commands=("otel-distro logs top --hours 6",),
    )

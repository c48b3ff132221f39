"""What the package in the service could not record: too many series, impossible values, lines that were not written."""

from __future__ import annotations

from otel_distro.monitoring.model import Alert, Group, Unit
from otel_distro.monitoring.objectives import MEMORY, MINUTE
from otel_distro.monitoring.parameters import Parameters
from otel_distro.monitoring.promql import grown

_WINDOW = 15 * MINUTE


def group(parameters: Parameters) -> Group:
    """Return the alerts on what the package counts of itself."""
    window, memory, series = parameters.span(_WINDOW), parameters.span(MEMORY), parameters.series
    overflows, rejected = series("otel_distro_series_overflows_total"), series("otel_distro_rejected_total")
    dropped = series("otel_distro_log_lines_dropped_total")
    return Group(
        "telemetry-alerts",
        (
            Alert(
                "SeriesLimitReached",
                grown("job, instrument", overflows, window, memory, series("up")),
                "",
                "warning",
                ("job", "instrument"),
                Unit.NUMBER,
                {"window": window},
                queries=(
                    "sum by (job, instrument) (otel_distro_series_overflows_total)",
                    'topk(10, count by (__name__, job) ({job="' + parameters.job + '"}))',
                ),
                commands=("otel-distro logs errors --hours 1 --size 20",),
            ),
            Alert(
                "TelemetryRejected",
                grown("job, instrument", rejected, window, memory, series("up")),
                "",
                "warning",
                ("job", "instrument"),
                Unit.NUMBER,
                {"window": window},
                queries=("sum by (job, instrument) (otel_distro_rejected_total)",),
                # A warning is no error, so that the other questions pass it over.
                commands=('otel-distro logs tail --lines 100000 --json | grep \'"logger":"otel_distro"\'',),
            ),
            Alert(
                "LogLinesDropped",
                grown("job, instance", dropped, window, memory, series("up")),
                "",
                "critical",
                ("job", "instance"),
                Unit.NUMBER,
                {"window": window},
                queries=(
                    "sum by (job, instance) (rate(otel_distro_log_lines_dropped_total[5m]))",
                    'node_filesystem_avail_bytes{fstype!~"tmpfs|ramfs|overlay"}',
                ),
                commands=("otel-distro logs rate --hours 1",),
            ),
        ),
    )

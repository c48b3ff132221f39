"""What Prometheus reads the metrics from: targets that do not answer, and pages that take long."""

from __future__ import annotations

from otel_distro.monitoring.model import Alert, Group, Unit
from otel_distro.monitoring.objectives import MINUTE
from otel_distro.monitoring.parameters import Parameters, selector


def group(parameters: Parameters) -> Group:
    """Return the alerts on scraping; without a service they hold for every job, Collector and node exporter too."""
    limit, job = parameters.objectives.page_seconds, f'job="{parameters.job}"'
    return Group(
        "target-alerts",
        (
            Alert(
                "TargetDown",
                f"{parameters.series('up')} == 0",
                parameters.span(2 * MINUTE),
                "critical",
                ("job", "instance"),
                Unit.NUMBER,
                {"held": parameters.span(2 * MINUTE)},
                queries=(selector("up", job), selector("scrape_duration_seconds", job)),
                commands=("otel-distro logs errors --hours 1 --size 20", "otel-distro logs rate --hours 6"),
            ),
            Alert(
                "MetricsPageSlow",
                f"{parameters.series('scrape_duration_seconds')} > {limit:g}",
                parameters.span(10 * MINUTE),
                "warning",
                ("job", "instance"),
                Unit.SECONDS,
                {"limit": f"{limit:g}"},
                queries=(
                    selector("scrape_duration_seconds", job),
                    selector("scrape_samples_scraped", job),
                    selector("otel_distro_processes", job),
                ),
                commands=("otel-distro logs rate --hours 1",),
            ),
        ),
    )

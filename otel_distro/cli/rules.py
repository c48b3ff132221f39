"""`otel-distro rules`: recording rules, alerts and a runbook for Prometheus, as files."""

from __future__ import annotations

from pathlib import Path

import click

from otel_distro.cli.monitoring_options import monitoring_options
from otel_distro.monitoring.files import generated, write
from otel_distro.monitoring.objectives import Objectives
from otel_distro.monitoring.parameters import RUNBOOK, Parameters


@click.command()
@monitoring_options
@click.option(
    "--requests-per-second",
    type=float,
    default=Objectives.requests_per_second,
    show_default=True,
    metavar="N",
    help="LowRequestRate tells of a service that has had fewer for 10 minutes.",
)
@click.option("--runbook-url", default=RUNBOOK, show_default=True, metavar="URL", help="Where the runbook can be read.")
def rules(  # noqa: PLR0913, PLR0917 -- one argument an option
    service: str | None,
    objective: float,
    latency_objective: float,
    latency_seconds: float,
    lang: str,
    out: Path,
    requests_per_second: float,
    runbook_url: str,
) -> None:
    """Write recording rules, alerts and a runbook for Prometheus.

    Files of the same names are replaced. Load them with `rule_files: [DIR/rules/*.yml, DIR/alerts/*.yml]`.
    """
    objectives = Objectives(
        availability=objective,
        latency=latency_objective,
        latency_seconds=latency_seconds,
        requests_per_second=requests_per_second,
    )
    files = generated(Parameters(service, objectives, lang, runbook_url))
    write(out, files)
    for name in files:
        print(out / name)

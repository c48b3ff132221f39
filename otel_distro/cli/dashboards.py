"""`otel-distro dashboards`: dashboards for Grafana, as files."""

from __future__ import annotations

from pathlib import Path

import click

from otel_distro.cli.declared_metrics import metrics_of
from otel_distro.cli.monitoring_options import monitoring_options
from otel_distro.monitoring.dashboards.files import generated
from otel_distro.monitoring.files import write
from otel_distro.monitoring.objectives import Objectives
from otel_distro.monitoring.parameters import Parameters


@click.command()
@monitoring_options
@click.option(
    "--from",
    "place",
    metavar="[PACKAGE:]MODULE",
    help="Import this module, as app or shop:metrics, and show each counter, gauge and histogram that it declares.",
)
def dashboards(  # noqa: PLR0913, PLR0917 -- one argument an option
    service: str | None,
    objective: float,
    latency_objective: float,
    latency_seconds: float,
    lang: str,
    out: Path,
    place: str | None,
) -> None:
    """Write dashboards for Grafana.

    They show what the files of `otel-distro rules` with the same options record. Files of the same names are replaced.
    """
    objectives = Objectives(availability=objective, latency=latency_objective, latency_seconds=latency_seconds)
    parameters = Parameters(service, objectives, lang)
    files = generated(parameters, metrics_of(place) if place is not None else ())
    write(out, files)
    for name in files:
        print(out / name)

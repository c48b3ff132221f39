"""`otel-distro rules`: recording rules, alerts and a runbook for Prometheus, as files."""

from __future__ import annotations

from pathlib import Path

import click

from otel_distro.monitoring.files import generated, write
from otel_distro.monitoring.objectives import Objectives
from otel_distro.monitoring.parameters import LANGUAGES, RUNBOOK, Parameters


@click.command()
@click.option("--service", metavar="NAME", help="Only this service: the value of the label `job`. [default: every job]")
@click.option(
    "--objective", type=float, default=99.9, show_default=True, metavar="PERCENT", help="Requests that must not fail."
)
@click.option(
    "--latency-objective",
    type=float,
    default=99.0,
    show_default=True,
    metavar="PERCENT",
    help="Requests that must be fast.",
)
@click.option(
    "--latency-seconds",
    type=float,
    default=0.5,
    show_default=True,
    metavar="SECONDS",
    help="What is fast: a bucket's bound of http_request_duration_seconds.",
)
@click.option("--lang", default="en", show_default=True, metavar="|".join(LANGUAGES), help="Language of all texts.")
@click.option("--runbook-url", default=RUNBOOK, show_default=True, metavar="URL", help="Where the runbook can be read.")
@click.option("--out", type=click.Path(path_type=Path), required=True, metavar="DIR", help="Folder for the files.")
def rules(  # noqa: PLR0913, PLR0917 -- one argument an option
    service: str | None,
    objective: float,
    latency_objective: float,
    latency_seconds: float,
    lang: str,
    runbook_url: str,
    out: Path,
) -> None:
    """Write recording rules, alerts and a runbook for Prometheus.

    Files of the same names are replaced. Load them with `rule_files: [DIR/rules/*.yml, DIR/alerts/*.yml]`.
    """
    objectives = Objectives(availability=objective, latency=latency_objective, latency_seconds=latency_seconds)
    files = generated(Parameters(service, objectives, lang, runbook_url))
    write(out, files)
    for name in files:
        print(out / name)

"""`otel-distro run`: start a program under the instrumentation."""

from __future__ import annotations

import click

from otel_distro.cli.launch import launch


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def run(command: tuple[str, ...]) -> None:
    """Start COMMAND with metrics, logs and traces, as `opentelemetry-instrument COMMAND` does.

    It starts sooner: OpenTelemetry is loaded once, not twice.
    """
    launch(command)

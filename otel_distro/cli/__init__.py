"""The `otel-distro` command; `main` is its entry point."""

from __future__ import annotations


def main() -> None:
    """Run the command line of this process and end it with its exit code."""
    from otel_distro.cli.app import run

    raise SystemExit(run())

"""The `otel-distro` command; `main` is its entry point."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line of this process and end it with its exit code."""
    if sys.argv[1:2] == ["run"] and not "".join(sys.argv[2:3]).startswith("-"):
        _run()
    from otel_distro.cli.app import leave, run

    leave(run())


def _run() -> None:
    """Become the program of `otel-distro run` without the rest of the command line, which says what cannot be run."""
    from otel_distro.cli.launch import launch
    from otel_distro.errors import InputError

    if sys.argv[2:]:
        try:
            launch(sys.argv[2:])
        except InputError:
            return

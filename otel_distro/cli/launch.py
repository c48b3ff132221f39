"""A program started as `opentelemetry-instrument` starts it, without loading what only the program will need."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from typing import NoReturn

from otel_distro.doctor.interpreter import gone, mend, without_us
from otel_distro.errors import InputError


def launch(command: Sequence[str]) -> NoReturn:
    """Become the program that `command` names, found on PATH, with its start instrumented.

    Its Python finds OpenTelemetry's start-up module first, and the modules of the current folder as well, as with
    `opentelemetry-instrument`; that takes this distribution unless variables say otherwise. A Python that does not have
    this package is told of and started. Raises InputError where the program cannot be started.
    """
    start = find_spec("opentelemetry.instrumentation.auto_instrumentation")
    if start is None or not start.submodule_search_locations:
        raise InputError("opentelemetry-instrumentation is not installed: pip install otel-distro")
    folder = start.submodule_search_locations[0]
    try:
        here = [os.getcwd()]
    except OSError:  # somebody has deleted it; the program may not need it
        here = []
    env = dict(os.environ)  # handed on; a setting is read by the program that this becomes
    found = [path for path in env.get("PYTHONPATH", "").split(os.pathsep) if path and path != folder]
    # Of several distributions that are installed the start-up takes the one that the file system lists first.
    for chosen in ("OTEL_PYTHON_DISTRO", "OTEL_PYTHON_CONFIGURATOR"):
        if not env.get(chosen, "").strip():
            env[chosen] = "otel_distro"
    env["PYTHONPATH"] = os.pathsep.join([folder, *(path for path in here if path not in found), *found])
    if python := without_us(command[0]):
        from otel_distro.cli.plain_text import plain

        told = f"{python} has no otel-distro: what it runs is not measured; {mend()}"
        print(f"otel-distro: {plain(told)}", file=sys.stderr, flush=True)
    try:
        os.execvpe(command[0], list(command), env)  # noqa: S606 -- the user's own command
    except (OSError, ValueError) as error:  # an empty name is a ValueError
        if command[0].startswith("--"):
            raise InputError(
                f"{command[0]} is no option here; set the variable, as in OTEL_SERVICE_NAME=shop"
            ) from error
        program = gone(command[0])
        why = f"its first line names {program}, which is not there" if program else getattr(error, "strerror", error)
        raise InputError(f"{command[0]!r} cannot be started: {why}") from error

"""Whether the variables of this package are written as it reads them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from difflib import get_close_matches
from importlib import import_module
from typing import Final

from otel_distro.doctor.model import FAULT, OK, WARNING, Finding, parted
from otel_distro.internals import entry_points
from otel_distro.settings import Settings
from otel_distro.variables import VARIABLES

NAME: Final = "variables"
OWN: Final = ("OTEL_DISTRO_", "OTEL_EXPORTER_PROMETHEUS_")
_HEADERS: Final = re.compile(r"OTEL_EXPORTER_OTLP_(?:(?:TRACES|METRICS|LOGS)_)?HEADERS")
_KNOWN: Final = tuple(variable.name for variable in VARIABLES)
_MADE: Final = ("OTEL_DISTRO_LOG_FILE", "OTEL_DISTRO_PROMETHEUS_DIR")
"""Places that are made where they are not there."""
_SURE: Final = 0.92
"""How like a known name another one is that is taken for a slip: other packages have variables of their own."""


def look(settings: Settings, environment: Mapping[str, str]) -> list[Finding]:
    """Return what is wrong with the values and with the names; `environment` may hold others beside.

    The value of an unknown variable is not told: it may be a secret.
    """
    found = []
    if settings.disabled:
        mend = "unset it where the service is to be measured"
        found.append(Finding(NAME, WARNING, "OTEL_SDK_DISABLED=true: nothing is measured, logged or sent", mend))
    for problem in settings.problems:
        wrong, instead = parted(problem)
        found.append(Finding(NAME, FAULT, f"{wrong}; {instead}", "correct or unset it"))
    unknown = sorted(name for name in environment if name.startswith(OWN) and name not in _KNOWN)
    wrong = "is no variable of this package: it is ignored"
    found += [Finding(NAME, FAULT, f"{name} {wrong}", _near(name)) for name in unknown]
    found += _headers(environment)
    found += _slips(environment)
    told = {problem.partition("=")[0] for problem in settings.problems}
    found += _as_they_are(environment)
    found += _quoted({name: text for name, text in environment.items() if name not in told})
    if not found:
        given = [name for name in _KNOWN if environment.get(name, "").strip()]
        found.append(Finding(NAME, OK, f"{len(given)} set that this package reads, none wrong"))
    return found


def _headers(environment: Mapping[str, str]) -> Iterator[Finding]:
    """Yield a fault for each header of OTLP that an exporter leaves out, as it is not written as it has to be."""
    for name, text in sorted(environment.items()):
        if not _HEADERS.fullmatch(name):
            continue
        from opentelemetry.util.re import parse_env_headers

        for number, part in enumerate(text.split(","), start=1):
            if part.strip() and not parse_env_headers(part.strip(), liberal=True):
                found = f"header {number} in {name} is not name=value: it is not sent"
                yield Finding(
                    NAME, FAULT, found, "write it so, with %2C for a comma in a value and %3B for a semicolon"
                )


def _slips(environment: Mapping[str, str]) -> Iterator[Finding]:
    """Yield a warning for each name that is nearly one of OpenTelemetry's."""
    names = {name for name in environment if name.startswith("OTEL_") and not name.startswith(OWN)}
    if names.issubset(_KNOWN):
        return
    known = {*_KNOWN, *_of_opentelemetry()}
    for name in sorted(names - known):
        near = get_close_matches(name, known, n=1, cutoff=_SURE)
        if near:
            yield Finding(NAME, WARNING, f"no part of OpenTelemetry here reads {name}", f"is {near[0]} meant?")


def _as_they_are(environment: Mapping[str, str]) -> Iterator[Finding]:
    """Yield a warning for each place that would be made under a name which a shell would have replaced."""
    for name in _MADE:
        text = environment.get(name, "").strip()
        if text.startswith("~") or "$" in text:
            found = f"{name}={text} is made under this very name: ~ and $ are what a shell replaces, not a service"
            yield Finding(NAME, WARNING, found, "write the folder out")


def _quoted(environment: Mapping[str, str]) -> Iterator[Finding]:
    """Yield a warning for each value in quotes: a shell takes them away, whoever else reads a file may not."""
    for name, text in sorted(environment.items()):
        value = text.strip()
        if value[1:] and value[0] in "'\"" and value[-1] == value[0]:
            found = f"{name} has quotes around its value, which are a part of it"
            yield Finding(NAME, WARNING, found, "take them away, or let a shell read the file: set -a; . ./service.env")


def _of_opentelemetry() -> Iterator[str]:
    """Yield the variables that the installed parts of OpenTelemetry say they read."""
    for point in entry_points("opentelemetry_environment_variables"):
        with suppress(ImportError, ValueError):  # the latter where a variable is wrong
            yield from (name for name in vars(import_module(point.module)) if name.startswith("OTEL_"))


def _near(name: str) -> str:
    near = get_close_matches(name, _KNOWN, n=1, cutoff=0.8)
    return f"is {near[0]} meant?" if near else "unset it: no variable of this package has a name like it"

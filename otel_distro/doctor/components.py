"""Whether the exchangeable parts of OpenTelemetry that variables name are installed, and a ratio of traces is one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Final

from otel_distro.doctor.model import FAULT, OK, Finding
from otel_distro.internals import entry_points
from otel_distro.variables import VARIABLES as OWN

NAME: Final = "components"
_SAMPLER: Final = "OTEL_TRACES_SAMPLER"
_ARGUMENT: Final = "OTEL_TRACES_SAMPLER_ARG"
_DETECTORS: Final = "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS"
_RATIOS: Final = ("traceidratio", "parentbased_traceidratio")
# What each variable names is an entry point of this group.
_GROUPS: Final = {
    _SAMPLER: "opentelemetry_traces_sampler",
    "OTEL_PYTHON_ID_GENERATOR": "opentelemetry_id_generator",
    "OTEL_PYTHON_CONTEXT": "opentelemetry_context",
    **{
        f"OTEL_PYTHON_{kind.upper()}_PROVIDER": f"opentelemetry_{kind}_provider"
        for kind in ("tracer", "meter", "logger")
    },
    **{
        f"OTEL_PYTHON_{kind.upper()}_CONFIGURATOR": f"_opentelemetry_{kind}_configurator"
        for kind in ("tracer", "meter", "logger")
    },
}
VARIABLES: Final = (*_GROUPS, _DETECTORS, _ARGUMENT)
_MENDED: Final = frozenset(variable.name for variable in OWN)
"""A start takes the blanks around these away; others OpenTelemetry reads as they are."""


def look(environment: Mapping[str, str]) -> list[Finding]:
    """Return a fault for each name that nobody has installed, and for an argument that no sampler of a ratio takes."""
    texts = {name: environment.get(name, "") for name in VARIABLES}
    given = {name: text.strip() if name in _MENDED else text for name, text in texts.items() if text.strip()}
    found = [*_missing(given), *_detectors(given), *_ratio(given)]
    return found or [Finding(NAME, OK, f"{', '.join(f'{name}={text}' for name, text in given.items())} can be used")]


def _missing(given: Mapping[str, str]) -> Iterator[Finding]:
    for variable, group in _GROUPS.items():
        named = given.get(variable)
        installed = {point.name for point in entry_points(group)}
        # Samplers of OpenTelemetry are known in any case.
        if named is None or named in installed or (variable == _SAMPLER and named.lower() in installed):
            continue
        wrong = f"{variable}={named!r} names nothing that is installed: the default is used"
        yield Finding(NAME, FAULT, wrong, _meant(named, installed, "unset it"))


def _detectors(given: Mapping[str, str]) -> Iterator[Finding]:
    installed = {point.name for point in entry_points("opentelemetry_resource_detector")}
    for name in filter(None, map(str.strip, given.get(_DETECTORS, "").split(","))):
        if name not in installed | {"*"}:
            wrong = f"{_DETECTORS} names {name!r}, which is not installed: what it would tell is missing"
            yield Finding(NAME, FAULT, wrong, _meant(name, installed, "take it out of that list"))


def _meant(named: str, installed: set[str], otherwise: str) -> str:
    near = get_close_matches(named.strip().lower(), installed, n=1)
    return f"is {near[0]} meant?" if near else f"{otherwise}; installed are {', '.join(sorted(installed)) or 'none'}"


def _ratio(given: Mapping[str, str]) -> Iterator[Finding]:
    sampler, argument = given.get(_SAMPLER, "").lower(), given.get(_ARGUMENT, "")
    if sampler not in _RATIOS:
        return
    try:
        usable = 0 <= float(argument) <= 1
    except ValueError:
        usable = False
    if not usable:
        wrong = f"{_ARGUMENT}={argument!r} is no number from 0 to 1" if argument else f"{_ARGUMENT} is not set"
        yield Finding(NAME, FAULT, f"{wrong}: all traces are recorded", f"give the share that {sampler} is to record")

"""Whether the exchangeable parts of OpenTelemetry that variables name are installed, and a ratio of traces is one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Final

from otel_distro.doctor.model import FAULT, OK, Finding
from otel_distro.internals import entry_points

NAME: Final = "components"
_SAMPLER: Final = "OTEL_TRACES_SAMPLER"
_ARGUMENT: Final = "OTEL_TRACES_SAMPLER_ARG"
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
}
VARIABLES: Final = (*_GROUPS, _ARGUMENT)


def look(environment: Mapping[str, str]) -> list[Finding]:
    """Return a fault for each name that nobody has installed, and for an argument that no sampler of a ratio takes."""
    given = {name: text.strip() for name in VARIABLES if (text := environment.get(name, "")).strip()}
    found = [*_missing(given), *_ratio(given)]
    return found or [Finding(NAME, OK, f"{', '.join(f'{name}={text}' for name, text in given.items())} can be used")]


def _missing(given: Mapping[str, str]) -> Iterator[Finding]:
    for variable, group in _GROUPS.items():
        named = given.get(variable)
        installed = {point.name for point in entry_points(group)}
        # Samplers of OpenTelemetry are known in any case.
        if named is None or named in installed or (variable == _SAMPLER and named.lower() in installed):
            continue
        near = get_close_matches(named.lower(), installed, n=1)
        mend = f"is {near[0]} meant?" if near else f"unset it; installed are {', '.join(sorted(installed)) or 'none'}"
        yield Finding(NAME, FAULT, f"{variable}={named!r} names nothing that is installed: the default is used", mend)


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

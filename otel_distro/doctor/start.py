"""Which distribution of OpenTelemetry the prefix command starts here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import EntryPoint
from typing import Final

from otel_distro.doctor.model import FAULT, OK, Finding
from otel_distro.internals import entry_points

NAME: Final = "start"
OURS: Final = "otel_distro"
CHOICES: Final = ("OTEL_PYTHON_DISTRO", "OTEL_PYTHON_CONFIGURATOR")
_GROUPS: Final = ("opentelemetry_distro", "opentelemetry_configurator")
_WHAT: Final = ("distribution", "configurator")


def look(environment: Mapping[str, str]) -> list[Finding]:
    """Return a fault for a distribution or a configurator that is not ours, by the rule of the prefix command.

    The first one that is found counts where no variable names one; an empty or unknown name is none, but our
    distribution takes an empty one of a configurator for ours.
    """
    found = []
    started_by_us = False
    for variable, group, what in zip(CHOICES, _GROUPS, _WHAT, strict=True):
        named = environment.get(variable)
        if started_by_us and not (named or "").strip():
            named = OURS  # our distribution chooses its configurator where nobody has
        points = entry_points(group)
        chosen = next((point for point in points if named in (None, point.name)), None)
        started_by_us = chosen is not None and chosen.name == OURS
        if not started_by_us:
            found.append(_fault(variable, environment.get(variable), what, points, chosen))
    if found:
        # Another distribution brings its configurator: one mend is for both.
        return list({finding.mend: finding for finding in reversed(found)}.values())[::-1]
    others = sorted({_package(point) for point in entry_points(_GROUPS[0]) if point.name != OURS})
    beside = f"; {', '.join(others)} is installed beside it" if others else ""
    return [Finding(NAME, OK, f"opentelemetry-instrument starts {OURS}{beside}")]


def _fault(
    variable: str, named: str | None, what: str, points: Sequence[EntryPoint], chosen: EntryPoint | None
) -> Finding:
    if not any(point.name == OURS for point in points):
        return Finding(
            NAME, FAULT, f"the {what} {OURS} is not installed in this environment", "pip install otel-distro"
        )
    if chosen is not None:
        reason = f"{variable}={named}" if named is not None else "found first"
        wrong = f"opentelemetry-instrument starts the {what} {chosen.name} of {_package(chosen)} ({reason})"
    else:
        wrong = f"{variable}={named!r} names no {what} that is installed"
    mend = f"set {variable}={OURS}"
    if named is None and chosen is not None:
        mend = f"set {CHOICES[0]} and {CHOICES[1]} to {OURS}, start by otel-distro run, or uninstall {_package(chosen)}"
    return Finding(NAME, FAULT, wrong, mend)


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else point.value

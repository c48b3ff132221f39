"""Which instrumentations would be in force."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from importlib import metadata
from typing import Any, Final

from opentelemetry.instrumentation.dependencies import get_dependency_conflicts, get_dist_dependency_conflicts

from otel_distro.doctor.model import OK, WARNING, Finding
from otel_distro.internals import entry_points
from otel_distro.settings import Settings

FLASK: Final = "flask"
ASGI: Final = "asgi"
DJANGO: Final = "django"
NAME: Final = "instrumentations"
_OFF: Final = "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS"


def look(settings: Settings) -> list[Finding]:
    """Return what is found of the frameworks, and which instrumentations are left out though their library is there."""
    off = settings.disabled_instrumentations
    loaded, skipped = [], []
    for point in entry_points("opentelemetry_instrumentor"):
        if "*" in off or point.name in off:
            continue
        conflict: Any = get_dist_dependency_conflicts(point.dist) if point.dist else None
        if conflict is None:
            loaded.append(point.name)
        elif conflict.found or conflict.found_any:
            skipped.append((point.name, conflict))
    return [*_frameworks(settings), *_unknown(off), *_others(loaded, skipped)]


def _unknown(off: tuple[str, ...]) -> Iterator[Finding]:
    """Yield a warning for each name that is to be left out and is none."""
    names = {point.name for point in entry_points("opentelemetry_instrumentor")} | {ASGI, DJANGO}
    for name in off:
        if name != "*" and name not in names:
            near = get_close_matches(name.lower(), names, n=1)
            found = f"{_OFF} has {name!r}, which is no instrumentation that is installed"
            yield Finding(NAME, WARNING, found, f"is {near[0]} meant?" if near else "take it out of that list")


def _others(loaded: list[str], skipped: list[tuple[str, Any]]) -> Iterator[Finding]:
    for name, conflict in skipped:
        asked = " or ".join(map(_plain, [conflict.required] if conflict.required else conflict.required_any))
        there = conflict.found or ", ".join(conflict.found_any)
        found = f"{name} is left out: it is made for {asked}, and here is {there}"
        yield Finding(NAME, WARNING, found, f"install a version of either that fits the other, or leave {name} out")
    if not skipped:
        yield Finding(NAME, OK, f"in force: {', '.join(sorted(loaded)) or 'none'}")


def _frameworks(settings: Settings) -> Iterator[Finding]:
    found = False
    for check, packages in ((ASGI, ("Starlette", "FastAPI")), (DJANGO, ("Django",))):
        there = " and ".join(f"{name} {version}" for name in packages if (version := _version(name)))
        if there:
            found = True
            yield _hooked(settings, check, there)
    if _version("Flask") or not found:
        yield _flask(settings)


def _hooked(settings: Settings, check: str, there: str) -> Finding:
    off = {"*", check}.intersection(settings.disabled_instrumentations)
    if not off:
        return Finding(check, OK, there)
    found = f"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS has {off.pop()}: requests of {there} are not measured"
    return Finding(check, WARNING, found, "take it out of that list")


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def _flask(settings: Settings) -> Finding:
    off = {"*", FLASK}.intersection(settings.disabled_instrumentations)
    if off:
        found = f"{_OFF} has {off.pop()}: requests of Flask are not measured"
        return Finding(FLASK, WARNING, found, "take it out of that list")
    wanted = _wanted()
    conflict: Any = get_dependency_conflicts([wanted])
    if conflict is None:
        return Finding(FLASK, OK, f"Flask {metadata.version('flask')}")
    if conflict.found:
        return Finding(
            FLASK, WARNING, f"{conflict.found} is not what this package is made for", f"pip install '{wanted}'"
        )
    found = "none of Flask, Starlette and Django is installed in this environment: requests of theirs are not measured"
    return Finding(FLASK, WARNING, found, "if the service is one of these, run this in the service's environment")


def _wanted() -> str:
    """Return the requirement that this package's own metadata has of Flask."""
    required = metadata.requires("otel-distro") or ()
    return next((line.partition(";")[0].strip() for line in required if line.lower().startswith("flask")), "flask")


def _plain(requirement: object) -> str:
    return str(requirement).partition(";")[0].strip()

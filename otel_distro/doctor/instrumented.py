"""Which instrumentations would be in force."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import metadata
from typing import Any, Final

from opentelemetry.instrumentation.dependencies import get_dependency_conflicts, get_dist_dependency_conflicts

from otel_distro.doctor.model import OK, WARNING, Finding
from otel_distro.internals import entry_points
from otel_distro.settings import Settings

FLASK: Final = "flask"
ASGI: Final = "asgi"
NAME: Final = "instrumentations"


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
    return [*_frameworks(settings), *_others(loaded, skipped)]


def _others(loaded: list[str], skipped: list[tuple[str, Any]]) -> Iterator[Finding]:
    for name, conflict in skipped:
        asked = conflict.required or " or ".join(map(str, conflict.required_any))
        there = conflict.found or ", ".join(conflict.found_any)
        found = f"{name} is left out: it is made for {_plain(asked)}, and here is {there}"
        yield Finding(NAME, WARNING, found, f"install a version of either that fits the other, or leave {name} out")
    if not skipped:
        yield Finding(NAME, OK, f"in force: {', '.join(sorted(loaded)) or 'none'}")


def _frameworks(settings: Settings) -> Iterator[Finding]:
    versions = {name: version for name in ("Starlette", "FastAPI") if (version := _version(name))}
    if versions:
        yield _asgi(settings, " and ".join(f"{name} {version}" for name, version in versions.items()))
    if _version("Flask") or not versions:
        yield _flask(settings)


def _asgi(settings: Settings, there: str) -> Finding:
    off = {"*", ASGI}.intersection(settings.disabled_instrumentations)
    if not off:
        return Finding(ASGI, OK, there)
    found = f"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS has {off.pop()}: requests of {there} are not measured"
    return Finding(ASGI, WARNING, found, "take it out of that list")


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def _flask(settings: Settings) -> Finding:
    off = {"*", FLASK}.intersection(settings.disabled_instrumentations)
    if off:
        found = f"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS has {off.pop()}: requests of Flask are not measured"
        return Finding(FLASK, WARNING, found, "take it out of that list")
    wanted = _wanted()
    conflict: Any = get_dependency_conflicts([wanted])
    if conflict is None:
        return Finding(FLASK, OK, f"Flask {metadata.version('flask')}")
    if conflict.found:
        return Finding(
            FLASK, WARNING, f"{conflict.found} is not what this package is made for", f"pip install '{wanted}'"
        )
    found = "neither Flask nor Starlette is installed in this environment: requests of theirs are not measured"
    return Finding(FLASK, WARNING, found, "if the service is one of these, run this in the service's environment")


def _wanted() -> str:
    """Return the requirement that this package's own metadata has of Flask."""
    required = metadata.requires("otel-distro") or ()
    return next((line.partition(";")[0].strip() for line in required if line.lower().startswith("flask")), "flask")


def _plain(requirement: object) -> str:
    return str(requirement).partition(";")[0].strip()

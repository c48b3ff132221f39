"""Whether OpenTelemetry can be loaded, and whether it is one that the quick ways of this package know."""

from __future__ import annotations

from importlib import metadata
from typing import Final

from otel_distro import internals
from otel_distro.doctor.model import FAULT, OK, WARNING, Finding
from otel_distro.settings import Settings

NAME: Final = "opentelemetry"
_PARTS: Final = ("api", "sdk", "instrumentation")


def look(settings: Settings, loaded: Exception | None) -> list[Finding]:
    """Return the versions; `loaded` is what was raised when OpenTelemetry was loaded, if anything was."""
    versions = ", ".join(f"{part} {_version(f'opentelemetry-{part}')}" for part in _PARTS)
    if loaded is not None:
        return [_not_loaded(settings, loaded)]
    return [_inside(settings, versions)]


def _inside(settings: Settings, versions: str) -> Finding:
    gone = internals.missing()
    if not gone and (settings.disabled or internals.metrics_sdk() is not None):
        return Finding(NAME, OK, versions)
    what = f"has no {', '.join(gone)}" if gone else "keeps measurements in another way"
    mend = "all is right but slower; install the versions that otel-distro asks for: pip install otel-distro"
    return Finding(NAME, WARNING, f"{versions}: this release {what}", mend)


def _not_loaded(settings: Settings, error: Exception) -> Finding:
    there = {point.name for point in internals.entry_points("opentelemetry_propagator")}
    unknown = [name for name in settings.propagators if name not in there | {"none"}]
    if unknown:
        found = f"OTEL_PROPAGATORS names {', '.join(unknown)}, not installed: nothing is measured, logged or sent"
        return Finding(NAME, FAULT, found, f"install it, or name some of {', '.join(sorted(there))}")
    found = f"OpenTelemetry cannot be loaded ({type(error).__name__}): nothing is measured, logged or sent"
    return Finding(NAME, FAULT, found, "run: python -c 'import otel_distro.distro'")


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "(not installed)"

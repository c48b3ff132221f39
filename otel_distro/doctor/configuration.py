"""Whether the declarative configuration can be read, and which variables have no force beside it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from otel_distro.doctor.model import FAULT, OK, WARNING, Finding

NAME: Final = "configuration"
_VARIABLE: Final = "OTEL_CONFIG_FILE"
_PACKAGE: Final = "opentelemetry.configuration"
# OpenTelemetry's exporters and processors may read others beside the file, where it leaves something out.
_WITHOUT_FORCE: Final = (
    *(f"OTEL_{signal}_EXPORTER" for signal in ("METRICS", "TRACES", "LOGS")),
    *(f"OTEL_DISTRO_{name}" for name in ("PROMETHEUS_", "SERIES_LIMIT", "GAUGE_RULE", "EXIT_TIMEOUT")),
    "OTEL_EXPORTER_PROMETHEUS_",
)


def look(path: str, environment: Mapping[str, str]) -> list[Finding]:
    """Return whether the file can be read; page and receivers are those that it names. Nothing of it is started."""
    shown = f"{_VARIABLE}={path}"
    if not os.path.isfile(path) or not os.access(path, os.R_OK):
        return [Finding(NAME, FAULT, f"{shown} is no file that this user may read", f"name one, or unset {_VARIABLE}")]
    if find_spec(_PACKAGE) is None:
        mend = f"pip install opentelemetry-configuration, or unset {_VARIABLE}"
        return [Finding(NAME, FAULT, f"{shown} needs the package opentelemetry-configuration", mend)]
    try:
        import_module(_PACKAGE).load_config_file(path)
    except Exception as error:  # noqa: BLE001 -- of YAML, of the schema, of a package that is missing
        found = f"{shown} cannot be used, so no metrics, traces or logs by OTLP: {_reason(error)}"
        return [Finding(NAME, FAULT, found, f"correct that file, or unset {_VARIABLE}")]
    text = Path(path).read_text(encoding="utf-8", errors="replace")
    idle = sorted(
        name for name in environment if name.startswith(_WITHOUT_FORCE) and environment[name] and name not in text
    )
    if idle:
        found = f"{shown} is there, beside which {', '.join(idle)} {'have' if idle[1:] else 'has'} no force"
        return [Finding(NAME, WARNING, found, f"say it in that file, or unset {_VARIABLE}")]
    return [Finding(NAME, OK, f"{shown} can be read; page and receivers are what it names, and not looked at")]


def _reason(error: Exception) -> str:
    """Return what is wrong and where, without a value of the file, which may be a secret."""
    cause: Any = error.__cause__ or error
    if place := getattr(cause, "json_path", ""):
        return f"what stands at {place} does not fit the schema"
    if mark := getattr(cause, "problem_mark", None):
        return f"{cause.problem} in line {mark.line + 1}"
    return str(error).partition("\n")[0]

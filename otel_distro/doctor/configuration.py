"""Whether the declarative configuration can be read."""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import Final

from otel_distro.doctor.model import FAULT, OK, Finding

NAME: Final = "configuration"
_VARIABLE: Final = "OTEL_CONFIG_FILE"


def look(path: str) -> list[Finding]:
    """Return whether the file and what reads it are there; page and receivers are those that it names."""
    shown = f"{_VARIABLE}={path}"
    if not os.path.isfile(path) or not os.access(path, os.R_OK):
        return [Finding(NAME, FAULT, f"{shown} is no file that this user may read", f"name one, or unset {_VARIABLE}")]
    if find_spec("opentelemetry.configuration") is None:
        mend = f"pip install opentelemetry-configuration, or unset {_VARIABLE}"
        return [Finding(NAME, FAULT, f"{shown} needs the package opentelemetry-configuration", mend)]
    return [Finding(NAME, OK, f"{shown} is there; page and receivers are what it names, and not looked at")]

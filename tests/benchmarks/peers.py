"""Environments of packages that are compared with this one: each its own, made once, kept in the cache of the tests."""

from __future__ import annotations

import sys
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Final

from tests.services import commands
from tests.services.cache import obtain, say
from tests.services.errors import ServiceError

STOCK: Final = (
    "opentelemetry-distro==0.66b1", "opentelemetry-exporter-otlp==1.45.1", "opentelemetry-exporter-prometheus==0.66b1",
    "opentelemetry-instrumentation-flask==0.66b1", "opentelemetry-instrumentation-logging==0.66b1",
)  # fmt: skip
ELASTIC: Final = ("elastic-opentelemetry==1.18.0", "opentelemetry-instrumentation-flask==0.66b1")
SPLUNK: Final = ("splunk-opentelemetry==2.13.2", "opentelemetry-instrumentation-flask==0.66b1")
LOGFIRE: Final = ("logfire[flask]==5.0.0",)
DATADOG: Final = ("ddtrace==4.16.0",)
FLASK_EXPORTER: Final = ("prometheus-flask-exporter==0.23.2",)


def the_same_flask() -> tuple[str, ...]:
    """Return what a peer's environment needs, so that the application that is measured is everywhere the same."""
    return tuple(f"{name}=={version(name)}" for name in ("flask", "werkzeug"))


@cache
def python_with(*packages: str) -> Path | str:
    """Return the Python of an environment that has the packages; a line why, where none is to be had."""
    key = sha256(" ".join((sys.version, *packages)).encode()).hexdigest()[:16]
    listed = ", ".join(packages)

    def fill(folder: Path) -> None:
        python = folder / "venv" / "bin" / "python"
        commands.run(sys.executable, "-m", "venv", folder / "venv", what=f"making an environment for {listed}")
        pip = ("-m", "pip", "install", "--disable-pip-version-check", "--progress-bar", "off")
        commands.run(python, *pip, *packages, what=f"installing {listed}", seconds=900)

    try:
        return obtain("peers", key, fill) / "venv" / "bin" / "python"
    except (OSError, ServiceError) as error:
        why = f"could not be installed ({packages[0]}): {str(error).strip().rpartition(' | ')[2][-300:]}"
        say(f"left out: {why}")
        return why


def versions(python: Path | str, *names: str) -> str:
    """Return the versions of the packages that this Python has, as `name 1.2, other 3.4`."""
    program = (
        "import sys\nfrom importlib.metadata import distributions\n"
        "found = {d.metadata['Name'].lower().replace('_', '-'): d.version for d in distributions()}\n"
        "print(', '.join(f'{name} {found[name]}' for name in sys.argv[1:] if name in found))"
    )
    return commands.run(python, "-c", program, *names).strip()

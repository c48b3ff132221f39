"""The metrics that a user's module declares, found by importing it."""

from __future__ import annotations

import os
import re
import sys
from contextlib import redirect_stdout
from importlib import import_module
from pathlib import Path
from typing import Final, cast

from otel_distro.distro import nothing_started
from otel_distro.errors import InputError
from otel_distro.metrics.declaration import Declaration
from otel_distro.metrics.declared import declarations
from otel_distro.metrics.naming import label_name, unit_name
from otel_distro.monitoring.dashboards.business import Kind, OwnMetric

_MODULE: Final = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*(:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*)?")

# Prometheus gives these to every series that it scrapes, and renames what a page has under the same names.
_LABELS_OF_TARGETS: Final = {"job": "exported_job", "instance": "exported_instance"}


def metrics_of(place: str) -> tuple[OwnMetric, ...]:
    """Import `module` or `package:module` (or `package.module`) and return what it, and what it imports, declares.

    Modules are looked for in the working folder first, as `python -m` does. What they print goes to standard error, and
    what they would start of this package and of OpenTelemetry is not started: no page, no exporter.
    Raises InputError where there is no such module, where it cannot be imported, and where nothing is declared.
    """
    if not _MODULE.fullmatch(place):
        raise InputError(f"--from {place!r} cannot be used; it must be a module, as app or shop:metrics")
    try:
        here = Path.cwd()
    except OSError as error:
        raise InputError(f"--from {place!r} cannot be imported: no working folder ({error.strerror})") from None
    sys.path.insert(0, str(here))
    try:
        with nothing_started(), redirect_stdout(sys.stderr):
            import_module(place.replace(":", "."))
    except Exception as error:  # noqa: BLE001 -- a user's module may raise anything
        raise InputError(f"--from {place!r} cannot be imported: {type(error).__name__}: {error}") from None
    except SystemExit:
        raise InputError(f"--from {place!r} cannot be imported: it ends the program") from None
    finally:
        sys.path.pop(0)
        os.chdir(here)  # the files are for this one, wherever the module has gone
    found = tuple(_own(declared) for declared in declarations())
    if not found:
        raise InputError(f"--from {place!r} declares no counter, gauge or histogram")
    return found


def _own(declared: Declaration) -> OwnMetric:
    return OwnMetric(
        declared.scraped_name,
        cast(Kind, declared.kind),
        declared.description,
        tuple(_LABELS_OF_TARGETS.get(label, label) for label in map(label_name, declared.labels)),
        unit_name(declared.unit),
        buckets=declared.buckets != (),
    )

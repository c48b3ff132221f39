"""The dashboards as files; the only way in, and the one that says what is missing."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Final

from otel_distro.errors import InputError
from otel_distro.monitoring.dashboards import business, functions, logs, node, pipeline, service
from otel_distro.monitoring.dashboards.business import OwnMetric
from otel_distro.monitoring.dashboards.model import Dashboard
from otel_distro.monitoring.parameters import Parameters

FOLDER: Final = "dashboards"


def dashboards(parameters: Parameters, own: Sequence[OwnMetric] = ()) -> tuple[Dashboard, ...]:
    """Return every dashboard; the business one has a panel for each of a service's own metrics."""
    return (
        service.dashboard(parameters),
        business.dashboard(parameters, own),
        functions.dashboard(parameters),
        logs.dashboard(parameters),
        pipeline.dashboard(parameters),
        node.dashboard(parameters),
    )


def generated(parameters: Parameters, own: Sequence[OwnMetric] = ()) -> dict[str, str]:
    """Return every dashboard's JSON by its path below the chosen folder.

    Raises InputError where Grafana's Foundation SDK is not installed.
    """
    try:
        from otel_distro.monitoring.dashboards.grafana import as_json
    except ImportError:
        if sys.version_info < (3, 11):
            raise InputError("dashboards need Python 3.11 or newer, as Grafana's SDK does") from None
        raise InputError("Grafana's SDK is not installed: pip install 'otel-distro[dashboards]'") from None
    return {f"{FOLDER}/{shown.name}.json": as_json(shown, parameters) for shown in dashboards(parameters, own)}

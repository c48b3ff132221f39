"""Where a click leads: from a panel to the logs of the same service and time, from a document to its trace."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Final
from urllib.parse import quote

from otel_distro.monitoring.parameters import Parameters

_NOT_IN_UIDS: Final = re.compile(r"[^A-Za-z0-9]+")
_TIME: Final = "${__url_time_range}"


def uid(name: str, parameters: Parameters) -> str:
    """Return what Grafana knows a dashboard by: at most 40 characters, different for every service."""
    service = parameters.service
    if service is None:
        return f"otel-distro-{name}"
    digest = hashlib.sha256(service.encode()).hexdigest()[:8]
    return f"{_NOT_IN_UIDS.sub('-', service)[:20]}-{digest}-{name}"


def to_logs(parameters: Parameters, *, service: str, level: str = "", search: str = "") -> str:
    """Return the address of the logs: of a service (a Grafana variable or a field's value) and of the shown time."""
    chosen = {"service": service, "level": level, "search": search}
    words = [f"var-{name}={_quoted(value)}" for name, value in chosen.items() if value]
    return f"/d/{uid('logs', parameters)}?{'&'.join(words)}&{_TIME}"


def to_trace() -> str:
    """Return the address of the trace whose id the clicked field holds, in the chosen source of traces."""
    query = {"refId": "A", "queryType": "traceql", "query": "${__value.raw}"}
    pane = {
        "datasource": "${traces}",
        "queries": [query],
        "range": {"from": "${__from}", "to": "${__to}"},
    }
    return f"/explore?schemaVersion=1&panes={_quoted(json.dumps({'trace': pane}, separators=(',', ':')))}"


def _quoted(text: str) -> str:
    """Quote for a query string, except what Grafana will put a value in for."""
    parts = re.split(r"(\$\{[^}]*\}|\$\w+)", text)
    return "".join(part if part.startswith("$") else quote(part, safe="") for part in parts)

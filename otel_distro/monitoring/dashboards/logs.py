"""Logs in Elasticsearch: how many of which level, which errors most often, and the documents with their links."""

from __future__ import annotations

from typing import Final

from otel_distro.monitoring.dashboards.model import (
    ELASTICSEARCH,
    TRACES,
    Dashboard,
    Look,
    Panel,
    Row,
    Search,
    Unit,
    Variable,
)
from otel_distro.monitoring.parameters import Parameters

# What is typed is one condition, whatever is in it, and nothing typed is none: not to have a field that nobody has.
_TYPED: Final = "(-_exists_:_none ${search:raw})"
CHOSEN: Final = f"service:$service AND level:$level AND {_TYPED}"
ERRORS: Final = f"service:$service AND level:(ERROR OR CRITICAL) AND {_TYPED}"
EVERYTHING: Final = "*"
# A line of plain text, as of a traceback that nobody caught, has no level.
_ANY_OR_NONE: Final = "(* OR *:*)"
_NONE: Final = "-"


def dashboard(parameters: Parameters) -> Dashboard:
    """Return the dashboard of the logs."""
    service = parameters.service
    return Dashboard(
        "logs",
        (
            ELASTICSEARCH,
            TRACES,
            Variable("service", "fixed", service) if service else Variable("service", "field", "service", several=True),
            Variable("level", "field", "level", several=True, everything=_ANY_OR_NONE),
            Variable("search", "text", EVERYTHING),
        ),
        (
            Row("volume", _volume()),
            Row("errors", _most_frequent()),
            Row("documents", _documents()),
        ),
    )


def _volume() -> tuple[Panel, ...]:
    by_level = Search(CHOSEN, by="level", over_time=True, without=_NONE)
    return (
        Panel("volume", (by_level,), Unit.NUMBER, Look.BARS, 16),
        Panel("count", (Search(CHOSEN, over_time=True),), Unit.NUMBER, Look.NUMBER, 4),
        Panel("errors", (Search(ERRORS, over_time=True),), Unit.NUMBER, Look.NUMBER, 4),
    )


def _most_frequent() -> tuple[Panel, ...]:
    fields = {"top_errors": "error_type", "top_loggers": "logger", "top_users": "user_id"}
    return tuple(Panel(name, (Search(ERRORS, by=field),), Unit.NUMBER, Look.TABLE, 8) for name, field in fields.items())


def _documents() -> tuple[Panel, ...]:
    return (
        Panel("error_table", (Search(ERRORS, "documents", size=100),), Unit.NUMBER, Look.TABLE, 24),
        Panel("lines", (Search(CHOSEN, "lines", size=500),), Unit.NUMBER, Look.LOG, 24),
    )

"""What a dashboard is made of, before it becomes Grafana's JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, Literal

from otel_distro.monitoring.texts.model import PanelText

RATE_INTERVAL: Final = "$__rate_interval"
"""At least four scrapes, as Grafana computes it."""
RANGE: Final = "$__range"
"""The whole time that the dashboard shows."""


class Look(Enum):
    """How values are drawn."""

    LINES = "lines"
    STACKED = "stacked"
    BARS = "bars"
    NUMBER = "number"
    TABLE = "table"
    LOG = "log"


class Unit(Enum):
    """What values are, in Grafana's words."""

    NUMBER = "short"
    SHARE = "percentunit"
    SECONDS = "s"
    BYTES = "bytes"
    BYTES_PER_SECOND = "Bps"
    REQUESTS_PER_SECOND = "reqps"
    PER_SECOND = "cps"
    AGO = "dateTimeFromNow"


Threshold = tuple[float | None, str]
"""From which value on (None: any) which colour."""


@dataclass(frozen=True)
class Query:
    """An expression for Prometheus; `legend` names each series, `{{label}}` is a label of it."""

    expression: str
    legend: str = ""
    exemplars: bool = False
    instant: bool = False


@dataclass(frozen=True)
class Search:
    """A question to Elasticsearch: how many documents, by a field or over time; the newest moment; or the documents."""

    lucene: str
    what: Literal["count", "newest", "documents", "lines"] = "count"
    by: str = ""
    over_time: bool = False
    size: int = 10
    without: str = ""
    """What documents without the field `by` are counted as; empty: not at all."""


@dataclass(frozen=True)
class Panel:
    """One picture; its words are found by dashboard and `name`, unless it brings them."""

    name: str
    queries: tuple[Query | Search, ...]
    unit: Unit
    look: Look = Look.LINES
    width: int = 8
    thresholds: tuple[Threshold, ...] = ()
    logs: str | None = None
    """Links to the logs: what to search for there (Lucene); empty is everything of the service, None no link."""
    level: str = ""
    """The level that the link asks for; empty: all."""
    figures: Mapping[str, str] = field(default_factory=dict)
    """Placeholders of its description: thresholds and windows."""
    text: PanelText | None = None


@dataclass(frozen=True)
class Row:
    """Panels under a heading."""

    name: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class Variable:
    """A choice at the top: of a data source (`source` is its kind), of values of a label or field, or a free text."""

    name: str
    kind: Literal["datasource", "metric", "field", "text", "fixed"]
    source: str
    several: bool = False
    everything: str = "*"
    """What stands for all values of a field, in Lucene; this is for those that each document has."""


@dataclass(frozen=True)
class Dashboard:
    """One page."""

    name: str
    variables: tuple[Variable, ...]
    rows: tuple[Row, ...]


PROMETHEUS: Final = Variable("datasource", "datasource", "prometheus")
ELASTICSEARCH: Final = Variable("logs", "datasource", "elasticsearch")
TRACES: Final = Variable("traces", "datasource", "tempo")


def rising(*steps: float) -> tuple[Threshold, ...]:
    """Return thresholds of what must stay low: green, from the last step on red, between yellow."""
    return _coloured(("green", *["yellow"] * (len(steps) - 1), "red"), steps)


def falling(*steps: float) -> tuple[Threshold, ...]:
    """Return thresholds of what must stay high: red, from the last step on green, between yellow."""
    return _coloured(("red", *["yellow"] * (len(steps) - 1), "green"), steps)


def _coloured(colours: tuple[str, ...], steps: tuple[float, ...]) -> tuple[Threshold, ...]:
    return tuple(zip((None, *steps), colours, strict=True))

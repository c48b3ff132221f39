"""Dashboards as Grafana's JSON. This and the modules for panels and queries need Grafana's Foundation SDK."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DashboardLinkType,
    VariableHide,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

from otel_distro.monitoring.dashboards.links import uid
from otel_distro.monitoring.dashboards.model import Dashboard, Panel, Variable
from otel_distro.monitoring.dashboards.panels import built
from otel_distro.monitoring.dashboards.queries import LOGS, METRICS
from otel_distro.monitoring.parameters import Parameters
from otel_distro.monitoring.texts.languages import dashboard_words
from otel_distro.monitoring.texts.model import DashboardText

TAG: Final = "otel-distro"


def as_json(shown: Dashboard, parameters: Parameters) -> str:
    """Return a dashboard as a file for Grafana 11 and newer."""
    words = dashboard_words(parameters.language)
    text, title = words.dashboards[shown.name], words.dashboards[shown.name].title
    made = dashboard.Dashboard(f"{parameters.service} · {title}" if parameters.service else title)
    made.uid(uid(shown.name, parameters)).tags([TAG]).refresh("30s").time("now-1h", "now").timezone("browser")
    made.tooltip(DashboardCursorSync.CROSSHAIR).editable()
    made.link(
        dashboard.DashboardLink(TAG)
        .type(DashboardLinkType.DASHBOARDS)
        .tags([TAG])
        .as_dropdown(True)
        .include_vars(True)
        .keep_time(True)
    )
    for variable in shown.variables:
        made.with_variable(_variable(variable, words.terms))
    _fill(made, shown, text, words.terms, parameters)
    return json.dumps(_plain(made.build()), indent=2, ensure_ascii=False) + "\n"


def _plain(made: Any) -> dict[str, Any]:
    """Return a dashboard in JSON's types, without what the SDK gives to every variable and only intervals have."""
    found: dict[str, Any] = json.loads(json.dumps(made, cls=JSONEncoder))
    for variable in found["templating"]["list"]:
        for name in ("auto", "auto_min", "auto_count"):
            del variable[name]
    return found


def _fill(
    made: dashboard.Dashboard,
    shown: Dashboard,
    text: DashboardText,
    terms: Mapping[str, str],
    parameters: Parameters,
) -> None:
    number = 0
    for row in shown.rows:
        number += 1
        made.with_row(dashboard.Row(text.rows[row.name]).id(number))
        for panel in row.panels:
            number += 1
            made.with_panel(built(panel, _words(panel, text), number, terms, parameters))


def _words(panel: Panel, text: DashboardText) -> Any:
    return panel.text or text.panels[panel.name]


def _variable(variable: Variable, terms: Mapping[str, str]) -> Any:
    name, label = variable.name, terms[variable.name]
    if variable.kind == "datasource":
        return dashboard.DatasourceVariable(name).label(label).type(variable.source)
    if variable.kind == "text":
        return dashboard.TextBoxVariable(name).label(label).default_value(variable.source)
    if variable.kind == "fixed":
        option = VariableOption(True, variable.source, variable.source)
        made = dashboard.CustomVariable(name).label(label).values(_escaped(variable.source))
        return made.current(option).options([option]).hide(VariableHide.HIDE_VARIABLE)
    of_metric = variable.kind == "metric"
    asked: Any = {"query": variable.source, "refId": name}
    query = dashboard.QueryVariable(name).label(label).sort(VariableSort.ALPHABETICAL_ASC)
    query.refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
    if of_metric:
        query.datasource(METRICS).query(asked)
    else:
        query.datasource(LOGS).query(json.dumps({"find": "terms", "field": variable.source, "size": 1000}))
    if variable.several:
        query.multi(True).include_all(True).all_value(".*" if of_metric else variable.everything)
        query.current(VariableOption(True, ["All"], ["$__all"]))
    return query


def _escaped(value: str) -> str:
    """Return a value as a choice of its own: a colon would part a name from a value."""
    return value.replace(":", "\\:")

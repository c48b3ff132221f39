"""Panels in Grafana's form: how values are drawn, coloured and linked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from grafana_foundation_sdk.builders import common, dashboard, logs, stat, table, timeseries
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    GraphDrawStyle,
    GraphThresholdsStyleMode,
    LegendDisplayMode,
    LegendPlacement,
    LogsSortOrder,
    SortOrder,
    StackingMode,
    TooltipDisplayMode,
    VisibilityMode,
)
from grafana_foundation_sdk.models.dashboard import (
    DataTransformerConfig,
    DynamicConfigValue,
    FieldColorModeId,
    Threshold,
    ThresholdsMode,
)

from otel_distro.monitoring.dashboards.links import to_logs, to_trace
from otel_distro.monitoring.dashboards.model import Look, Panel, Search
from otel_distro.monitoring.dashboards.queries import source, targets
from otel_distro.monitoring.parameters import Parameters
from otel_distro.monitoring.texts.model import PanelText

HEIGHTS: Final = {Look.NUMBER: 4, Look.TABLE: 9, Look.LOG: 14}
_HEIGHT: Final = 8
# What of a document a table shows first; everything else is in the log below it.
COLUMNS: Final = ("@timestamp", "service", "error_type", "message", "request_id", "user_id", "trace_id")


def built(panel: Panel, text: PanelText, number: int, terms: Mapping[str, str], parameters: Parameters) -> Any:
    """Return a panel's builder: its queries, its words, its links."""
    made = _DRAWN[panel.look](panel)
    # A user's own description may have braces in it.
    description = text.description if panel.text else text.description.format_map(panel.figures)
    made.id(number).title(text.title).description(description)
    made.datasource(source(panel)).targets(targets(panel, terms)).unit(panel.unit.value)
    made.span(panel.width).height(HEIGHTS.get(panel.look, _HEIGHT))
    if panel.thresholds:
        steps = [Threshold(value, colour) for value, colour in panel.thresholds]
        made.thresholds(dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps))
    if panel.logs is not None:
        address = to_logs(parameters, service="$job", level=panel.level, search=panel.logs)
        # What names the clicked series can only hang on the series.
        linked = made.data_links if "__field" in panel.logs else made.links
        linked([dashboard.DashboardLink(terms["to_logs"]).url(address)])
    if panel.look is Look.TABLE:
        _columns(made, panel, terms, parameters)
    return made


def _lines(panel: Panel) -> timeseries.Panel:
    made = timeseries.Panel().line_width(1).fill_opacity(8).show_points(VisibilityMode.NEVER)
    legend = common.VizLegendOptions().display_mode(LegendDisplayMode.LIST).placement(LegendPlacement.BOTTOM)
    made.legend(legend.show_legend(True).calcs([]))
    made.tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING))
    if panel.thresholds:
        made.thresholds_style(common.GraphThresholdsStyleConfig().mode(GraphThresholdsStyleMode.DASHED))
    return made.color_scheme(dashboard.FieldColor().mode(FieldColorModeId.PALETTE_CLASSIC_BY_NAME)).axis_soft_min(0)


def _stacked(panel: Panel) -> timeseries.Panel:
    return _lines(panel).fill_opacity(30).stacking(common.StackingConfig().mode(StackingMode.NORMAL).group("A"))


def _bars(panel: Panel) -> timeseries.Panel:
    return _stacked(panel).draw_style(GraphDrawStyle.BARS).fill_opacity(80)


def _number(panel: Panel) -> stat.Panel:
    made = stat.Panel().graph_mode(BigValueGraphMode.AREA if not panel.thresholds else BigValueGraphMode.NONE)
    query = panel.queries[0]
    counted = isinstance(query, Search) and query.what == "count"
    made.reduce_options(common.ReduceDataOptions().calcs(["sum" if counted else "lastNotNull"]).values(False))
    return made.color_mode(BigValueColorMode.VALUE if panel.thresholds else BigValueColorMode.NONE)


def _table(_: Panel) -> table.Panel:
    return table.Panel().show_header(True).filterable(True)


def _log(_: Panel) -> logs.Panel:
    made = logs.Panel().show_time(True).wrap_log_message(True).enable_log_details(True)
    return made.sort_order(LogsSortOrder.DESCENDING).prettify_log_message(False)


_DRAWN: Final[Mapping[Look, Callable[[Panel], Any]]] = {
    Look.LINES: _lines,
    Look.STACKED: _stacked,
    Look.BARS: _bars,
    Look.NUMBER: _number,
    Look.TABLE: _table,
    Look.LOG: _log,
}


def _columns(made: table.Panel, panel: Panel, terms: Mapping[str, str], parameters: Parameters) -> None:
    query = panel.queries[0]
    if not isinstance(query, Search):
        made.with_transformation(DataTransformerConfig("organize", options={"excludeByName": {"Time": True}}))
    elif query.what == "documents":
        order = {name: place for place, name in enumerate(COLUMNS)}
        options = {"include": {"names": list(COLUMNS)}}
        made.with_transformation(DataTransformerConfig("filterFieldsByName", options=options))
        made.with_transformation(DataTransformerConfig("organize", options={"indexByName": order}))
        _link(made, "trace_id", terms["to_trace"], to_trace())
        for name in ("request_id", "user_id"):
            _link(made, name, terms["to_documents"], _same(name, parameters))
    else:
        _link(made, query.by, terms["to_documents"], _same(query.by, parameters))


def _same(field: str, parameters: Parameters) -> str:
    return to_logs(parameters, service="$service", search=f'{field}:"${{__value.raw}}"')


def _link(made: table.Panel, column: str, title: str, address: str) -> None:
    made.override_by_name(column, [DynamicConfigValue("links", [{"title": title, "url": address}])])

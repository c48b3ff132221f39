"""Grafana's published schema of dashboards, which is TypeScript, and the compiler that holds a dashboard to it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from tests.services import cache, commands

VERSION: Final = "11.6.0"
_COMPILER: Final = "5.7.3"  # what the schema was published with
_PACKAGES: Final = (f"@grafana/schema@{VERSION}", f"typescript@{_COMPILER}")
_OPTIONS: Final = ("--noEmit", "--strict", "--skipLibCheck", "--module", "esnext", "--moduleResolution", "bundler")
_PARTS: Final = "./node_modules/@grafana/schema/dist/esm/raw/composable"
# An enumeration is its values in JSON; what the schema leaves open stays open.
_TYPES: Final = f"""\
import type {{ Dashboard, Panel, RowPanel }} from '@grafana/schema';
import type {{ ElasticsearchDataQuery }} from
  '{_PARTS}/elasticsearch/dataquery/x/ElasticsearchDataQuery_types.gen';
import type * as logs from '{_PARTS}/logs/panelcfg/x/LogsPanelCfg_types.gen';
import type * as stat from '{_PARTS}/stat/panelcfg/x/StatPanelCfg_types.gen';
import type * as table from '{_PARTS}/table/panelcfg/x/TablePanelCfg_types.gen';
import type * as timeseries from '{_PARTS}/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen';
type Json<T> = unknown extends T ? T
  : T extends string ? `${{T}}`
  : T extends number ? T | (`${{T}}` extends `${{infer N extends number}}` ? N : never)
  : T extends boolean | null | undefined ? T
  : T extends Array<infer U> ? Array<Json<U>>
  : {{ [K in keyof T]: Json<T[K]> }};
"""


def find() -> dict[str, Path]:
    """Return the folder with schema and compiler, fetched once by npm; raises ServiceError where that cannot be."""
    return {"grafana_schema": cache.obtain("grafana-schema", f"{VERSION}-{_COMPILER}", _fill)}


def _fill(folder: Path) -> None:
    commands.need("npm", "node", why="Grafana publishes its schema as a package for Node.js")
    (folder / "package.json").write_text('{"private": true}')
    install = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", *_PACKAGES]
    commands.run(*install, cwd=folder, what=f"grafana_schema: fetching {VERSION} with npm")


def judge(dashboards: dict[str, Any], folder: Path) -> str:
    """Let the compiler judge dashboards, in a folder of the test's own; AssertionError with what is wrong."""
    (folder / "node_modules").symlink_to(find()["grafana_schema"] / "node_modules")
    file = folder / "dashboards.ts"
    file.write_text("".join([_TYPES, *(_declared(name, dashboard) for name, dashboard in dashboards.items())]))
    compiler = folder / "node_modules" / "typescript" / "bin" / "tsc"
    return commands.judge("node", compiler, *_OPTIONS, file)


def _declared(name: str, dashboard: dict[str, Any]) -> str:
    lines = [f"export const shown_{name}: Json<Dashboard> = {json.dumps(dashboard)};"]
    for panel in dashboard["panels"]:
        place, kind = f"shown_{name}_{panel['id']}", panel["type"]
        lines.append(f"export const {place}: Json<{'RowPanel' if kind == 'row' else 'Panel'}> = {json.dumps(panel)};")
        if kind == "row":
            continue
        lines.append(f"export const {place}_options: Json<{kind}.Options> = {json.dumps(panel['options'])};")
        for number, target in enumerate(panel["targets"]):
            if target["datasource"]["type"] == "elasticsearch":
                declared = f"{place}_{number}: Json<ElasticsearchDataQuery>"
                lines.append(f"export const {declared} = {json.dumps(target)};")
    return "\n".join(lines) + "\n"

"""The committed dashboards are what Grafana's published schema allows; what it does not allow is found."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.processes import ROOT
from tests.services import grafana_schema

FOLDER = ROOT / "collector-config" / "grafana" / "dashboards"
DASHBOARDS = {file.stem: json.loads(file.read_text()) for file in sorted(FOLDER.glob("*.json"))}


def test_every_dashboard_is_what_the_schema_allows(tmp_path: Path) -> None:
    assert len(DASHBOARDS) == 6
    assert grafana_schema.judge(DASHBOARDS, tmp_path) == ""


def panel(dashboard: dict[str, Any], kind: str) -> dict[str, Any]:
    """The first panel of a kind."""
    found: dict[str, Any] = next(panel for panel in dashboard["panels"] if panel["type"] == kind)
    return found


BROKEN: dict[str, tuple[str, Callable[[dict[str, Any]], None], str]] = {
    "a number for a title": ("service", lambda shown: shown.update(title=1), "TS2322"),
    "an unknown field": ("service", lambda shown: shown.update(colour="red"), "'\"colour\"' does not exist"),
    "an unknown threshold mode": (
        "service",
        lambda shown: panel(shown, "stat")["fieldConfig"]["defaults"].update(thresholds={"mode": "x", "steps": []}),
        "TS2322",
    ),
    "an option of another panel": (
        "service",
        lambda shown: panel(shown, "timeseries")["options"].update(graphMode="area"),
        "'\"graphMode\"' does not exist",
    ),
    "an unknown order of a legend": (
        "service",
        lambda shown: panel(shown, "timeseries")["options"]["legend"].update(placement="left"),
        "TS2322",
    ),
    "an unknown aggregation": (
        "logs",
        lambda shown: panel(shown, "timeseries")["targets"][0]["bucketAggs"][0].update(type="words"),
        "TS2322",
    ),
}


def test_each_kind_of_broken_dashboard_is_found_and_named(tmp_path: Path) -> None:
    broken = {}
    for number, (name, spoil, _) in enumerate(BROKEN.values()):
        broken[f"broken_{number}"] = copy.deepcopy(DASHBOARDS[name])
        spoil(broken[f"broken_{number}"])
    with pytest.raises(AssertionError) as caught:
        grafana_schema.judge(broken, tmp_path)
    lines = (tmp_path / "dashboards.ts").read_text().splitlines()
    said = [line for line in str(caught.value).splitlines() if "error TS" in line]
    for number, (kind, (_, _, words)) in enumerate(BROKEN.items()):
        named = f"export const shown_broken_{number}"
        own = [line for line in said if lines[int(line.split("(")[1].split(",")[0]) - 1].startswith(named)]
        assert any(words in line for line in own), (kind, own)

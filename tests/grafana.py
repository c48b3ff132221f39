"""Dashboards read back from their JSON, and their queries as Grafana would send them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

# Four scrapes are the least that Grafana puts in; the tests' own windows cover all that they sent.
DEFAULTS: Final = {"__rate_interval": "5m", "__range": "5m"}
# Not `$2`, which is a part of what a regular expression of Prometheus matched.
_VARIABLE: Final = re.compile(r"\$(?:\{(\w+)(?::(\w+))?\}|([A-Za-z_]\w*))")


@dataclass(frozen=True)
class Target:
    """One query of a panel."""

    dashboard: str
    panel: str
    model: dict[str, Any]

    @property
    def kind(self) -> str:
        """The type of its data source."""
        return str(self.model["datasource"]["type"])

    def expression(self, **values: str) -> str:
        """Return a Prometheus query with these values in place of its variables."""
        return filled(str(self.model["expr"]), values)


def targets(files: Mapping[str, str]) -> Iterator[Target]:
    """Yield every query of generated dashboards."""
    for name, text in files.items():
        dashboard = json.loads(text)
        for panel in dashboard["panels"]:
            for model in panel.get("targets", ()):
                yield Target(name.rpartition("/")[2].removesuffix(".json"), panel["title"], model)


def all_value(files: Mapping[str, str], name: str, variable: str) -> str:
    """Return what Grafana puts in the place of a variable of a dashboard where all is chosen, as it is."""
    (text,) = [text for path, text in files.items() if path.endswith(f"{name}.json")]
    (found,) = [each for each in json.loads(text)["templating"]["list"] if each["name"] == variable]
    return str(found["allValue"])


def filled(text: str, values: Mapping[str, str]) -> str:
    """Return a text with values in place of `$name`, `${name}` and `${name:format}`; KeyError where one is missing."""
    known = {**DEFAULTS, **values}
    return _VARIABLE.sub(lambda found: known[found[1] or found[3]], text)


def variables(text: str) -> set[str]:
    """Return the names of the variables in a text, without Grafana's own."""
    names = {found[1] or found[3] for found in _VARIABLE.finditer(text)}
    return {name for name in names if not name.startswith("__")}

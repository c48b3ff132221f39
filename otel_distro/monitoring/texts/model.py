"""What is said about an alert, and the headings around it.

Texts are format strings: `{job}` and the alert's other labels, `{value}`, and the alert's figures. Metrics and commands
stand in backticks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Text:
    """What one alert says (`summary`, `description`) and what the runbook says about it."""

    summary: str
    description: str
    meaning: str
    causes: tuple[str, ...]
    mend: tuple[str, ...]


@dataclass(frozen=True)
class Headings:
    """The runbook's own words."""

    title: str
    introduction: str
    meaning: str
    look: str
    causes: str
    mend: str
    severities: Mapping[str, str]
    at_once: str
    held: str
    """Says how long it must be so: `{held}`."""


@dataclass(frozen=True)
class Language:
    """One language: the runbook's headings, and each alert's text by its name."""

    headings: Headings
    alerts: Mapping[str, Text]


@dataclass(frozen=True)
class PanelText:
    """What stands over a panel, and what its description says; the latter may have the panel's figures as places."""

    title: str
    description: str


@dataclass(frozen=True)
class DashboardText:
    """The words of one dashboard."""

    title: str
    rows: Mapping[str, str]
    panels: Mapping[str, PanelText]


@dataclass(frozen=True)
class DashboardWords:
    """One language: each dashboard's words by its name, and words that all of them use."""

    dashboards: Mapping[str, DashboardText]
    terms: Mapping[str, str]
    """Names of variables, of series in legends, of columns and of links."""

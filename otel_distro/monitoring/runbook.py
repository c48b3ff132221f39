"""The runbook: one heading an alert, written from the same figures as the alerts."""

from __future__ import annotations

from collections.abc import Iterable

from otel_distro.monitoring.model import Alert
from otel_distro.monitoring.parameters import Parameters
from otel_distro.monitoring.texts.filled import explained
from otel_distro.monitoring.texts.languages import language
from otel_distro.monitoring.texts.model import Headings


def runbook(alerts: Iterable[Alert], parameters: Parameters) -> str:
    """Return the runbook in Markdown; of alerts that share a name (pairs of windows) the first stands for all."""
    headings = language(parameters.language).headings
    named: dict[str, list[Alert]] = {}
    for alert in alerts:
        named.setdefault(alert.name, []).append(alert)
    sections = "\n".join(_section(same, headings, parameters) for same in named.values())
    return f"# {headings.title}\n\n{headings.introduction}\n\n{sections}"


def _section(same: list[Alert], headings: Headings, parameters: Parameters) -> str:
    alert, text = same[0], explained(same[0], parameters)
    how = [f"{headings.severities[one.severity]}, {_delay(one, headings)}{_windows(one)}" for one in same]
    return "\n".join(
        (
            f"## {alert.name}\n",
            *(f"- {line}" for line in dict.fromkeys(how)),
            f"\n**{headings.meaning}.** {text.meaning}\n",
            f"**{headings.look}.**\n",
            "```promql",
            *alert.queries,
            "```\n",
            "```sh",
            *alert.commands,
            "```\n",
            f"**{headings.causes}.**\n",
            *(f"- {cause}" for cause in text.causes),
            f"\n**{headings.mend}.**\n",
            *(f"- {step}" for step in text.mend),
            "",
        )
    )


def _delay(alert: Alert, headings: Headings) -> str:
    return headings.held.format(held=alert.held) if alert.held else headings.at_once


def _windows(alert: Alert) -> str:
    return f" ({', '.join(f'{name} {value}' for name, value in alert.labels.items())})" if alert.labels else ""

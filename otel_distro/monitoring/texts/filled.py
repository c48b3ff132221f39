"""An alert's texts with its labels, its value and its figures in place of the placeholders."""

from __future__ import annotations

from otel_distro.monitoring.model import Alert
from otel_distro.monitoring.parameters import Parameters
from otel_distro.monitoring.texts.languages import language
from otel_distro.monitoring.texts.model import Text


def carried(alert: Alert, parameters: Parameters) -> dict[str, str]:
    """Return what the alert carries: labels and value are filled in by Prometheus when it fires."""
    text = language(parameters.language).alerts[alert.name]
    places = {"value": alert.unit.value, **{label: f"{{{{ $labels.{label} }}}}" for label in alert.by}, **alert.figures}
    return {
        "summary": text.summary.format_map(places),
        "description": text.description.format_map(places),
        "runbook_url": f"{parameters.runbook}#{alert.name.lower()}",
    }


def explained(alert: Alert, parameters: Parameters) -> Text:
    """Return what the runbook says of the alert, which knows the figures and no one firing's labels."""
    text = language(parameters.language).alerts[alert.name]
    return Text(
        text.summary,
        text.description,
        text.meaning.format_map(alert.figures),
        tuple(cause.format_map(alert.figures) for cause in text.causes),
        tuple(step.format_map(alert.figures) for step in text.mend),
    )

"""What every dashboard selects by: the variables for job and further labels, and the matchers that use them."""

from __future__ import annotations

from otel_distro.monitoring.dashboards.model import Variable
from otel_distro.monitoring.parameters import Parameters, selector

JOB = 'job="$job"'


def job(parameters: Parameters, metric: str) -> Variable:
    """Return the choice of a job among those that have the metric; one service alone is no choice."""
    if parameters.service is not None:
        return Variable("job", "fixed", parameters.service)
    return Variable("job", "metric", f"label_values({metric}, job)")


def several(label: str, metric: str) -> Variable:
    """Return the choice of some values, or all, that a label has in the chosen job."""
    return Variable(label, "metric", f"label_values({of_job(metric)}, {label})", several=True)


def of_job(name: str, *labels: str) -> str:
    """Return a selector of the chosen job's series, and of the chosen values of further labels."""
    return selector(name, JOB, *(matching(label) for label in labels))


def matching(label: str) -> str:
    """Return the matcher of the chosen values of a label."""
    return f'{label}=~"${label}"'

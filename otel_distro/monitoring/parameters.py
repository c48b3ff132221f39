"""For whom the files are made, and how: the service, its objectives, the language, the pace."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from otel_distro.errors import InputError
from otel_distro.monitoring.objectives import Objectives

LANGUAGES: Final = ("en", "zh")
RUNBOOK: Final = "runbook.md"
EXAMPLE_JOB: Final = "python-app"
"""The job of `prometheus.yml`: what the runbook's queries name where no service is named."""

_UNITS: Final = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1))
_SERVICE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:-]{0,127}")


@dataclass(frozen=True)
class Parameters:
    """What a set of files is generated from; raises InputError for what cannot be used.

    `service` is the value of the label `job`; without it the rules hold for every job there is. `pace` scales every
    window and every waiting time: a sixtieth makes minutes seconds, for trying an alert out.
    """

    service: str | None = None
    objectives: Objectives = field(default_factory=Objectives)
    language: str = "en"
    runbook: str = RUNBOOK
    pace: float = 1.0

    def __post_init__(self) -> None:
        """Check what a user can choose."""
        if self.service is not None and not _SERVICE.fullmatch(self.service):
            raise InputError(
                f"service {self.service!r} cannot be used; it must be 1 to 128 letters, digits or any of . _ / : -"
            )
        if self.language not in LANGUAGES:
            raise InputError(f"language {self.language!r} is not known; it must be one of {', '.join(LANGUAGES)}")
        if not self.runbook.strip() or not self.runbook.isprintable():
            raise InputError(f"runbook {self.runbook!r} cannot be used; give the URL where it can be read, in one line")

    @property
    def job(self) -> str:
        """The job that examples name."""
        return self.service or EXAMPLE_JOB

    def span(self, seconds: float) -> str:
        """Return a time as Prometheus writes it, at this pace: 300 is `5m`, at a sixtieth `5s`."""
        return duration(seconds * self.pace)

    def series(self, name: str, *matchers: str) -> str:
        """Return a selector of the service's series: `name{job="shop",status=~"5.."}`, or of every job's."""
        own = [] if self.service is None else [f'job="{self.service}"']
        return selector(name, *own, *matchers)


def duration(seconds: float) -> str:
    """Return a time in the largest unit that divides it, as Prometheus writes it; not under a millisecond."""
    milliseconds = max(1, round(seconds * 1000))
    unit, size = next((unit, size) for unit, size in _UNITS if milliseconds % size == 0)
    return f"{milliseconds // size}{unit}"


def selector(name: str, *matchers: str) -> str:
    """Return a selector of series: the name, and in braces what must match."""
    return f"{name}{{{','.join(matchers)}}}" if matchers else name

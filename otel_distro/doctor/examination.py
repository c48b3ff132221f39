"""The checks one after the other, none of which can last or raise."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from time import monotonic
from typing import Final

from otel_distro.doctor.model import FAULT, Check, Finding
from otel_distro.redaction import redact_text

LOCAL_SECONDS: Final = 6.0
"""For all checks of this machine together: a folder of a server that is gone may keep one waiting for ever."""
_LEAST_SECONDS: Final = 0.5
"""For each of them, though others have used the time up."""
REMOTE_SECONDS: Final = 5.0
"""For all checks that wait for others, which run at one time."""
_SILENT_SECONDS: Final = 1.0


def examine(checks: Iterable[Check], tell: Callable[[str], object]) -> Iterator[Finding]:
    """Yield what each check finds, those of this machine first; `tell` gets a sentence for what lasts over a second.

    A check that raises or has no end is a fault of its own, and the others go on.
    """
    remote = []
    left = LOCAL_SECONDS
    for check in _all(checks):
        if check.remote:
            remote.append(check)
        else:
            began = monotonic()
            run = _Run(check)
            _wait([run], max(left, _LEAST_SECONDS), tell)
            left -= monotonic() - began
            yield from run.findings()
    # Only now: two threads that import parts of OpenTelemetry at one moment may see half a module.
    runs = [_Run(check) for check in remote]
    _wait(runs, REMOTE_SECONDS, tell)
    for run in runs:
        yield from run.findings()


def _all(checks: Iterable[Check]) -> Iterator[Check]:
    """Yield the checks; where one cannot be made, that is a fault and the last one."""
    try:
        yield from checks
    except Exception as error:  # noqa: BLE001 -- those that are there are looked at
        failed = _failed("checks", error)
        yield Check(failed.check, lambda: [failed])


def _wait(runs: list[_Run], seconds: float, tell: Callable[[str], object]) -> None:
    """Wait until all of them have ended, or so many seconds."""
    deadline = monotonic() + seconds
    if _ended(runs, min(_SILENT_SECONDS, seconds)):
        return
    names = ", ".join(run.check.name for run in runs if run.thread.is_alive())
    tell(f"waiting for {names}, {max(0.0, deadline - monotonic()):.0f} s at most")
    _ended(runs, deadline - monotonic())


def _ended(runs: list[_Run], seconds: float) -> bool:
    deadline = monotonic() + seconds
    for run in runs:
        run.thread.join(max(0.0, deadline - monotonic()))
    return not any(run.thread.is_alive() for run in runs)


class _Run:
    """One check on its way, in a thread that nobody has to wait for."""

    def __init__(self, check: Check) -> None:
        self.check = check
        self._found: list[Finding] | None = None
        self._began = monotonic()
        self.thread = threading.Thread(target=self._look, name=f"otel-distro-doctor-{check.name}", daemon=True)
        self.thread.start()

    def _look(self) -> None:
        try:
            self._found = self.check.look()
        except Exception as error:  # noqa: BLE001 -- the others go on
            self._found = [_failed(self.check.name, error)]

    def findings(self) -> list[Finding]:
        if self._found is not None:
            # What each says is made without secrets; a variable that got another one's value is what nobody foresees.
            return [each._replace(found=redact_text(each.found), mend=redact_text(each.mend)) for each in self._found]
        found = f"no answer after {monotonic() - self._began:.0f} s"
        return [Finding(self.check.name, FAULT, found, self.check.late)]


def _failed(name: str, error: Exception) -> Finding:
    """Return what is to be said of a check that raised; the error's own words may hold anything."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    found = f"the check itself failed: {type(error).__name__} in {Path(last.filename).name}, line {last.lineno}"
    return Finding(name, FAULT, found, "look at this part by hand, and report the line")

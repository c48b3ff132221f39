"""What a check finds, and what a check is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

OK: Final = "ok"
WARNING: Final = "warning"
FAULT: Final = "fault"


class Finding(NamedTuple):
    """What a check has found: its name, `ok`, `warning` or `fault`, what is there, and the mend of what is not ok.

    Nothing of it is a secret.
    """

    check: str
    status: str
    found: str
    mend: str = ""


class Check(NamedTuple):
    """One check: its name, and the function that looks.

    `remote` says that it waits for somebody else's answer, `late` what helps where none comes.
    """

    name: str
    look: Callable[[], list[Finding]]
    remote: bool = False
    late: str = "look whether a disk hangs"


def parted(message: str) -> tuple[str, str]:
    """Return what is wrong and the mend of a message of this package, which has a semicolon between them."""
    wrong, _, mend = message.partition("; ")
    return wrong, mend

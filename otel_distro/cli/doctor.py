"""`otel-distro doctor`: says what would not work in this environment, and how to mend it."""

from __future__ import annotations

import json
import logging
import shutil
import sys
from collections.abc import Iterator
from itertools import chain
from typing import Final

import click

from otel_distro.cli.plain_text import plain, safe_json, width
from otel_distro.doctor.checks import checks
from otel_distro.doctor.examination import examine
from otel_distro.doctor.model import FAULT, OK, WARNING, Check, Finding
from otel_distro.settings import Settings

_INDENT: Final = 9
_NARROW: Final = 60
_NARROW_INDENT: Final = 2


@click.command()
@click.option("--json", "as_json", is_flag=True, help="A list of objects with check, status, found and mend.")
def doctor(as_json: bool) -> int:
    """Say what will not work in this environment, and the mend.

    Run it with the environment of the service, as in: env $(cat service.env) otel-distro doctor. Nothing is changed;
    each receiver of OTLP gets one empty request, an Elasticsearch one question.

    Exit code 0: nothing, or warnings alone. 1: at least one fault.
    """
    columns = 0 if as_json else shutil.get_terminal_size((0, 0)).columns
    findings = []
    disabled = logging.root.manager.disable
    logging.disable()  # what is wrong is told by the findings
    try:
        for finding in examine(chain(checks(), _logs_checks()), _tell):
            findings.append(finding)
            if not as_json:
                print(*lines(finding, columns), sep="\n", flush=True)
    finally:
        logging.disable(disabled)
    numbers = {status: sum(finding.status == status for finding in findings) for status in (OK, WARNING, FAULT)}
    if as_json:
        # In ASCII, which any output can take; escapes of a terminal are none in it.
        print(safe_json(json.dumps([finding._asdict() for finding in findings], indent=2)))
    else:
        print(_count(numbers))
    return 1 if numbers[FAULT] else 0


def _logs_checks() -> Iterator[Check]:
    """Yield a check of what the other commands ask, which the service itself does not."""
    settings = Settings.current()
    if settings.elasticsearch_url:
        from otel_distro.cli import doctor_elasticsearch as check

        yield Check(check.NAME, lambda: check.look(settings), remote=True, late=check.LATE)


def lines(finding: Finding, columns: int) -> Iterator[str]:
    """Yield the lines of a finding for a terminal of so many columns; one line, however long, for 0."""
    head = f"{finding.status:<7}  {finding.check}: {finding.found}"
    if not columns:
        yield plain_line(f"{head}; {finding.mend}" if finding.mend else head)
        return
    indent = _INDENT if columns >= _NARROW else _NARROW_INDENT
    yield from wrapped(plain_line(head), columns, indent)
    if finding.mend:
        yield from wrapped(" " * indent + "-> " + plain(finding.mend), columns, indent + 3)


def plain_line(text: str) -> str:
    """Return a line that begins with a status, fit for a terminal, with the status in its columns."""
    return f"{text[:_INDENT]}{plain(text[_INDENT:])}"


def wrapped(text: str, columns: int, indent: int) -> Iterator[str]:
    """Yield a text in lines of at most so many columns, all but the first indented; a word that is longer is parted."""
    line, empty = "", True
    for word in text.split(" "):
        rest = word
        if not empty and width(line) + 1 + width(rest) <= columns:
            line += f" {rest}"
            continue
        if not empty:
            yield line
            line = " " * indent
        while width(line) + width(rest) > columns:
            kept = columns - width(line)
            yield line + rest[:kept]
            line, rest = " " * indent, rest[kept:]
        line, empty = line + rest, False
    yield line


def _count(numbers: dict[str, int]) -> str:
    faults, warnings = numbers[FAULT], numbers[WARNING]
    return f"{faults} fault{'s' * (faults != 1)}, {warnings} warning{'s' * (warnings != 1)}, {numbers[OK]} ok"


def _tell(sentence: str) -> None:
    print(f"otel-distro: {sentence}", file=sys.stderr, flush=True)

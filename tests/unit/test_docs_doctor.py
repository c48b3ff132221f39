"""docs/doctor.md has a row for each check, and shows what a terminal shows."""

from __future__ import annotations

import re
from textwrap import dedent

from otel_distro.cli import doctor_elasticsearch
from otel_distro.cli.doctor import lines
from otel_distro.doctor import (
    components,
    configuration,
    instrumented,
    interpreter,
    log_file,
    opentelemetry,
    otlp,
    page,
    shared_folder,
    start,
    variables,
)
from otel_distro.settings import Settings
from tests.processes import ROOT

TEXT = (ROOT / "docs" / "doctor.md").read_text(encoding="utf-8")


def test_the_table_names_every_check_and_no_other() -> None:
    rows = re.findall(r"^\| (`[^|]*) \|", TEXT, re.MULTILINE)
    named = [name for row in rows for name in re.findall(r"`([\w-]+)`", row)]
    modules = (variables, start, interpreter, opentelemetry, instrumented, components, log_file, configuration)
    own = {instrumented.FLASK, instrumented.ASGI, instrumented.DJANGO, page.ACCESS}
    names = {module.NAME for module in (*modules, doctor_elasticsearch, shared_folder, page)} | own
    names |= {f"{kind}-{signal}" for kind in ("exporter", "otlp") for signal in otlp.SIGNALS}
    assert sorted(named) == sorted(names)


def test_the_example_is_what_a_terminal_shows() -> None:
    (example,) = re.findall(r"terminal shows:\n\n((?:    .*\n)+)", TEXT)
    environment = {"OTEL_DISTRO_LOGFILE": "a.log"}
    findings = variables.look(Settings.from_environ(environment), environment) + start.look(environment)
    assert dedent(example).splitlines() == [line for finding in findings for line in lines(finding, 100)]

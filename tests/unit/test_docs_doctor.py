"""docs/doctor.md has a row for each check."""

from __future__ import annotations

import re

from otel_distro.cli import doctor_elasticsearch
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
from tests.processes import ROOT


def test_the_table_names_every_check_and_no_other() -> None:
    text = (ROOT / "docs" / "doctor.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`[^|]*) \|", text, re.MULTILINE)
    named = [name for row in rows for name in re.findall(r"`([\w-]+)`", row)]
    modules = (variables, start, interpreter, opentelemetry, instrumented, components, log_file, configuration)
    own = {instrumented.FLASK, instrumented.ASGI, instrumented.DJANGO, page.ACCESS}
    names = {module.NAME for module in (*modules, doctor_elasticsearch, shared_folder, page)} | own
    names |= {f"{kind}-{signal}" for kind in ("exporter", "otlp") for signal in otlp.SIGNALS}
    assert sorted(named) == sorted(names)

"""Importing any module of the package changes nothing in the process that imports it and reads no environment."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.import_graph import modules
from tests.processes import ROOT, AppProcess

# What OpenTelemetry's own modules do when they are first imported is theirs: they come before the first look.
PROGRAM = """
import importlib, json, logging, os, signal, sys, threading, warnings
import opentelemetry._logs._internal, opentelemetry.metrics._internal, opentelemetry.trace
import opentelemetry.sdk.trace, opentelemetry.sdk.metrics, opentelemetry.sdk._logs
import opentelemetry.instrumentation.flask, opentelemetry.exporter.prometheus

package = sys.argv[1] + os.sep
own = {os.environ.get.__func__.__code__.co_filename, os.environ.copy.__func__.__code__.co_filename}
reads = []

class Watched(dict):
    # Stands for the environment's own storage: everything that reads the environment ends here.
    def __getitem__(self, key):
        frame = sys._getframe(1)
        while frame and frame.f_code.co_filename in own:
            frame = frame.f_back
        if frame and frame.f_code.co_filename.startswith(package):
            reads.append(f"{frame.f_code.co_filename}:{frame.f_lineno} reads {key!r}")
        return super().__getitem__(key)

def state():
    loggers = [logging.root, *(l for l in logging.root.manager.loggerDict.values() if isinstance(l, logging.Logger))]
    return {
        "environment": dict(os.environ),
        "threads": sorted(thread.name for thread in threading.enumerate()),
        "tasks": len(os.listdir("/proc/self/task")) if os.path.isdir("/proc/self/task") else 1,
        "handlers": {l.name: [repr(h) for h in l.handlers] for l in loggers if l.handlers},
        "levels": {l.name: l.level for l in loggers if l.level},
        "record factory": repr(logging.getLogRecordFactory()),
        "providers": [
            repr(opentelemetry.trace._TRACER_PROVIDER),
            repr(opentelemetry.metrics._internal._METER_PROVIDER),
            repr(opentelemetry._logs._internal._LOGGER_PROVIDER),
        ],
        "signals": [repr(signal.getsignal(number)) for number in sorted(signal.valid_signals())],
        "hooks": [repr(sys.excepthook), repr(threading.excepthook), repr(warnings.showwarning)],
    }

# Before the comparison: on Python 3.10 pytest, which our fixtures import, brings a package that sets sys.excepthook.
import pytest

before = state()
os.environ._data = Watched(os.environ._data)
for module in sys.argv[2:]:
    importlib.import_module(module)
after = state()
changes = [f"{key}: {before[key]} became {after[key]}" for key in before if before[key] != after[key]]
print(json.dumps(reads + changes))
"""


def imported(package: Path, *names: str) -> list[str]:
    """Import the modules in a fresh process; return what that read and changed."""
    program = ["python", "-c", PROGRAM, str(package), *names]
    with AppProcess(program, {"PYTHONPATH": str(package.parent), "OTEL_SERVICE_NAME": "x"}) as process:
        assert process.wait() == 0, process.output
        assert process.stdout.count("\n") == 1, f"importing prints\n{process.output}"
        found: list[str] = json.loads(process.stdout)
    return found


def test_importing_every_module_leaves_the_process_as_it_was() -> None:
    package = ROOT / "otel_distro"
    # A `__main__` is a program, run and not imported; what makes dashboards needs the extra that Python 3.10 has not.
    needless = ("__main__", "otel_distro.monitoring.dashboards") if sys.version_info < (3, 11) else ("__main__",)
    names = [name for name in modules(package) if not any(part in name for part in needless)]
    assert imported(package, *names) == []


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("import os; os.environ.get('OTEL_SERVICE_NAME')", "reads"),
        ("import os; os.getenv('OTEL_SERVICE_NAME')", "reads"),
        ("import os; dict(os.environ)", "reads"),
        ("import os; os.environ['NEW'] = '1'", "environment: "),
        ("import threading; threading.Thread(target=threading.Event().wait, daemon=True).start()", "threads: "),
        ("import logging; logging.basicConfig()", "handlers: "),
        ("import logging; logging.getLogger('theirs').setLevel(10)", "levels: "),
        ("from opentelemetry import trace as t; t.set_tracer_provider(t.NoOpTracerProvider())", "providers: "),
        ("import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)", "signals: "),
        ("import sys; sys.excepthook = print", "hooks: "),
    ],
)
def test_a_module_that_does_work_is_found(source: str, complaint: str, tmp_path: Path) -> None:
    (tmp_path / "busy").mkdir()
    (tmp_path / "busy" / "__init__.py").write_text(source)
    assert any(complaint in line for line in imported(tmp_path / "busy", "busy"))

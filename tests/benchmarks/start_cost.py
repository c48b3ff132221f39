"""What a service's start costs: a Flask application bare, with this package, and with the stock distribution.

    python -m tests.benchmarks.start_cost --rounds 10

Whole processes that import Flask, make an application, answer one request to it and end; they take turns. CPU time is
user and system of the process and of what it became by `exec`; memory is the greatest resident size. Bare runs twice:
the second is the control. The table in Markdown shows medians, and what each adds to bare. It ends with 1 where a
process does not end well.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
PROGRAM: Final = """
from flask import Flask

app = Flask("bench")
app.add_url_rule("/", "index", lambda: "hello")
assert app.test_client().get("/").status_code == 200
"""
PREFIX: Final = "from opentelemetry.instrumentation.auto_instrumentation import run; run()"
STOCK: Final = (
    "opentelemetry-distro==0.66b1", "opentelemetry-exporter-otlp==1.45.1",
    "opentelemetry-instrumentation-flask==0.66b1", "opentelemetry-exporter-prometheus==0.66b1", "flask",
)  # fmt: skip
PAGE: Final = {"OTEL_METRICS_EXPORTER": "prometheus", "OTEL_EXPORTER_PROMETHEUS_PORT": "0"}
NOBODY: Final = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_DISTRO_EXIT_TIMEOUT": "0"}
OFF: Final = {"OTEL_TRACES_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"}


class Variant:
    """A way to start the program, and what it cost each time."""

    def __init__(self, name: str, python: Path, prefix: bool, env: dict[str, str]) -> None:
        self.name = name
        self.cpu: list[float] = []
        self.memory: list[float] = []
        command = [str(python), "-c", PROGRAM]
        # The prefix command, by its function: the scripts of an environment that was moved do not start.
        self._command = [str(python), "-c", PREFIX, *command] if prefix else command
        kept = {key: value for key, value in os.environ.items() if not key.startswith("OTEL_")}
        self._env = {**kept, **env}

    def run(self) -> bool:
        """Run it once, and say whether it ended well."""
        process = subprocess.Popen(self._command, env=self._env, cwd=tempfile.gettempdir(), stderr=subprocess.DEVNULL)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        self.cpu.append(used.ru_utime + used.ru_stime)
        self.memory.append(used.ru_maxrss / 1024)
        return process.returncode == 0


def _variants() -> list[Variant]:
    from tests.benchmarks.peers import python_with

    here = Path(sys.executable)
    made = [
        Variant("bare Flask", here, False, {}),
        Variant("bare Flask again", here, False, {}),
        Variant("ours, page of metrics", here, True, PAGE),
        Variant("ours, page and OTLP of traces and logs", here, True, {**PAGE, **NOBODY}),
    ]
    stock = python_with(*STOCK)
    if stock is not None:
        made.append(Variant("stock, page of metrics", stock, True, {**PAGE, **OFF}))
    return made


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10)
    options = parser.parse_args(arguments)
    variants = _variants()
    failed = set()
    for number in range(options.rounds + 1):
        for variant in variants:
            if not variant.run():
                failed.add(variant.name)
            if not number:  # the first round writes what Python compiles
                variant.cpu.clear()
                variant.memory.clear()
    cpu, memory = statistics.median(variants[0].cpu), statistics.median(variants[0].memory)
    print("| variant | CPU, s | least, s | added, s | memory, MB | added, MB |")
    print("| --- | --- | --- | --- | --- | --- |")
    for variant in variants:
        spent, used = statistics.median(variant.cpu), statistics.median(variant.memory)
        print(
            f"| {variant.name} | {spent:.2f} | {min(variant.cpu):.2f} | {spent - cpu:.2f} | {used:.0f} "
            f"| {used - memory:.1f} |"
        )
    for name in failed:
        print(f"{name}: did not end well", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

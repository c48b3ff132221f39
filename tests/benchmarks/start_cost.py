"""What a service's start costs: a Flask application bare, with this package, and with the stock distribution.

    python -m tests.benchmarks.start_cost --rounds 10

Whole processes that import Flask, make an application, answer one request to it and end; they take turns. CPU time is
user and system of the process and of what it became by `exec`; memory is the greatest resident size. Bare runs twice:
the second is the control. The table in Markdown shows medians, and what each adds to bare in the same round with its
quartiles. It ends with 1 where a process does not end well, or a peer is missing.
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

from tests.benchmarks import peers

ROOT: Final = Path(__file__).resolve().parents[2]
PROGRAM: Final = """
from flask import Flask

app = Flask("bench")
app.add_url_rule("/", "index", lambda: "hello")
assert app.test_client().get("/").status_code == 200
"""
PREFIX: Final = "from opentelemetry.instrumentation.auto_instrumentation import run; run()"
OUR_PREFIX: Final = "from otel_distro.cli import main; main()"
PAGE: Final = {"OTEL_METRICS_EXPORTER": "prometheus", "OTEL_EXPORTER_PROMETHEUS_PORT": "0"}
NOBODY: Final = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_DISTRO_EXIT_TIMEOUT": "0"}
OFF: Final = {"OTEL_TRACES_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"}


class Variant:
    """A way to start the program, and what it cost each time."""

    def __init__(self, name: str, python: Path, prefix: tuple[str, ...], env: dict[str, str]) -> None:
        self.name = name
        self.cpu: list[float] = []
        self.memory: list[float] = []
        command = [str(python), "-c", PROGRAM]
        # The prefix command, by its function: the scripts of an environment that was moved do not start.
        self._command = [str(python), "-c", *prefix, *command] if prefix else command
        # Where Python may not keep what it compiles, a package that is installed in place would be compiled every time.
        left_out = ("OTEL_", "PYTHONDONTWRITEBYTECODE")
        kept = {key: value for key, value in os.environ.items() if not key.startswith(left_out)}
        self._env = {**kept, **env}

    def run(self) -> bool:
        """Run it once, and say whether it ended well."""
        process = subprocess.Popen(self._command, env=self._env, cwd=tempfile.gettempdir(), stderr=subprocess.DEVNULL)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        self.cpu.append(used.ru_utime + used.ru_stime)
        self.memory.append(used.ru_maxrss / 1024)
        return process.returncode == 0


def _variants(with_peers: bool) -> tuple[list[Variant], dict[str, str]]:
    """Return the variants, and why a peer is missing by its name."""
    here = Path(sys.executable)
    made = [
        Variant("bare Flask", here, (), {}),
        Variant("bare Flask again", here, (), {}),
        Variant("the prefix command alone, switched off", here, (PREFIX,), {"OTEL_SDK_DISABLED": "true"}),
        Variant("ours, page of metrics", here, (PREFIX,), PAGE),
        Variant("ours, page of metrics, by otel-distro run", here, (OUR_PREFIX, "run"), PAGE),
        Variant("ours, page and OTLP of traces and logs", here, (PREFIX,), {**PAGE, **NOBODY}),
        Variant("ours, page and OTLP, by otel-distro run", here, (OUR_PREFIX, "run"), {**PAGE, **NOBODY}),
    ]
    missing: dict[str, str] = {}
    wanted = {
        "stock, page of metrics": (peers.STOCK, {**PAGE, **OFF}),
        "stock, page and OTLP of traces and logs": (peers.STOCK, {**PAGE, **NOBODY}),
        "Elastic, page of metrics": (peers.ELASTIC, {**PAGE, **OFF}),
        "Splunk, page of metrics": (peers.SPLUNK, {**PAGE, **OFF}),
    }
    for name, (packages, env) in wanted.items() if with_peers else ():
        python = peers.python_with(*packages, *peers.the_same_flask())
        if isinstance(python, str):
            missing[name] = python
        else:
            made.append(Variant(name, python, (PREFIX,), env))
    return made, missing


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10, help="rounds over all variants, 2 at least")
    parser.add_argument("--without-peers", action="store_true", help="only what this environment has")
    options = parser.parse_args(arguments)
    variants, missing = _variants(not options.without_peers)
    failed: dict[str, str] = dict(missing)
    for number in range(options.rounds + 1):
        for variant in variants:
            if not variant.run():
                failed[variant.name] = "did not end well"
            if not number:  # the first round writes what Python compiles
                variant.cpu.clear()
                variant.memory.clear()
    _print([variant for variant in variants if variant.name not in failed], variants[0])
    for name, why in failed.items():
        print(f"| {name} | **{why}** | | | | |")
    return 1 if failed else 0


def _print(variants: list[Variant], bare: Variant) -> None:
    print("| variant | CPU, s | added, s | quartiles | memory, MB | added, MB |")
    print("| --- | --- | --- | --- | --- | --- |")
    for variant in variants:
        added = [own - its for own, its in zip(variant.cpu, bare.cpu, strict=True)]
        low, middle, high = statistics.quantiles(added, n=4)
        used = statistics.median(variant.memory)
        print(
            f"| {variant.name} | {statistics.median(variant.cpu):.2f} | {middle:.2f} | {low:.2f} to {high:.2f} "
            f"| {used:.0f} | {used - statistics.median(bare.memory):.1f} |"
        )


if __name__ == "__main__":
    sys.exit(main())

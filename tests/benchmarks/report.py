"""Every benchmark in one run, and the report of it in Markdown with plots.

    python -m tests.benchmarks.report            docs/benchmarks.md and docs/benchmarks/*.svg: half an hour
    python -m tests.benchmarks.report --quick    the same in build/benchmarks, of a few minutes and of little weight

What each part printed is kept in build/benchmarks, so `--only flask_cost` runs that part again and takes the others
from there. It ends with 1 where a part or one of its rows failed; the report then says so in its place.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Final

from tests.benchmarks import peers
from tests.benchmarks.report_parts import PARTS, Part
from tests.benchmarks.tables import tables

ROOT: Final = Path(__file__).resolve().parents[2]
KEPT: Final = ROOT / "build" / "benchmarks"
_VERSIONS: Final = (
    "flask",
    "werkzeug",
    "prometheus-client",
    "opentelemetry-sdk",
    "opentelemetry-instrumentation-flask",
)
_PEERS: Final = (peers.STOCK, peers.ELASTIC, peers.SPLUNK, peers.LOGFIRE, peers.DATADOG, peers.FLASK_EXPORTER)


@dataclass(frozen=True)
class Run:
    """What one part printed, how it ended, and what the machine was doing."""

    part: str
    command: str
    output: str
    errors: str
    status: int
    date: str
    minutes: float
    load: tuple[float, float]  # of the last minute, before and after


def run(part: Part, arguments: tuple[str, ...]) -> Run:
    """Run one benchmark to its end; its progress goes to standard error."""
    command = [sys.executable, "-m", f"tests.benchmarks.{part.name}", *arguments]
    print(f"== bench: {part.name} {' '.join(arguments)}", file=sys.stderr, flush=True)
    began, load = time.monotonic(), os.getloadavg()[0]
    date = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    errors: list[str] = []
    with (
        tempfile.TemporaryFile("w+") as out,
        subprocess.Popen(command, stdout=out, stderr=subprocess.PIPE, text=True, cwd=ROOT) as process,
    ):
        assert process.stderr is not None
        for line in process.stderr:
            sys.stderr.write(line)
            errors.append(line)
        process.wait()
        out.seek(0)
        output = out.read()
    minutes = (time.monotonic() - began) / 60
    after = (load, os.getloadavg()[0])
    said = " ".join(["python -m", f"tests.benchmarks.{part.name}", *arguments])
    return Run(part.name, said, output, "".join(errors), process.returncode, date, minutes, after)


def report(runs: dict[str, Run], folder: str, with_peers: bool) -> tuple[str, dict[str, str]]:
    """Return the report, and the plots it shows by the names of their files in that folder."""
    plots: dict[str, str] = {}
    sections: list[str] = []
    targets = ["| promised | measured | kept |", "| --- | --- | --- |"]
    for part in PARTS:
        if part.name not in runs:
            continue
        found = tables(runs[part.name].output)
        drawn: dict[str, str] = {}
        if found and found[0].rows:
            drawn = part.plots(found)
            targets += (
                f"| {what} | {said} | {'yes' if kept else '**no**'} |" for what, said, kept in part.targets(found)
            )
        plots |= drawn
        sections += _section(part, runs[part.name], [f"![{part.title}]({folder}/{name})" for name in drawn])
    head = ["# Benchmarks", "", *_head(runs, with_peers), "", "## What was promised", "", *targets, ""]
    return "\n".join([*head, *sections]), plots


def _head(runs: dict[str, Run], with_peers: bool) -> Iterator[str]:
    kernel = platform.release().partition("-")[0]
    loads = [load for done in runs.values() for load in done.load]
    yield "`make bench` runs everything below and writes this page; `make bench ARGS=--quick` is a short form of it."
    yield ""
    yield f"- Machine: {platform.machine()}, {os.cpu_count()} processors, {platform.system()} {kernel},"
    yield f"  {platform.python_implementation()} {platform.python_version()}."
    yield f"- Load of the machine while it ran: {min(loads):.1f} to {max(loads):.1f}. Above the number of processors"
    yield "  other work went on beside. So times are CPU time where no clock is named, variants take turns in one run,"
    yield "  and ratios are medians of pairs of the same round, with quartiles. A difference smaller than the control's"
    yield "  is none. Function calls and bytes do not depend on the load."
    yield f"- Versions: {peers.versions(sys.executable, *_VERSIONS)}."
    for packages in _PEERS if with_peers else ():
        python = peers.python_with(*packages, *peers.the_same_flask())
        if isinstance(python, Path):
            name = packages[0].partition("==")[0].partition("[")[0]
            yield f"  {name}: {peers.versions(python, name, 'opentelemetry-sdk', 'prometheus-client')}."


def _section(part: Part, done: Run, images: list[str]) -> Iterator[str]:
    yield from (f"## {part.title}", "", part.text, "")
    for image in images:
        yield from (image, "")
    yield from (done.output.strip(), "")
    if done.status:
        last = (done.errors.strip().splitlines() or ["a row says why"])[-1]
        yield from (f"**Not complete: it ended with status {done.status}: {last}**", "")
    load = f"load {done.load[0]:.1f} before and {done.load[1]:.1f} after"
    yield f"`{done.command}`, {done.date}, {done.minutes:.0f} minutes, {load}."
    yield ""


def main() -> int:
    """Run what is asked for and write the report; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few rounds, into build/benchmarks")
    parser.add_argument("--without-peers", action="store_true", help="without environments of other packages")
    parser.add_argument("--only", action="append", choices=[part.name for part in PARTS], help="run these parts alone")
    parser.add_argument("--draw", action="store_true", help="run nothing, write the report of what is kept again")
    parser.add_argument("--out", type=Path, help="folder of the report")
    options = parser.parse_args()
    kept = options.out or KEPT / ("quick" if options.quick else "long")
    kept.mkdir(parents=True, exist_ok=True)
    asked = () if options.draw else options.only or [part.name for part in PARTS]
    lost = [part.name for part in PARTS if part.name not in asked and not (kept / f"{part.name}.json").exists()]
    if lost and not (options.quick or options.out):
        parser.error(
            f"docs/benchmarks.md would lose {', '.join(lost)}: {kept} has no results of them. "
            "Run it once without --only and --draw, or name another folder by --out"
        )
    runs: dict[str, Run] = {}
    for part in PARTS:
        arguments = part.quick if options.quick else part.arguments
        if arguments is None:
            continue
        more = ("--without-peers",) if part.has_peers and options.without_peers else ()
        file = kept / f"{part.name}.json"
        if part.name in asked:
            file.write_text(json.dumps(asdict(run(part, (*arguments, *more)))))
        if file.exists():
            runs[part.name] = Run(**json.loads(file.read_text()))
    out = options.out or (kept if options.quick else ROOT / "docs")
    text, plots = report(runs, "benchmarks", not options.without_peers)
    (out / "benchmarks").mkdir(exist_ok=True)
    for name, plot in plots.items():
        (out / "benchmarks" / name).write_text(plot)
    (out / "benchmarks.md").write_text(text)
    print(out / "benchmarks.md")
    return 1 if any(done.status for done in runs.values()) else 0


if __name__ == "__main__":
    sys.exit(main())

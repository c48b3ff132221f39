"""What the Collector costs from a log file to searchable in Elasticsearch: agent.yaml beside a plain configuration.

    python -m tests.benchmarks.pipeline_cost --records 100000 --rounds 3

writes a log of so many records, lets a Collector of each configuration take it in turn to one Elasticsearch on the same
machine, counts what is stored, and prints medians in Markdown: records a second (on Elasticsearch's processors, too),
processor seconds and peak memory of the Collector. The target is half the processor time of pipeline_plain.yaml, which
keeps the same promise; pipeline_floor.yaml is the least that makes such documents of lines and queues them on disk. It
ends with 1 where a record is missing or there twice; a missed target is only shown.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from statistics import median
from typing import Any, Final

from tests.agent import AGENT, Agent, install_templates, line
from tests.services import collector, elasticsearch
from tests.services.elasticsearch import Elasticsearch
from tests.support import wait_until

PLAIN: Final = Path(__file__).with_name("pipeline_plain.yaml")
FLOOR: Final = Path(__file__).with_name("pipeline_floor.yaml")
FILES: Final = {"FILES_EXPORTER": "elasticsearch/files"}  # of agent.yaml: each file is its own queue
# As compose.yaml starts it: a heap that may grow does what large buffers do for who has the configuration alone.
LEAN: Final = {"GOGC": "400", "CONNECTION_BUFFER_BYTES": "65536"}
# Name, file, environment.
CONFIGURATIONS: Final[Mapping[str, tuple[Path, Mapping[str, str]]]] = {
    "agent.yaml": (AGENT, {}),
    "files as queues": (AGENT, FILES),
    "agent.yaml, GOGC=400": (AGENT, LEAN),
    "files as queues, GOGC=400": (AGENT, {**FILES, **LEAN}),
    "plain": (PLAIN, {}),
    "plain, GOGC=400": (PLAIN, {"GOGC": LEAN["GOGC"]}),
    "least document": (FLOOR, {}),
}
TARGET: Final = 0.5
_LONGEST: Final = 300.0  # seconds
_TICKS: Final = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Cost:
    """What one run took: seconds from the Collector's start to the last record, its processor seconds and megabytes."""

    seconds: float
    cpu: float
    megabytes: float


def write_log(path: Path, records: int) -> None:
    """Write the log of a shop as the package writes it; an error with its traceback is in one line of twenty."""
    dice = random.Random(7)
    start = datetime(2026, 11, 24, 9, tzinfo=timezone.utc)
    with path.open("w") as file:
        for number in range(records):
            moment = start + timedelta(milliseconds=number)
            file.write(line(**_record(dice, moment)) + "\n")


def _record(dice: random.Random, moment: datetime) -> dict[str, Any]:
    failed = dice.random() < 0.05
    record = {
        "timestamp": f"{moment:%Y-%m-%dT%H:%M:%S.%f}Z",
        "level": "ERROR" if failed else "INFO",
        "message": "payment failed" if failed else "order completed",
        "logger": "shop.orders",
        "module": "orders",
        "function": "place_order",
        "line": dice.randrange(20, 400),
        "request_id": f"{dice.getrandbits(128):032x}",
        "user_id": f"user-{dice.randrange(1000):03d}",
        "trace_id": f"{dice.getrandbits(128) | 1:032x}",
        "span_id": f"{dice.getrandbits(64) | 1:016x}",
        "service": "shop",
        "environment": "production",
        "log_id": str(uuid.UUID(int=dice.getrandbits(128))),
        "order_id": dice.randrange(10**6),
        "amount": dice.randrange(10**6) / 100,
        "payment_method": dice.choice(("alipay", "wechat", "card")),
    }
    if failed:
        frames = "".join(f'  File "shop/orders.py", line {place}, in place\n    pay(order)\n' for place in range(12))
        record |= {"error_type": "PaymentDeclined", "error_message": "declined"}
        record["exc_info"] = f"Traceback (most recent call last):\n{frames}PaymentDeclined: declined"
    return record


def measure(agent: Agent, records: int) -> Cost:
    """Start the Collector on the finished log, wait for the last record; AssertionError unless each is there once."""
    started = time.monotonic()
    with agent:
        wait_until(
            lambda: agent.elasticsearch.count(agent.indices) >= records,
            _LONGEST,
            what=lambda: (
                f"{records} records; there are {agent.elasticsearch.count(agent.indices)}\n{agent.log[-3000:]}"
            ),
            every=0.5,  # each look makes Elasticsearch refresh
        )
        seconds = time.monotonic() - started
        cost = Cost(seconds, _processor_seconds(agent.pid), _peak_megabytes(agent.pid))
    stored = agent.elasticsearch.count(agent.indices)
    assert stored == records, f"{stored} documents of {records} records"
    agent.elasticsearch.delete(agent.indices)
    return cost


def _processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _peak_megabytes(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def run(otelcol: Path, server: Elasticsearch, records: int, rounds: int, folder: Path) -> dict[str, list[Cost]]:
    """Measure each configuration once a round, in turn, and return what each cost."""
    log = folder / "app.log"
    write_log(log, records)
    costs: dict[str, list[Cost]] = {name: [] for name in CONFIGURATIONS}
    install_templates(server)
    for number in range(rounds):
        for name, (config, variables) in CONFIGURATIONS.items():
            place = folder / f"{number}-{name}"
            agent = Agent(otelcol, server, place, {"LOG_GLOB": str(log), **variables}, [config])
            costs[name].append(cost := measure(agent, records))
            print(f"{name}: {cost.seconds:.1f} s, {cost.cpu:.1f} CPU-s, {cost.megabytes:.0f} MB", file=sys.stderr)
    return costs


def report(records: int, costs: Mapping[str, Sequence[Cost]]) -> str:
    """Return the medians as a table, each configuration's processor time also as a share of that of `plain`."""
    lines = ["| configuration | records/s | CPU seconds | of plain | peak MB |", "| --- | --- | --- | --- | --- |"]
    for name, runs in costs.items():
        seconds, cpu = median(run.seconds for run in runs), median(run.cpu for run in runs)
        share = median(one.cpu / plain.cpu for one, plain in zip(runs, costs["plain"], strict=True))
        megabytes = median(run.megabytes for run in runs)
        lines.append(f"| {name} | {records / seconds:,.0f} | {cpu:.1f} | {share:.2f} | {megabytes:.0f} |")
    return "\n".join([*lines, "", f"Median of pairs; the target is {TARGET} of plain."])


def _elasticsearch(home: Path) -> Elasticsearch:
    # With the heap of the tests, 512 MB, it refuses questions of ours now and then, at this load.
    return Elasticsearch(home, java_options="-Xms1g -Xmx1g")


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="Measure the Collector from file to searchable.")
    parser.add_argument("--records", type=int, default=100_000, help="in the log (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="of each configuration (default: %(default)s)")
    options = parser.parse_args()
    otelcol, home = collector.find()["otelcol"], elasticsearch.find()["elasticsearch"]
    with tempfile.TemporaryDirectory() as folder, _elasticsearch(home) as server:
        try:
            costs = run(otelcol, server, options.records, options.rounds, Path(folder))
        except AssertionError as error:
            print(error, file=sys.stderr)
            return 1
    print(report(options.records, costs))
    return 0


if __name__ == "__main__":
    sys.exit(main())

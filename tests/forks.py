"""A program that forks while its threads record, create instruments and make pages without pause.

    python -m tests.forks 100

Each child records, creates instruments, makes a page and ends. It prints one JSON object: `hung` and `failed` children,
`children` and `parent` as the page has them in the end, and what they must be.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import traceback
from itertools import count

from opentelemetry import metrics
from prometheus_client import Counter

import otel_distro
from otel_distro.metrics.prometheus import OPENMETRICS, TEXT
from otel_distro.metrics.reader import PrometheusReader
from otel_distro.metrics.server import page_service
from otel_distro.metrics.shared import CellReader
from otel_distro.settings import Settings
from tests.shared_metrics import ended, kill, parsed

_TIMEOUT = 60.0


class _Parent:
    """What the threads of the parent do until they are stopped; each counts for itself what it has recorded."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        self.recorded = [0, 0]
        self.work = metrics.get_meter("forks").create_counter("parent_work")
        self.reader = page_service.reader(Settings.current())
        runs = (self.record, self.create, self.make_pages, self.make_pages)
        self.threads = [threading.Thread(target=run, daemon=True) for run in runs]
        for thread in self.threads:
            thread.start()

    def record(self) -> None:
        took = metrics.get_meter("forks").create_histogram("took", "s")
        for number in count():
            self.work.add(1, {"kind": "recorded", "part": str(number % 50)})
            self.recorded[0] += 1
            took.record(0.5, {"part": number % 7})
            if self.stop.is_set():
                return

    def create(self) -> None:
        for number in count():
            meter = metrics.get_meter(f"forks.{number % 40}")
            meter.create_counter(f"created_{number % 200}").add(1)
            meter.create_observable_gauge(f"observed_{number % 200}")
            self.work.add(1, {"kind": "created", "part": str(number % 900)})
            self.recorded[1] += 1
            if self.stop.is_set():
                return

    def make_pages(self) -> None:
        while not self.stop.is_set():
            self.reader.page(TEXT)
            self.reader.page(OPENMETRICS)

    def join(self) -> None:
        self.stop.set()
        for thread in self.threads:
            thread.join(60)


def _child(number: int, work: metrics.Counter, reader: PrometheusReader) -> None:
    meter = metrics.get_meter(f"child.{number}")
    meter.create_counter("child_work").add(1, {"number": str(number)})
    metrics.get_meter("forks").create_histogram("child_took", "s").record(1)
    work.add(1, {"kind": "inherited"})
    said = parsed(reader.page())
    assert said["child_work_total", (("number", str(number)),)] == 1
    assert said["child_took_seconds_count", ()] >= 1
    file = reader.store.file
    assert file is not None
    assert file.path is not None
    assert file.path.name.startswith(f"{os.getpid()}-")
    assert reader.store.overflow is None
    cells = CellReader(file.path)
    words = cells.read()
    own = [text for text, _, _ in cells.entries if text.startswith('["series"')]
    assert not any("recorded" in text or "created" in text for text in own), "a total of the parent"
    assert max(words[first] for text, first, n in cells.entries if n and "inherited" in text) == 1


def main() -> None:
    """Fork as often as asked, and say what came of it."""
    forks = int(sys.argv[1])
    otel_distro.configure()
    Counter("foreign", "of prometheus_client").inc()
    parent = _Parent()
    hung, failed = [], []
    for number in range(forks):
        pid = os.fork()
        if not pid:
            signal.alarm(int(_TIMEOUT) * 2)  # nothing is left behind, whatever becomes of the parent
            try:
                _child(number, parent.work, parent.reader)
                os._exit(0)
            except BaseException:  # noqa: BLE001 -- a child never goes on with what its parent does
                traceback.print_exc()
                os._exit(1)
        try:
            if ended(pid, _TIMEOUT):
                failed.append(number)
        except AssertionError:
            hung.append(number)
            kill(pid)
    parent.join()
    said = parsed(parent.reader.page())
    work = dict.fromkeys(("recorded", "created", "inherited"), 0.0)
    for (name, labels), value in said.items():
        if name == "parent_work_total":
            work[dict(labels)["kind"]] += value
    print(
        json.dumps(
            {
                "hung": hung,
                "failed": failed,
                "children": sum(value for (name, _), value in said.items() if name == "child_work_total"),
                "inherited": work["inherited"],
                "parent": [work["recorded"], work["created"]],
                "parent_must": parent.recorded,
            }
        )
    )


if __name__ == "__main__":
    main()

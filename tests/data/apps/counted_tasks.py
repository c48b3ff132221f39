"""A Celery application whose tasks count: a broker of files, so that no server is needed."""

from __future__ import annotations

import os
import time
from pathlib import Path

from celery import Celery
from opentelemetry import metrics, trace

from tests.ledger import Ledger

_folder = Path(os.environ["QUEUE"])
for _name in ("in", "out", "processed"):
    (_folder / _name).mkdir(parents=True, exist_ok=True)

app = Celery(
    "counted_tasks",
    broker_url="filesystem://",
    broker_transport_options={
        "data_folder_in": str(_folder / "in"),
        "data_folder_out": str(_folder / "out"),
        "control_folder": str(_folder / "control"),
        "polling_interval": 0.01,
    },
    broker_connection_retry_on_startup=True,
    worker_prefetch_multiplier=1,
)
_ledger = Ledger(os.environ["LEDGER"])
_work = metrics.get_meter("counted").create_counter("work", description="Tasks handled")
_tracer = trace.get_tracer("counted")


@app.task  # type: ignore[untyped-decorator]
def work(number: int) -> None:
    with _tracer.start_as_current_span(f"task {number}"):
        _ledger.write(f"{os.getpid()} {number}")
        _work.add(1, {"kind": "task"})


@app.task  # type: ignore[untyped-decorator]
def work_long(number: int) -> None:
    work(number)
    time.sleep(60)

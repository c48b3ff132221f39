"""The FastAPI counterpart of `counted`."""

from __future__ import annotations

import logging
import os

from fastapi import FastAPI
from opentelemetry import metrics

from tests.ledger import Ledger

app = FastAPI()
_ledger = Ledger(os.environ["LEDGER"])
_work = metrics.get_meter("counted").create_counter("work", description="Requests handled")
_logger = logging.getLogger("counted")


@app.get("/work")
async def work() -> int:
    _ledger.write(f"{os.getpid()}")
    _work.add(1, {"kind": "request"})
    return os.getpid()


@app.get("/logged/{name}")
def logged(name: str) -> str:
    _logger.warning("handled %s", name)
    _ledger.write(f"{os.getpid()} {name}")
    return name


@app.get("/fail")
async def fail() -> None:
    raise ValueError("fail")

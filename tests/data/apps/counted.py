"""A Flask application that counts each request twice: by an OpenTelemetry counter, and in a ledger of its own."""

from __future__ import annotations

import logging
import os

from flask import Flask
from opentelemetry import metrics

from tests.ledger import Ledger

app = Flask(__name__)
_ledger = Ledger(os.environ["LEDGER"])
_work = metrics.get_meter("counted").create_counter("work", description="Requests handled")
_logger = logging.getLogger("counted")


@app.get("/work")
def work() -> str:
    _ledger.write(f"{os.getpid()}")
    _work.add(1, {"kind": "request"})
    return f"{os.getpid()}"


@app.get("/logged/<name>")
def logged(name: str) -> str:
    _logger.warning("handled %s", name)
    _ledger.write(f"{os.getpid()} {name}")
    return name

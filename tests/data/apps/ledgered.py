"""A Flask application that keeps books of its own: one byte in a file for each answer that left the request hook."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from flask import Flask
from opentelemetry.metrics import get_meter

app = Flask(__name__)
# Append-only and one byte an answer: exact with any number of processes, and independent of any telemetry.
ledger = os.open(os.environ["LEDGER"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
jobs = get_meter("ledgered").create_counter("jobs")


@app.get("/work")
def work() -> str:
    jobs.add(1, {"kind": "a"})
    return str(os.getpid())


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Stand outside of the hook, where the server is: what comes by here has been counted by it."""
    body = app(environ, start_response)
    return _entered(body) if environ["PATH_INFO"] == "/work" else body


def _entered(body: Iterable[bytes]) -> Iterator[bytes]:
    try:
        for chunk in body:
            os.write(ledger, b"x")
            yield chunk
    finally:
        body.close()  # type: ignore[attr-defined]

"""A Flask application with an observable instrument, for the tests of several processes."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Iterable

from flask import Flask
from opentelemetry.metrics import CallbackOptions, Observation, get_meter

app = Flask(__name__)
meter = get_meter("observed")
jobs = meter.create_counter("jobs")
sizes = meter.create_histogram("sizes", explicit_bucket_boundaries_advisory=[1, 2, 4])
numbers = itertools.count()


def level(_: CallbackOptions) -> Iterable[Observation]:
    return [Observation(7, {"worker": str(os.getpid())})]


meter.create_observable_gauge("level", [level])


@app.get("/")
def index() -> str:
    time.sleep(0.005)  # long enough for the next request to find another worker
    jobs.add(1)
    sizes.record(next(numbers) % 8 / 2)
    return str(os.getpid())

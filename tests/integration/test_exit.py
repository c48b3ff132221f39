"""The end of a process whose receiver takes nothing: within its time, with one line of what was not delivered."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.drive import send
from tests.integration.test_servers_endings import LONG, logs, spans
from tests.otlp import GrpcReceiver, Kept, Receiver
from tests.processes import AppProcess
from tests.served import ASGI, WSGI, Served
from tests.support import free_port

# The promise, and what a busy machine may take to end an interpreter.
BOUND = 3.0 + 4.0
PROGRAM = """
import logging, signal, sys, time
from opentelemetry import metrics, trace

{before}
tracer = trace.get_tracer("test")
metrics.get_meter("test").create_counter("work").add(1)
for number in range(100):
    tracer.start_span("work").end()
    logging.getLogger("test").info("number %d", number)
print("ready", flush=True)
{end}
"""
ENDS = {
    "by itself": "",
    "sys.exit": "sys.exit(5)",
    "an exception": "raise SystemError('wanted')",
    "SIGTERM": "time.sleep(60)",
    "SIGINT": "time.sleep(60)",
    "its own handler": "time.sleep(60)",
}
STATUS = {"sys.exit": 5, "an exception": 1, "SIGTERM": -signal.SIGTERM, "SIGINT": -signal.SIGINT, "its own handler": 6}
TOLD = re.compile(r"otel_distro: process \d+ ends and has not delivered (.*)\n")


@pytest.fixture(params=["http/protobuf", "grpc"])
def receiver(request: pytest.FixtureRequest) -> Iterator[Receiver | GrpcReceiver]:
    with GrpcReceiver() if request.param == "grpc" else Receiver() as receiver:
        yield receiver


def started(receiver: Kept, end: str, endpoint: str = "", **env: str) -> AppProcess:
    before = "signal.signal(signal.SIGTERM, lambda *_: sys.exit(6))" if end == "its own handler" else ""
    settings = {
        **LONG,
        "OTEL_SERVICE_NAME": "test",
        "OTEL_METRICS_EXPORTER": "otlp",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc" if isinstance(receiver, GrpcReceiver) else "http/protobuf",
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint or receiver.endpoint,
        **env,
    }
    words = ["opentelemetry-instrument", "python", "-c", PROGRAM.format(before=before, end=ENDS[end])]
    return AppProcess(words, settings)


def ended(app: AppProcess, end: str, bound: float = BOUND) -> list[str]:
    """End the program as named, hold it to the bound, and return what it told of what was not delivered."""
    app.wait_for_output("ready")
    begun = time.monotonic()
    if end in ("SIGTERM", "its own handler"):
        app.signal(signal.SIGTERM)
    elif end == "SIGINT":
        app.signal(signal.SIGINT)
    status = app.wait(20)
    assert time.monotonic() - begun < bound, app.report
    assert status == STATUS.get(end, 0), app.report
    assert "Transient" not in app.output
    assert "does not take" not in app.output
    return TOLD.findall(app.stderr)


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("mode", ["refused", "hang"])
def test_a_program_ends_in_time_and_tells_in_one_line_what_was_not_delivered(
    receiver: Receiver | GrpcReceiver, mode: str, end: str
) -> None:
    receiver.mode = mode
    endpoint = f"http://127.0.0.1:{free_port()}" if mode == "refused" else receiver.endpoint
    with started(receiver, end, endpoint) as app:
        [told] = ended(app, end)
        assert "100 spans" in told
        assert "100 log records" in told
        assert re.search(r"[1-9]\d* metric points", told)
        assert endpoint.removeprefix("http://") in told
        assert ("onnection refused" if mode == "refused" else "no answer in time") in told or mode == "hang"


@pytest.mark.parametrize("mode", ["drip", "close", "garbage", "503"])
@pytest.mark.parametrize("end", ["by itself", "SIGTERM"])
def test_no_way_to_answer_holds_the_end(mode: str, end: str) -> None:
    with Receiver() as receiver:
        receiver.mode = mode
        with started(receiver, end) as app:
            [told] = ended(app, end)
            assert "100 spans" in told
            assert "100 log records" in told


@pytest.mark.parametrize("end", ["by itself", "SIGTERM"])
def test_a_slow_receiver_that_works_gets_all(receiver: Receiver | GrpcReceiver, end: str) -> None:
    receiver.mode = "slow"
    with started(receiver, end, OTEL_BSP_MAX_EXPORT_BATCH_SIZE="20", OTEL_BLRP_MAX_EXPORT_BATCH_SIZE="20") as app:
        assert ended(app, end) == []
        assert len(spans(receiver)) == 100
        assert len(logs(receiver)) == 100
        assert receiver.metrics


def test_a_receiver_that_comes_back_in_time_gets_all(receiver: Receiver | GrpcReceiver) -> None:
    receiver.mode = "unavailable" if isinstance(receiver, GrpcReceiver) else "503"
    with started(receiver, "SIGTERM", OTEL_DISTRO_EXIT_TIMEOUT="20") as app:
        app.wait_for_output("ready")
        app.signal(signal.SIGTERM)
        before = receiver.requests
        while receiver.requests < before + 4:  # it goes on trying
            time.sleep(0.05)
        receiver.mode = "ok"
        assert app.wait(30) == -signal.SIGTERM
        assert "has not delivered" not in app.output
        assert (len(spans(receiver)), len(logs(receiver))) == (100, 100)


def test_the_time_is_a_variable(receiver: Receiver | GrpcReceiver) -> None:
    receiver.mode = "hang"
    with started(receiver, "by itself", OTEL_DISTRO_EXIT_TIMEOUT="0") as app:
        assert len(ended(app, "by itself", BOUND - 3)) == 1


@pytest.mark.parametrize("kind", ["gunicorn", "uvicorn"])
def test_servers_end_in_time_and_each_worker_tells_what_it_has_not_delivered(tmp_path: Path, kind: str) -> None:
    with Receiver() as receiver:
        receiver.mode = "hang"
        served = Served(tmp_path)
        served.env.update(LONG, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.endpoint)
        address = f"127.0.0.1:{served.port}"
        commands = {"gunicorn": ["-b", address, WSGI], "uvicorn": ["--port", str(served.port), ASGI]}
        with served.started(kind, *commands[kind]) as app:
            assert send(served.url, 50).answers == {200: 50}
            begun = time.monotonic()
            app.signal(signal.SIGTERM)
            app.wait(30)
            # gunicorn's own end comes after its workers', and has its time too.
            assert time.monotonic() - begun < BOUND * (2 if kind == "gunicorn" else 1)
            told = TOLD.findall(app.stderr)
            assert len([line for line in told if "51 spans" in line]) == 1, app.report
            assert len(told) <= 2

"""The end of a process whose receiver takes nothing: within its time, with one line of what was not delivered."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from tests.drive import send
from tests.integration.test_servers_endings import LONG, logs, spans
from tests.otlp import GrpcReceiver, Kept, Receiver
from tests.processes import AppProcess
from tests.served import ASGI, WSGI, Served
from tests.support import free_port, wait_until
from tests.watch import Watch

# The promise, and what a busy machine may take to end an interpreter.
BOUND = 3.0 + 4.0
# A machine that stands still for the whole time would leave no attempt in it, and so no reason to tell.
REFUSED = 10.0
PROGRAM = """
import logging, pathlib, signal, sys, time
from opentelemetry import metrics, trace

{before}
tracer = trace.get_tracer("test")
metrics.get_meter("test").create_counter("work").add(1)
for number in range(100):
    tracer.start_span("work").end()
    logging.getLogger("test").info("number %d", number)
print("ready", flush=True)
for _ in range(6000):
    if pathlib.Path({go!r}).exists():
        break
    time.sleep(0.01)
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
SIGNALS = {"SIGTERM": signal.SIGTERM, "SIGINT": signal.SIGINT, "its own handler": signal.SIGTERM}
STATUS = {"sys.exit": 5, "an exception": 1, "SIGTERM": -signal.SIGTERM, "SIGINT": -signal.SIGINT, "its own handler": 6}
TOLD = re.compile(r"otel_distro: process \d+ ends and has not delivered (.*)\n")


@dataclass(frozen=True)
class Ended:
    """How a program ended, and what it wrote."""

    kind: str
    status: int
    seconds: float
    stderr: str
    output: str
    endpoint: str

    def told(self, bound: float = BOUND) -> list[str]:
        """Hold the end to the bound and to its kind, and return what was told of what was not delivered."""
        assert self.seconds < bound, self.output
        assert self.status == STATUS.get(self.kind, 0), self.output
        assert "Transient" not in self.output
        assert "does not take" not in self.output
        return TOLD.findall(self.stderr)


@pytest.fixture(params=["http/protobuf", "grpc"])
def receiver(request: pytest.FixtureRequest) -> Iterator[Receiver | GrpcReceiver]:
    with GrpcReceiver() if request.param == "grpc" else Receiver() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., dict[str, Ended]]:
    """Give the end of each program of one receiver, by its kind: most of an end is waiting, so they wait together."""

    @cache
    def end(protocol: str, mode: str, *ends: str) -> dict[str, Ended]:
        folder = tmp_path_factory.mktemp("together")
        with GrpcReceiver() if protocol == "grpc" else Receiver() as receiver:
            receiver.mode = mode
            if mode != "refused":
                return ended(receiver, folder, *ends)
            refused = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{free_port()}"}
            return ended(receiver, folder, *ends, **refused, OTEL_DISTRO_EXIT_TIMEOUT=f"{REFUSED:g}")

    return end


def started(receiver: Kept, folder: Path, end: str, **env: str) -> AppProcess:
    """Start the program that ends in this way, by itself as soon as the file `go` is in the folder."""
    before = "signal.signal(signal.SIGTERM, lambda *_: sys.exit(6))" if end == "its own handler" else ""
    settings = {
        **LONG,
        "OTEL_SERVICE_NAME": "test",
        "OTEL_METRICS_EXPORTER": "otlp",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc" if isinstance(receiver, GrpcReceiver) else "http/protobuf",
        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.endpoint,
        **env,
    }
    program = PROGRAM.format(before=before, end=ENDS[end], go=str(folder / "go"))
    return AppProcess(["opentelemetry-instrument", "python", "-c", program], settings)


def ended(receiver: Kept, folder: Path, *ends: str, **env: str) -> dict[str, Ended]:
    """Start a program for each kind of end, end all at the same moment, and return how each did."""
    with ExitStack() as running:
        apps = {end: running.enter_context(started(receiver, folder, end, **env)) for end in ends}
        for app in apps.values():
            app.wait_for_output("ready\n")
        watch = running.enter_context(Watch())
        (folder / "go").touch()
        for end in SIGNALS.keys() & apps.keys():
            apps[end].signal(SIGNALS[end])
        endpoint = env.get("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint)
        return {
            end: Ended(end, app.wait(), watch.seconds, app.stderr, app.report, endpoint) for end, app in apps.items()
        }


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("mode", ["refused", "hang"])
def test_a_program_ends_in_time_and_tells_in_one_line_what_was_not_delivered(
    together: Callable[..., dict[str, Ended]], protocol: str, mode: str, end: str
) -> None:
    result = together(protocol, mode, *ENDS)[end]
    [told] = result.told(REFUSED + 4.0 if mode == "refused" else BOUND)
    assert "100 spans" in told
    assert "100 log records" in told
    assert re.search(r"[1-9]\d* metric points", told)
    assert result.endpoint.removeprefix("http://") in told
    assert "onnection refused" in told or mode == "hang"


@pytest.mark.parametrize("mode", ["drip", "close", "garbage", "503"])
@pytest.mark.parametrize("end", ["by itself", "SIGTERM"])
def test_no_way_to_answer_holds_the_end(together: Callable[..., dict[str, Ended]], mode: str, end: str) -> None:
    [told] = together("http/protobuf", mode, "by itself", "SIGTERM")[end].told()
    assert "100 spans" in told
    assert "100 log records" in told


@pytest.mark.parametrize("end", ["by itself", "SIGTERM"])
def test_a_slow_receiver_that_works_gets_all(receiver: Receiver | GrpcReceiver, tmp_path: Path, end: str) -> None:
    receiver.mode = "slow"
    small = {"OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "20", "OTEL_BLRP_MAX_EXPORT_BATCH_SIZE": "20"}
    small["OTEL_DISTRO_EXIT_TIMEOUT"] = "60"  # what it takes is held to the bound by a watch that knows of stalls
    assert ended(receiver, tmp_path, end, **small)[end].told() == []
    assert len(spans(receiver)) == 100
    assert len(logs(receiver)) == 100
    assert receiver.metrics


def test_a_receiver_that_comes_back_in_time_gets_all(receiver: Receiver | GrpcReceiver, tmp_path: Path) -> None:
    receiver.mode = "unavailable" if isinstance(receiver, GrpcReceiver) else "503"
    with started(receiver, tmp_path, "SIGTERM", OTEL_DISTRO_EXIT_TIMEOUT="60") as app:
        app.wait_for_output("ready\n")
        app.signal(signal.SIGTERM)
        before = receiver.requests
        wait_until(lambda: receiver.requests >= before + 4, what="further attempts")
        receiver.mode = "ok"
        assert app.wait() == -signal.SIGTERM
        assert "has not delivered" not in app.output
        assert (len(spans(receiver)), len(logs(receiver))) == (100, 100)


def test_the_time_is_a_variable(receiver: Receiver | GrpcReceiver, tmp_path: Path) -> None:
    receiver.mode = "hang"
    result = ended(receiver, tmp_path, "by itself", OTEL_DISTRO_EXIT_TIMEOUT="0")["by itself"]
    assert len(result.told(BOUND - 3)) == 1


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
            with Watch() as watch:
                app.signal(signal.SIGTERM)
                app.wait()
                # gunicorn's own end comes after its workers', and has its time too.
                assert watch.seconds < BOUND * (2 if kind == "gunicorn" else 1)
            told = TOLD.findall(app.stderr)
            assert len([line for line in told if "51 spans" in line]) == 1, app.report
            assert len(told) <= 2


def test_who_asks_a_second_time_need_not_wait_and_is_told_all_the_same(
    receiver: Receiver | GrpcReceiver, tmp_path: Path
) -> None:
    receiver.mode = "hang"
    with started(receiver, tmp_path, "SIGINT", OTEL_DISTRO_EXIT_TIMEOUT="600") as app:
        app.wait_for_output("ready\n")
        app.signal(signal.SIGINT)
        wait_until(lambda: receiver.requests > 0, what="the end to have begun")
        app.signal(signal.SIGINT)
        assert app.wait() == -signal.SIGINT
        [told] = TOLD.findall(app.stderr)
        assert "100 spans" in told
        assert "100 log records" in told
        assert "Exception ignored" not in app.stderr


def test_a_program_that_gevent_takes_over_after_the_start_ends_without_a_word_and_sends_all() -> None:
    # The connection is made at the end, when Python 3.12 and later start no thread any more, as gevent's sockets do.
    program = "from gevent import monkey; monkey.patch_all(); import logging; logging.getLogger('test').warning('last')"
    with Receiver() as receiver:
        env = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.endpoint, "OTEL_EXPORTER_PROMETHEUS_PORT": str(free_port())}
        with AppProcess(["otel-distro", "run", "python", "-c", program], env) as app:
            assert app.wait() == 0
            assert app.output == "last\n"
        assert len(logs(receiver)) == 1

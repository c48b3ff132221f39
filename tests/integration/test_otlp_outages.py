"""A receiver that is down, hangs or answers nonsense: the application goes on, what is lost is counted to the unit."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.drive import send
from tests.integration.test_servers_endings import logs, spans
from tests.otlp import GrpcReceiver, Receiver
from tests.processes import AppProcess
from tests.served import WSGI, Served
from tests.support import wait_until

# Small queues that overflow, time-outs that give up: all ways to lose something come by. The time-out is not so short
# that a receiver on a busy machine is taken for one that hangs.
SMALL = {
    "OTEL_BSP_SCHEDULE_DELAY": "50", "OTEL_BSP_MAX_QUEUE_SIZE": "60", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "20",
    "OTEL_BLRP_SCHEDULE_DELAY": "50", "OTEL_BLRP_MAX_QUEUE_SIZE": "60", "OTEL_BLRP_MAX_EXPORT_BATCH_SIZE": "20",
    "OTEL_EXPORTER_OTLP_TIMEOUT": "5",
}  # fmt: skip

LARGE = {"OTEL_BSP_MAX_QUEUE_SIZE": "2048", "OTEL_BLRP_MAX_QUEUE_SIZE": "2048", "OTEL_EXPORTER_OTLP_TIMEOUT": "10"}


@pytest.fixture(params=["http/protobuf", "grpc"])
def receiver(request: pytest.FixtureRequest) -> Iterator[Receiver | GrpcReceiver]:
    with GrpcReceiver() if request.param == "grpc" else Receiver() as receiver:
        yield receiver


class Outage:
    """An application with a receiver, and three counts: what it made, what arrived, what it says it has dropped."""

    def __init__(self, folder: Path, receiver: Receiver | GrpcReceiver) -> None:
        self.receiver = receiver
        self.served = Served(folder)
        self.served.url = self.served.url.replace("/work", "/logged/it")
        self.lines = folder / "x.log"
        protocol = "grpc" if isinstance(receiver, GrpcReceiver) else "http/protobuf"
        self.served.env.update(
            SMALL,
            OTEL_EXPORTER_OTLP_ENDPOINT=receiver.endpoint,
            OTEL_EXPORTER_OTLP_PROTOCOL=protocol,
            OTEL_DISTRO_LOG_FILE=str(self.lines),
        )

    def started(self) -> AppProcess:
        # One process, many threads: what it says, it says once.
        return self.served.started("flask", "--app", WSGI, "run", "--port", str(self.served.port))

    def made(self) -> dict[str, int]:
        whole, _, _ = self.lines.read_bytes().rpartition(b"\n")  # a line may be half written at this moment
        documents = map(json.loads, whole.splitlines())
        # What the package says of the outage itself is not exported.
        records = [document for document in documents if document["logger"] != "otel_distro"]
        return {"traces": len(self.served.ledger.entries()), "logs": len(records)}

    def arrived(self) -> dict[str, int]:
        return {"traces": len(spans(self.receiver)), "logs": len(logs(self.receiver))}

    def dropped(self, **labels: str) -> dict[str, int]:
        page = self.served.page
        return {
            signal: int(page.total("otel_distro_export_dropped_total", signal=signal, **labels))
            for signal in ("traces", "logs")
        }

    def check(self) -> dict[str, int]:
        """Wait until everything is accounted for, and return what was dropped."""

        def balanced() -> bool:
            arrived, dropped = self.arrived(), self.dropped()
            return all(made == arrived[signal] + dropped[signal] for signal, made in self.made().items())

        wait_until(balanced, 60, what=lambda: f"{self.made()} to be {self.arrived()} and {self.dropped()}")
        return self.dropped()


def begun(app: AppProcess) -> int:
    return app.output.count("does not take")


def ended(app: AppProcess) -> int:
    return app.output.count(" again after ")


MODES = [
    *(("http/protobuf", mode) for mode in ("hang", "close", "garbage", "308", "500", "400", "429", "503")),
    *(("grpc", mode) for mode in ("hang", "unavailable", "invalid_argument", "resource_exhausted", "internal")),
]


@pytest.mark.parametrize(("receiver", "mode"), MODES, indirect=["receiver"])
def test_a_misbehaving_receiver_costs_what_is_counted_and_no_request(
    tmp_path: Path, receiver: Receiver | GrpcReceiver, mode: str
) -> None:
    outage = Outage(tmp_path, receiver)
    with outage.started() as app:
        assert outage.check() == {"traces": 0, "logs": 0}
        receiver.mode = mode
        assert send(outage.served.url, 400).answers == {200: 400}
        wait_until(lambda: begun(app) > 0, what="an attempt that is given up")
        receiver.mode = "ok"
        receiver.released.set()

        def recovered() -> bool:
            assert send(outage.served.url, 1).answers == {200: 1}
            return begun(app) > 0 and ended(app) > 0

        wait_until(recovered, what="the line of the recovery", every=0.2)
        dropped = outage.check()
        assert min(dropped.values()) > 0
        # At most one a signal: an endpoint may refuse one and take the other.
        assert ended(app) <= begun(app) <= 2
        assert "Transient error" not in app.output
        assert "Failed to export" not in app.output
        assert "Traceback" not in app.output


def test_what_a_receiver_rejects_of_a_batch_is_counted(tmp_path: Path, receiver: Receiver | GrpcReceiver) -> None:
    receiver.mode = "partial"
    outage = Outage(tmp_path, receiver)
    outage.served.env.update(LARGE)
    with outage.started() as app:
        send(outage.served.url, 100)
        dropped = outage.check()
        assert dropped == outage.dropped(reason="rejected")
        assert sum(dropped.values()) == receiver.requests
        assert "one too many" in app.output


def test_a_body_that_is_none_loses_nothing(tmp_path: Path) -> None:
    with Receiver() as receiver:
        receiver.mode = "nonsense"
        outage = Outage(tmp_path, receiver)
        outage.served.env.update(LARGE)
        with outage.started() as app:
            send(outage.served.url, 100)
            assert outage.check() == {"traces": 0, "logs": 0}
            assert "does not take" not in app.output


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_nobody_at_the_endpoint_is_one_warning(tmp_path: Path, protocol: str) -> None:
    with Receiver() as receiver, socket.socket() as kept:
        kept.bind(("127.0.0.1", 0))  # and does not listen; nobody else gets the port meanwhile
        outage = Outage(tmp_path, receiver)
        outage.served.env.update(
            OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{kept.getsockname()[1]}",
            OTEL_EXPORTER_OTLP_PROTOCOL=protocol,
            OTEL_EXPORTER_OTLP_TIMEOUT="1",
        )
        with outage.started() as app:
            assert send(outage.served.url, 400).answers == {200: 400}
            app.wait_for_output("does not take")
            outage.check()
            [warning] = [line for line in app.output.splitlines() if "does not take" in line]
            assert "onnection refused" in warning


def test_spans_that_are_too_much_for_one_request_come_in_several(receiver: Receiver | GrpcReceiver) -> None:
    program = """
from opentelemetry.trace import get_tracer
for _ in range(600):  # 5.4 MB, and a receiver by gRPC takes 4 MiB
    get_tracer("test").start_span("query", attributes={"db.query.text": "x" * 9000}).end()
"""
    env = {
        **LARGE,
        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.endpoint,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc" if isinstance(receiver, GrpcReceiver) else "http/protobuf",
        "OTEL_METRICS_EXPORTER": "none",
        "OTEL_DISTRO_EXIT_TIMEOUT": "60",
    }
    with AppProcess(["opentelemetry-instrument", "python", "-c", program], env) as app:
        assert app.wait() == 0
        assert "not delivered" not in app.output
        assert "does not take" not in app.output
    assert len(spans(receiver)) == 600

"""What is known of an exporter's requests, over real sockets; and the words for what went wrong."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from time import monotonic
from types import SimpleNamespace
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk.trace import TracerProvider

from otel_distro.delivery import attempts as module
from otel_distro.delivery.attempts import Attempt, Attempts
from otel_distro.delivery.plain_http import PlainResult, PlainTransport
from tests.otlp import GrpcReceiver, Receiver
from tests.support import free_port


def a_span() -> Any:
    span = TracerProvider(shutdown_on_exit=False).get_tracer("test").start_span("work")
    span.end()
    return span


def attempted(receiver: Receiver | GrpcReceiver, mode: str) -> Attempt | None:
    receiver.mode = mode
    grpc = isinstance(receiver, GrpcReceiver)
    exporter: Any = GrpcExporter(receiver.endpoint) if grpc else HttpExporter(f"{receiver.endpoint}/v1/traces")
    attempts = Attempts("traces", exporter)
    assert attempts.endpoint == receiver.endpoint.removeprefix("http://")
    # Only where no answer comes the time is to be over.
    attempts.hurry(monotonic() + (0.5 if mode == "hang" else 60))
    exporter.export([a_span()])
    exporter.shutdown()
    return attempts.last


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("ok", Attempt(True)),
        ("nonsense", Attempt(True)),
        ("partial", Attempt(True, "one too many", rejected=1)),
        ("308", Attempt(False, "308 Permanent Redirect to https://elsewhere:4318: give that as the endpoint")),
        ("302", Attempt(False, "302 Found")),
        ("400", Attempt(False, "400 Bad Request")),
        ("503", Attempt(False, "503 Service Unavailable", again=True)),
        ("hang", Attempt(False, "no answer in time", again=True)),
    ],
)
def test_each_answer_over_http_is_known(mode: str, expected: Attempt) -> None:
    with Receiver() as receiver:
        assert attempted(receiver, mode) == expected


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("ok", Attempt(True)),
        ("partial", Attempt(True, "one too many", rejected=1)),
        ("invalid_argument", Attempt(False, "INVALID_ARGUMENT: as the test wants it")),
        ("unavailable", Attempt(False, "UNAVAILABLE: as the test wants it", again=True)),
    ],
)
def test_each_answer_over_grpc_is_known(mode: str, expected: Attempt) -> None:
    with GrpcReceiver() as receiver:
        assert attempted(receiver, mode) == expected


def test_the_connection_that_an_exporter_over_grpc_makes_after_a_failure_is_watched_as_well() -> None:
    with GrpcReceiver() as receiver:
        exporter: Any = GrpcExporter(receiver.endpoint)
        attempts = Attempts("traces", exporter)
        attempts.hurry(monotonic() + 60)
        said = []
        for receiver.mode in ("unavailable", "partial"):
            exporter.export([a_span()])
            said.append(attempts.last)
        exporter.shutdown()
    assert said == [
        Attempt(False, "UNAVAILABLE: as the test wants it", again=True),
        Attempt(True, "one too many", rejected=1),
    ]


def test_nobody_there_is_said_in_the_systems_words() -> None:
    exporter = HttpExporter(f"http://user:secret@127.0.0.1:{free_port()}/v1/traces")
    attempts = Attempts("traces", exporter)
    attempts.hurry(monotonic() + 60)
    exporter.export([a_span()])
    assert attempts.last == Attempt(False, "Connection refused", again=True)
    assert "secret" not in attempts.endpoint


@pytest.mark.parametrize(
    ("endpoint", "token", "shown"),
    [
        ("http://127.0.0.1:9/v1/traces", "Bearer secret\nsecret", "127.0.0.1:9"),
        ("https://127.0.0.1:9/v1/traces", "Bearer secret\nsecret", "127.0.0.1:9"),
        ("me:secret@127.0.0.1:9/v1/traces", "", "127.0.0.1:9"),
        ("http://me:secret@127.0.0.1:99999/v1/traces", "", "127.0.0.1:99999"),
        ("http://me:sec/ret@collector:4318/v1/traces", "", "me"),
    ],
)
def test_what_cannot_be_sent_is_said_without_what_is_secret_in_it(endpoint: str, token: str, shown: str) -> None:
    plain: dict[str, Any] = {"_transport": PlainTransport()} if endpoint.startswith("http://127.0.0.1:9/") else {}
    exporter = HttpExporter(endpoint, headers={"authorization": token or "x"}, **plain)
    attempts = Attempts("traces", exporter)
    exporter.export([a_span()])
    assert attempts.last is not None
    assert attempts.endpoint == shown
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" in attempts.last.why
    assert not attempts.last.again
    assert "sec" not in attempts.last.why


def test_a_grpc_receiver_that_cannot_be_found_is_named_without_the_password() -> None:
    exporter = GrpcExporter("http://me:secret@127.0.0.1:9")
    attempts = Attempts("traces", exporter)
    attempts.hurry(monotonic() + 60)
    exporter.export([a_span()])
    exporter.shutdown()
    assert attempts.last is not None
    assert "127.0.0.1:9" in attempts.last.why
    assert "secret" not in attempts.last.why + attempts.endpoint


@pytest.mark.parametrize("endpoint", ["localhost:4318", "user:secret@localhost:4318", "localhost", "http://:4318"])
def test_an_endpoint_that_is_no_url_is_said_with_the_mend_and_without_what_may_be_secret(endpoint: str) -> None:
    exporter = HttpExporter(f"{endpoint}/v1/traces")
    attempts = Attempts("traces", exporter)
    attempts.hurry(monotonic() + 60)
    exporter.export([a_span()])
    assert attempts.last is not None
    why = "the endpoint is no URL; give one as in http://localhost:4318 (OTEL_EXPORTER_OTLP_ENDPOINT)"
    assert attempts.last.why == why


def test_an_exporter_of_another_make_is_left_as_it_is() -> None:
    assert (Attempts("logs", object()).last, Attempts("logs", object()).endpoint) == (None, "")


def http_like(request: Callable[..., Any]) -> Any:
    """Return what keeps its parts as the exporters over HTTP do; `request` answers."""
    return SimpleNamespace(
        _client=SimpleNamespace(_transport=SimpleNamespace(request=request), _shutdown_event=threading.Event())
    )


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (200, Attempt(True)),
        (299, Attempt(True)),
        (300, Attempt(False, "300 Said to https://there: give that as the endpoint")),
        (399, Attempt(False, "399 Said to https://there: give that as the endpoint")),
        (400, Attempt(False, "400 Said")),
        (429, Attempt(False, "429 Said", again=True)),
        (500, Attempt(False, "500 Said")),
        (502, Attempt(False, "502 Said", again=True)),
        (503, Attempt(False, "503 Said", again=True)),
        (504, Attempt(False, "504 Said", again=True)),
        (505, Attempt(False, "505 Said")),
    ],
)
def test_a_status_says_whether_a_request_arrived_may_be_sent_again_or_has_another_place(
    status: int, expected: Attempt
) -> None:
    exporter = http_like(lambda **_: PlainResult(status, "Said", headers={"Location": "https://there/v1/traces"}))
    attempts = Attempts("traces", exporter)
    assert exporter._client._transport.request().status_code == status
    assert attempts.last == expected


def test_no_receiver_rejects_less_than_nothing() -> None:
    said = ExportTraceServiceResponse()
    said.partial_success.rejected_spans = -3
    exporter = http_like(lambda **_: PlainResult(200, "OK", body=said.SerializeToString()))
    attempts = Attempts("traces", exporter)
    exporter._client._transport.request()
    assert attempts.last == Attempt(True)


def test_why_a_part_was_rejected_is_told_in_one_short_line_without_what_is_secret() -> None:
    said = ExportTraceServiceResponse()
    said.partial_success.rejected_spans = 1
    said.partial_success.error_message = "no room for\nwho has Bearer hunter2" + "!" * 300
    exporter = http_like(lambda **_: PlainResult(200, "OK", body=said.SerializeToString()))
    exporter._headers = {"authorization": "Bearer hunter2"}
    attempts = Attempts("traces", exporter)
    exporter._client._transport.request()
    assert attempts.last == Attempt(True, "no room for who has [redacted]" + "!" * 167 + "...", rejected=1)


@pytest.mark.parametrize(("most", "seconds"), [(60.0, 0.1), (0.1, 60.0)])
def test_a_fork_waits_for_a_call_by_grpc_but_not_for_one_that_lasts(
    most: float, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_CALL", most)
    attempts, begun, end, answered = Attempts("traces", object()), threading.Event(), threading.Event(), list[bool]()

    def export(**_: object) -> object:
        begun.set()
        end.wait(seconds)
        answered.append(True)
        return object()

    thread = threading.Thread(target=attempts.call, args=(export, None, None, None))
    thread.start()
    assert begun.wait(10)
    child = os.fork()
    if child == 0:
        os._exit(len(answered))
    end.set()
    thread.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == (seconds < most)


def test_an_answer_over_grpc_that_tells_no_parts_says_that_all_arrived() -> None:
    attempts = Attempts("traces", object())
    attempts.call(lambda **_: object(), None, None, None)
    assert attempts.last == Attempt(True)


def test_a_request_has_the_exporters_time_and_at_a_deadline_what_is_left_of_it() -> None:
    given: list[Any] = []

    def answered(*, timeout: float | None) -> PlainResult:
        given.append(timeout)
        return PlainResult(200)

    exporter = http_like(answered)
    attempts = Attempts("traces", exporter)

    def timeouts() -> list[Any]:
        given.clear()
        for timeout in (None, 5, 1000):
            exporter._client._transport.request(timeout=timeout)
        return given

    assert timeouts() == [None, 5, 1000]
    assert (attempts.hurried, attempts.ending) == (False, False)
    attempts.hurry(monotonic() + 500)
    assert (attempts.hurried, attempts.ending) == (True, True)
    left, of_five, of_many = timeouts()
    assert (400 < left <= 500, of_five, 400 < of_many <= 500) == (True, 5, True)
    attempts.hurry(monotonic())
    assert timeouts() == [0.01, 0.01, 0.01]
    assert (attempts.hurried, attempts.ending) == (False, True)
    attempts.relax()
    assert timeouts() == [None, 5, 1000]
    assert (attempts.hurried, attempts.ending) == (False, False)


def test_between_two_attempts_an_exporter_waits_but_for_a_deadline_or_its_end() -> None:
    exporter = http_like(lambda **_: PlainResult(200))
    attempts = Attempts("traces", exporter)
    pause = exporter._client._shutdown_event
    ended: list[bool] = []
    for end in (lambda: attempts.hurry(monotonic() + 60), pause.set):
        begin = monotonic()
        assert not pause.wait(0.02)
        assert monotonic() - begin >= 0.02
        waits = threading.Thread(target=lambda: ended.append(pause.wait(600)))
        waits.start()
        end()
        waits.join(60)
        end()
        assert pause.wait()
        assert pause.is_set()
        attempts.relax()
    assert ended == [True, True]

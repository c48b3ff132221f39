"""What is known of an exporter's requests, over real sockets; and the words for what went wrong."""

from __future__ import annotations

from time import monotonic
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter
from opentelemetry.sdk.trace import TracerProvider

from otel_distro.delivery.attempts import Attempt, Attempts
from otel_distro.delivery.plain_http import PlainTransport
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

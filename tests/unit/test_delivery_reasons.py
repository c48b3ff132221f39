"""The words for what went wrong, and what does not stand in them."""

from __future__ import annotations

import socket
import ssl
import sys
from pathlib import Path
from time import monotonic
from types import SimpleNamespace
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter
from requests.exceptions import ReadTimeout

from otel_distro.delivery.attempts import Attempts
from otel_distro.delivery.plain_http import PlainResult, PlainTransport
from otel_distro.delivery.reasons import Reasons, elsewhere, place_of
from tests.otlp import Receiver
from tests.support import free_port


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (socket.gaierror(-2, "Name or service not known"), "Name or service not known"),
        (TimeoutError(), "no answer in time"),
        (ValueError("a\nb"), "ValueError: a b"),
        (ValueError("a\x1b[2Jb\u202ec"), "ValueError: a?[2Jb?c"),
        (ReadTimeout("read timed out"), "no answer in time"),
        (RuntimeError("x" * 186), "RuntimeError: " + "x" * 186),
        (RuntimeError("x" * 187), "RuntimeError: " + "x" * 183 + "..."),
        (None, "no answer"),
    ],
)
def test_what_went_wrong_is_one_short_line(error: BaseException | None, words: str) -> None:
    assert Reasons(object()).of(error) == words


def test_the_cause_of_the_cause_says_more() -> None:
    error = RuntimeError("a long story")
    error.__cause__ = ConnectionRefusedError(111, "Connection refused")
    assert Reasons(object()).of(error) == "Connection refused"


def test_the_error_of_tls_that_another_one_holds_is_said() -> None:
    error = RuntimeError("a long story")
    error.__cause__ = RuntimeError(ssl.SSLError(1, "[SSL] alert certificate required"))
    assert Reasons(object()).of(error) == "[SSL] alert certificate required"


def test_a_file_of_authorities_without_one_is_said_with_its_variable(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    with pytest.raises(ssl.SSLError) as raised:
        ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
    assert Reasons(object()).of(RuntimeError(raised.value)) == (
        "the file of authorities (OTEL_EXPORTER_OTLP_CERTIFICATE) holds no certificate in PEM"
    )


@pytest.mark.parametrize(
    ("proxy", "words"),
    [
        ("http://user:hunter2@{}", "by the proxy: Tunnel connection failed: 501 Unsupported method"),
        ("http://user:hunter2@127.0.0.1:{}", "by the proxy: Connection refused"),
        ("hunter2::no url", "the proxy of the environment (HTTP_PROXY, HTTPS_PROXY, ALL_PROXY) is no URL"),
        ("socks5://user:hunter2@127.0.0.1:{}", "is of SOCKS: install requests[socks]"),
    ],
    ids=["refuses", "is not there", "no URL", "SOCKS"],
)
def test_what_a_proxy_does_is_said_of_the_proxy_and_not_of_the_receiver(
    proxy: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "")
    with Receiver() as refusing:
        place = refusing.endpoint.removeprefix("http://") if proxy.endswith("@{}") else str(free_port())
        monkeypatch.setenv("https_proxy", proxy.format(place))
        exporter = HttpExporter("https://collector.example:4318/v1/traces", timeout=0.5)
        attempts = Attempts("traces", exporter)
        exporter.export([])
    assert attempts.last is not None
    assert words in attempts.last.why
    assert "hunter2" not in attempts.last.why


def test_an_error_that_is_its_own_cause_is_said() -> None:
    error = RuntimeError("round and round")
    error.__cause__ = error
    assert Reasons(object()).of(error) == "RuntimeError: round and round"


def test_tls_that_gevent_broke_is_said_with_the_variable_that_has_it_come_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    error = RecursionError("maximum recursion depth exceeded")
    assert Reasons(object()).of(error) == "RecursionError: maximum recursion depth exceeded"
    monkeypatch.setitem(sys.modules, "gevent.monkey", sys)
    assert "set OTEL_PYTHON_AUTO_INSTRUMENTATION_EXPERIMENTAL_GEVENT_PATCH=patch_all" in Reasons(object()).of(error)


PLAIN: Any = PlainTransport()
SECRETS = {"authorization": "Basic hun\nter2", "x-tenant": "1"}


@pytest.mark.parametrize(
    ("exporter", "words"),
    [
        (
            HttpExporter(headers=SECRETS, _transport=PLAIN),
            "look at OTEL_EXPORTER_OTLP_ENDPOINT and OTEL_EXPORTER_OTLP_HEADERS",
        ),
        (HttpExporter(headers=SECRETS), "look at OTEL_EXPORTER_OTLP_ENDPOINT and OTEL_EXPORTER_OTLP_HEADERS"),
        (HttpExporter("user:hunter2@a:4318?key=hunter2"), "the endpoint is no URL"),
        (HttpExporter("http://user:hunter2@a:99999/v1/traces"), "the endpoint is no URL"),
        (HttpExporter("http://user:hunter2@[::1/v1/traces"), "the endpoint is no URL"),
        (GrpcExporter("http://a:4317", headers=SECRETS), "Invalid metadata"),
    ],
    ids=["plain", "requests", "no scheme", "wrong port", "no URL", "gRPC"],
)
def test_no_secret_of_headers_or_endpoint_is_told(exporter: Any, words: str) -> None:
    attempts = Attempts("traces", exporter)
    attempts.hurry(monotonic() + 60)
    exporter.export([])
    assert attempts.last is not None
    assert words in attempts.last.why
    assert "hun" not in attempts.last.why


def test_what_others_say_is_told_without_headers_and_without_what_an_endpoint_has_beside_its_place() -> None:
    exporter = HttpExporter("http://user:hunter2@a:4318/v1/traces?key=hunter2", headers=SECRETS)
    error = RuntimeError("no way to http://user:hunter2@a:4318/v1/traces?key=hunter2 with 'Basic hun\\nter2'")
    said = "RuntimeError: no way to http://[redacted]@a:4318/v1/traces?[redacted] with '[redacted]'"
    assert Reasons(exporter).of(error) == said


def test_headers_that_are_no_secrets_may_stand_in_what_is_told() -> None:
    headers = (("Content-Type", "application/x-protobuf"), ("content-encoding", "deflate"), ("User-Agent", "agent/1.0"))
    exporter = SimpleNamespace(_headers=(*headers, ("x-api-key", "hunter2")))
    said = "no application/x-protobuf in deflate from agent/1.0 with "
    assert Reasons(exporter).short(said + "hunter2") == said + "[redacted]"


@pytest.mark.parametrize("headers", [{}, {"Location": "/here"}, {"Location": "http://[::1"}, {"Location": 308}])
def test_a_redirection_that_leads_nowhere_is_said_without_a_place(headers: Any) -> None:
    assert elsewhere(PlainResult(308, headers=headers)) == ""


@pytest.mark.parametrize("place", ["collector", "collector:4318", "[::1]", "[::1]:4318"])
@pytest.mark.parametrize("way", ["http://{}/v1/traces", "{}", "http://user:pass:word@{}"])
def test_the_place_of_an_endpoint_is_its_host_and_port(place: str, way: str) -> None:
    assert place_of(way.format(place)) == place

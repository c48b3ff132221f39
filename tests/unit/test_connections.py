"""Connections of exporters before and after a fork, over a real socket."""

from __future__ import annotations

import gzip
import os
import ssl
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
import requests
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult
from requests.adapters import HTTPAdapter

from otel_distro.connections import keep_apart, session_of
from tests.certificates import Certificates
from tests.otlp import Receiver


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    monkeypatch.setattr(BaseHTTPRequestHandler, "protocol_version", "HTTP/1.1")  # connections stay open
    with Receiver() as receiver:
        yield receiver


def test_a_parent_and_its_children_that_send_at_once_each_arrive(receiver: Receiver) -> None:
    exporter = OTLPSpanExporter(f"{receiver.endpoint}/v1/traces")
    keep_apart(exporter)
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("test")

    def send(name: str, number: int) -> None:
        for index in range(number):
            tracer.start_span(f"{name} {index}").end()

    send("before", 1)
    pool = session_of(exporter).get_adapter(receiver.endpoint).poolmanager
    children = []
    for child in range(3):
        pid = os.fork()
        if pid == 0:
            send(f"child {child}", 50)
            adapter = session_of(exporter).get_adapter(receiver.endpoint)
            os._exit(adapter.poolmanager is pool or len(adapter._inherited) != 1)  # each batch over its own one
        children.append(pid)
    send("parent", 50)
    assert [os.waitpid(pid, 0)[1] for pid in children] == [0, 0, 0]
    assert session_of(exporter).get_adapter(receiver.endpoint).poolmanager is pool
    names = [span.name for resource in receiver.spans for scope in resource.scope_spans for span in scope.spans]
    assert len(names) == len(set(names)) == 201


def test_an_adapter_that_somebody_has_mounted_stays() -> None:
    class Own(HTTPAdapter):
        pass

    session = requests.Session()
    own = Own()
    session.mount("https://", own)
    exporter = OTLPSpanExporter("http://localhost/v1/traces", session=session)
    keep_apart(exporter)
    assert session.get_adapter("https://example.org") is own
    assert type(session.get_adapter("http://example.org")) is not HTTPAdapter


def test_an_exporter_without_such_a_session_is_left_as_it_is() -> None:
    keep_apart(object())


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_the_authority_that_is_named_for_otlp_goes_before_one_for_all_requests(
    receiver: Receiver, known_certificates: Certificates, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(known_certificates.server.certificate, known_certificates.server.key)
    receiver._server.socket = server.wrap_socket(receiver._server.socket, server_side=True)
    monkeypatch.setenv(name, str(known_certificates.other_authority.certificate))
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", str(known_certificates.authority.certificate))
    exporter = OTLPSpanExporter(f"{receiver.endpoint.replace('http:', 'https:')}/v1/traces")
    keep_apart(exporter)
    span: Any = TracerProvider(shutdown_on_exit=False).get_tracer("test").start_span("work")
    span.end()
    assert exporter.export([span]) is SpanExportResult.SUCCESS
    assert len(receiver.spans) == 1


def without_end(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    with suppress(OSError):  # who has read enough hangs up
        while True:
            handler.wfile.write(b"10000\r\n" + b"x" * 65536 + b"\r\n")


def packed(handler: BaseHTTPRequestHandler) -> None:
    bomb = gzip.compress(b"x" * (8 << 20))
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb) + bomb)


def broken_off(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nx")
    handler.close_connection = True


def ordinary(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("answer", "length", "connections"),
    [(without_end, 1 << 20, 2), (packed, 1 << 20, 1), (broken_off, 0, 2), (ordinary, 2, 1)],
)
def test_of_an_answer_a_megabyte_is_read_and_what_becomes_of_its_body_changes_no_status(
    receiver: Receiver,
    answer: Callable[[BaseHTTPRequestHandler], None],
    length: int,
    connections: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    came = set()

    def answered(handler: BaseHTTPRequestHandler, _: bytes) -> None:
        came.add(handler.client_address)
        answer(handler)

    monkeypatch.setattr(receiver, "_answer", answered)
    exporter = OTLPSpanExporter()
    keep_apart(exporter)
    for _ in range(2):
        result = exporter._client._transport.request("POST", receiver.endpoint, data=b"x", timeout=30)
        assert (result.status_code, len(result.content())) == (200, length)
    assert len(came) == connections

"""The page's server over real sockets."""

from __future__ import annotations

import gzip
import http.client
import socket
import threading
from collections.abc import Iterator

import pytest

from otel_distro.metrics import http as page_http
from otel_distro.metrics.http import MetricsServer
from otel_distro.metrics.prometheus import OPENMETRICS, TEXT
from tests.support import request, wait_until

BODY = b"a_total 1\n" * 200


@pytest.fixture
def server() -> Iterator[MetricsServer]:
    made = MetricsServer(lambda _: BODY, "localhost", 0)
    yield made
    made.close()


def raw(server: MetricsServer, text: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", server.port), 5) as connection:
        connection.sendall(text)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def test_the_page_is_served_on_both_of_its_paths(server: MetricsServer) -> None:
    for path in ("/metrics", "/", "/metrics?x=1"):
        answer = request(f"http://127.0.0.1:{server.port}{path}")
        assert (answer.status, answer.body, answer.headers["content-type"]) == (200, BODY, TEXT)


def test_the_url_is_one_that_answers(server: MetricsServer) -> None:
    assert server.url == f"http://localhost:{server.port}/metrics"
    assert request(server.url).body == BODY


def test_openmetrics_is_served_to_who_asks_for_it(server: MetricsServer) -> None:
    answer = request(server.url, headers={"Accept": "application/openmetrics-text"})
    assert answer.headers["content-type"] == OPENMETRICS


@pytest.mark.parametrize(
    ("coding", "zipped"), [("gzip", True), ("br, gzip;q=0.5", True), ("gzip;q=0", False), ("", False)]
)
def test_gzip_is_used_where_it_is_accepted(server: MetricsServer, coding: str, zipped: bool) -> None:
    answer = request(server.url, headers={"Accept-Encoding": coding})
    assert (answer.headers.get("content-encoding") == "gzip") is zipped
    assert (gzip.decompress(answer.body) if zipped else answer.body) == BODY


def test_head_has_the_length_and_no_body(server: MetricsServer) -> None:
    answer = request(server.url, method="HEAD")
    assert (answer.status, answer.body, answer.headers["content-length"]) == (200, b"", str(len(BODY)))


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE"])
def test_other_methods_are_refused(server: MetricsServer, method: str) -> None:
    assert request(server.url, method=method).status == 501


def test_another_path_says_where_the_metrics_are(server: MetricsServer) -> None:
    answer = request(f"http://127.0.0.1:{server.port}/else")
    assert answer.status == 404
    assert "/metrics" in answer.text


@pytest.mark.parametrize(
    "text", [b"", b"\x00\xff\r\n\r\n", b"GET\r\n\r\n", b"GET /metrics HTTP/9.9\r\n\r\n", b"G" * 70000]
)
def test_nonsense_on_the_port_leaves_the_page_in_service(server: MetricsServer, text: bytes) -> None:
    raw(server, text)
    assert request(server.url).status == 200


def test_a_page_that_raises_is_one_warning_and_the_server_stays(caplog: pytest.LogCaptureFixture) -> None:
    answers: Iterator[Exception | bytes] = iter([ValueError("no page"), BODY])

    def page(_: str) -> bytes:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    server = MetricsServer(page, "localhost", 0)
    with pytest.raises((http.client.HTTPException, OSError)):
        request(server.url)
    assert request(server.url).body == BODY
    assert "the metrics page could not be made: ValueError('no page')" in caplog.text
    server.close()


def test_silent_clients_cannot_take_more_than_their_places(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_http, "MOST_CLIENTS", 3)
    server = MetricsServer(lambda _: BODY, "localhost", 0)
    before = threading.active_count()
    silent = [socket.create_connection(("127.0.0.1", server.port), 5) for _ in range(10)]
    try:
        # Whoever finds no place is hung up on at once: seven of the ten.
        hung_up = wait_until(lambda: [c for c in silent if _closed(c)][:7] or None, 10, what="the refused clients")
        wait_until(lambda: len([c for c in silent if _closed(c)]) == 7, 10, what="seven refused clients")
        assert hung_up
        assert threading.active_count() - before == 3
    finally:
        for connection in silent:
            connection.close()
    wait_until(lambda: threading.active_count() == before, 10, what="the places to be free")
    assert request(server.url).status == 200
    server.close()


def _closed(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        return connection.recv(1, socket.MSG_PEEK) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def test_a_taken_port_is_an_error_for_who_asked(server: MetricsServer) -> None:
    with pytest.raises(OSError, match="in use"):
        MetricsServer(lambda _: BODY, "localhost", server.port)


def test_a_closed_server_frees_its_port(server: MetricsServer) -> None:
    first = MetricsServer(lambda _: BODY, "localhost", 0)
    first.close()
    second = MetricsServer(lambda _: BODY, "localhost", first.port)
    assert request(second.url).body == BODY
    second.close()

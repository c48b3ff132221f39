"""Plain HTTP over real sockets: one connection that stays open, and every way in which it does not."""

from __future__ import annotations

import os
import select
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from otel_distro.delivery import plain_http
from otel_distro.delivery.plain_http import PlainResult, PlainTransport, is_plain
from tests.watch import Watch


class Server:
    """Answers by its path, and keeps what came: connection, path, headers, body; `ended` is a connection's end."""

    def __init__(self) -> None:
        self.got: list[tuple[int, str, dict[str, str], bytes]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.over = threading.Event()
        got, gate, over = self.got, self.gate, self.over

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                got.append((self.client_address[1], self.path, dict(self.headers), body))
                gate.wait(20)
                if self.path == "/nonsense":
                    self.wfile.write(b"what?\r\n\r\n")
                    self.close_connection = True
                    return
                if self.path.startswith("/drip"):
                    self.wfile.write(
                        b"HTTP/1.1 503 Busy\r\nContent-Length: 999\r\n" + b"\r\n" * (self.path == "/drip/body")
                    )
                    while not over.wait(0.05):
                        self.wfile.write(b"x")
                    return
                self.send_response(503 if self.path == "/busy" else 200)
                answer = b"x" * ((1 << 20) + 5 if self.path == "/long" else 2)
                if self.path == "/busy":
                    self.send_header("Retry-After", "7")
                if self.path == "/close":
                    self.send_header("Connection", "close")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)
                # Without having said so.
                self.close_connection = self.close_connection or self.path == "/leave"

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        self.ended = ended = threading.Event()

        class Listening(ThreadingHTTPServer):
            def shutdown_request(self, request: Any) -> None:
                super().shutdown_request(request)
                ended.set()

        self._server = Listening(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self.over.set()
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


def post(transport: PlainTransport, url: str, data: bytes = b"data", timeout: float = 10) -> PlainResult:
    return transport.request(
        "POST", url, headers={"content-type": "application/x-protobuf"}, timeout=timeout, data=data
    )


def test_requests_go_over_one_connection_as_they_are(server: Server) -> None:
    transport = PlainTransport()
    for number in range(3):
        result = post(transport, f"{server.url}/v1/traces?a=b", b"data %d" % number)
        assert (result.status_code, result.reason, result.error, result.content()) == (200, "OK", None, b"xx")
    connection: Any = transport._connection
    assert connection.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    for _ in range(2):
        transport.close()
    assert connection.sock is None
    assert len({connection for connection, *_ in server.got}) == 1
    assert [(path, body) for _, path, _, body in server.got] == [("/v1/traces?a=b", b"data %d" % n) for n in range(3)]
    assert all(headers["content-type"] == "application/x-protobuf" for _, _, headers, _ in server.got)


@pytest.mark.parametrize("polls", [True, False], ids=["poll", "as eventlet leaves it"])
@pytest.mark.parametrize("path", ["/close", "/leave", "/long"])
def test_a_connection_that_cannot_be_used_again_is_followed_by_another(
    server: Server, path: str, polls: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not polls:
        monkeypatch.delattr(select, "poll")
    transport = PlainTransport()
    assert post(transport, server.url + path).status_code == 200
    assert server.ended.wait(30)
    time.sleep(0.1)  # its end is on its way
    assert post(transport, server.url).status_code == 200
    assert len({connection for connection, *_ in server.got}) == len(server.got) == 2
    transport.close()


def test_a_status_comes_with_its_headers_in_any_case(server: Server) -> None:
    result = post(PlainTransport(), server.url + "/busy")
    assert (result.status_code, result.reason, result.headers().get("retry-after")) == (503, "Service Unavailable", "7")


def test_a_forked_child_has_a_connection_of_its_own(server: Server) -> None:
    transport = PlainTransport()
    post(transport, server.url)
    pid = os.fork()
    if pid == 0:
        os._exit(0 if post(transport, server.url).status_code == 200 else 1)
    assert os.waitpid(pid, 0)[1] == 0
    assert post(transport, server.url).status_code == 200
    parents, childs, again = [connection for connection, *_ in server.got]
    assert parents == again != childs


def test_what_does_not_answer_is_a_connection_error(server: Server) -> None:
    transport = PlainTransport()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        refused = post(transport, f"http://127.0.0.1:{taken.getsockname()[1]}/")
    server.gate.clear()
    late = post(transport, server.url, timeout=0.1)
    server.gate.set()
    nonsense = post(transport, server.url + "/nonsense")
    for result in (refused, late, nonsense):
        assert result.status_code is None
        assert transport.is_connection_error(result.error), result.error
        assert result.headers() == {}
    assert isinstance(refused.error, ConnectionRefusedError)
    assert isinstance(late.error, TimeoutError)
    assert post(transport, server.url).status_code == 200


def test_each_request_has_its_own_time_on_a_connection_that_stays(server: Server) -> None:
    transport = PlainTransport()
    assert transport.request("POST", server.url, data=b"x", timeout=None).status_code == 200
    server.gate.clear()
    assert isinstance(post(transport, server.url, timeout=0.1).error, TimeoutError)
    server.gate.set()


@pytest.mark.parametrize(("path", "status"), [("/drip/head", None), ("/drip/body", 503)])
def test_an_answer_that_comes_byte_by_byte_has_no_more_time_and_its_status_counts(
    server: Server, path: str, status: int | None
) -> None:
    transport = PlainTransport()
    with Watch() as watch:
        result = post(transport, server.url + path, timeout=0.5)
        assert watch.seconds < 5
    assert (result.status_code, result.content(), transport._connection) == (status, b"", None)


def test_an_endpoint_without_a_port_is_asked_at_port_80(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def nowhere(*place: Any) -> list[Any]:
        asked.append(place[:2])
        return []

    monkeypatch.setattr(plain_http, "getaddrinfo", nowhere)
    for place in ("collector", "[::1]"):
        assert str(post(PlainTransport(), f"http://{place}/v1/traces").error).endswith("has no address")
    assert asked == [("collector", 80), ("::1", 80)]


def test_a_header_that_cannot_be_sent_is_an_error_and_no_connection_s() -> None:
    transport = PlainTransport()
    result = transport.request("POST", "http://127.0.0.1:1/", headers={"a": "b\r\nc: d"}, data=b"")
    assert result.error is not None
    assert result.status_code is None


def test_what_is_closed_in_the_middle_of_a_request_ends_it_first(server: Server) -> None:
    transport, results = PlainTransport(), list[PlainResult]()
    server.gate.clear()
    thread = threading.Thread(target=lambda: results.append(post(transport, server.url)))
    thread.start()
    while not server.got:
        time.sleep(0.01)
    transport.close()
    server.gate.set()
    thread.join(20)
    assert results[0].status_code == 200


def test_what_is_closed_while_a_request_is_being_sent_sends_it_first() -> None:
    transport, results = PlainTransport(), list[PlainResult]()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/"
        thread = threading.Thread(target=lambda: results.append(post(transport, url, b"x" * (1 << 24), 60)))
        thread.start()
        connection, _ = listening.accept()
        got = len(connection.recv(1))  # more than any buffer holds is still to come
        transport.close()
        while got < 1 << 24:
            got += len(connection.recv(1 << 20))
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        thread.join(60)
        connection.close()
    assert results[0].status_code == 200
    assert transport._connection is None


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("endpoint", ["http://localhost:4318/v1/logs", "http://[::1]:4318", "HTTP://collector/x?y=z"])
def test_an_ordinary_endpoint_is_plain(endpoint: str) -> None:
    assert is_plain(endpoint, "")
    assert not is_plain(endpoint, "/etc/netrc")


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    "endpoint",
    [
        None, "", "localhost:4318", "https://localhost", "http://", "http://user:secret@localhost", "http://a:port/",
        "http://bücher.example", "http://a b/", "http://[::1", "http://a/\n",
    ],
)  # fmt: skip
def test_every_other_endpoint_is_left_to_requests(endpoint: object) -> None:
    assert not is_plain(endpoint, "")


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "all_proxy"])
@pytest.mark.usefixtures("home")
def test_a_proxy_is_left_to_requests_but_for_hosts_that_go_past_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "http://proxy:3128")
    assert not is_plain("http://collector:4318/v1/logs", "")
    monkeypatch.setenv("NO_PROXY", "localhost,collector")
    assert is_plain("http://collector:4318/v1/logs", "")


@pytest.mark.parametrize("name", [".netrc", "_netrc"])
def test_a_file_of_passwords_is_left_to_requests(name: str, home: Path) -> None:
    (home / name).write_text("machine collector login a password b\n")
    assert not is_plain("http://collector:4318/v1/logs", "")

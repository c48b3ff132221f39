"""The page's server over real sockets."""

from __future__ import annotations

import base64
import errno
import gzip
import os
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.client import HTTPException, HTTPSConnection
from pathlib import Path

import pytest

from otel_distro.metrics import http as page_http
from otel_distro.metrics.access import Access
from otel_distro.metrics.http import MetricsServer
from otel_distro.metrics.prometheus import OPENMETRICS, TEXT
from tests import certificates
from tests.certificates import Certificates, Pair
from tests.support import Response, request, wait_until

BODY = b"a_total 1\n" * 200


@pytest.fixture
def server() -> Iterator[MetricsServer]:
    made = MetricsServer(lambda _: BODY, "localhost", 0)
    yield made
    made.close()


def raw(server: MetricsServer, text: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", server.port), 30) as connection:
        connection.sendall(text)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def test_the_page_is_served_on_both_of_its_paths(server: MetricsServer) -> None:
    for path in ("/metrics", "/", "/metrics?x=1"):
        answer = request(f"http://127.0.0.1:{server.port}{path}")
        assert (answer.status, answer.body, answer.headers["content-type"]) == (200, BODY, TEXT)


@pytest.mark.parametrize(
    ("target", "status"),
    [
        (b"http://shop.internal:9464/metrics", b"200"),
        (b"HTTP://[::1]/metrics?x=http://y/z", b"200"),
        (b"https://shop.internal", b"200"),
        (b"http://shop.internal?x", b"200"),
        (b"http://metrics/else", b"404"),
        (b"ftp://shop.internal/metrics", b"404"),
        (b"/else?http://shop.internal/metrics", b"404"),
    ],
)
def test_a_request_may_name_the_server_before_the_path(server: MetricsServer, target: bytes, status: bytes) -> None:
    assert raw(server, b"GET %s HTTP/1.1\r\nHost: shop.internal\r\n\r\n" % target).split()[1] == status


def test_several_headers_of_a_name_are_one_list(server: MetricsServer) -> None:
    head = b"Accept: text/plain;q=0.5\r\nAccept: application/openmetrics-text\r\n"
    answer = raw(server, b"GET / HTTP/1.1\r\n" + head + b"Accept-Encoding: br\r\nAccept-Encoding: gzip\r\n\r\n")
    assert f"\r\nContent-Type: {OPENMETRICS}\r\n".encode() in answer
    assert b"\r\nContent-Encoding: gzip\r\n" in answer


def test_the_url_is_one_that_answers(server: MetricsServer) -> None:
    assert server.url == f"http://localhost:{server.port}/metrics"
    assert request(server.url).body == BODY


def test_openmetrics_is_served_to_who_asks_for_it(server: MetricsServer) -> None:
    answer = request(server.url, headers={"Accept": "application/openmetrics-text"})
    assert answer.headers["content-type"] == OPENMETRICS


@pytest.mark.parametrize(
    ("coding", "zipped"),
    [
        ("gzip", True),
        ("br, gzip;q=0.5", True),
        ("gzip;q=0", False),
        ("gzip; q=0.00", False),
        ("gzip;q=0.10", True),
        ("", False),
    ],
)
def test_gzip_is_used_where_it_is_accepted(server: MetricsServer, coding: str, zipped: bool) -> None:
    answer = request(server.url, headers={"Accept-Encoding": coding})
    assert (answer.headers.get("content-encoding") == "gzip") is zipped
    assert (gzip.decompress(answer.body) if zipped else answer.body) == BODY


def test_head_has_the_length_and_no_body(server: MetricsServer) -> None:
    answer = request(server.url, method="HEAD")
    assert (answer.status, answer.body, answer.headers["content-length"]) == (200, b"", str(len(BODY)))
    # A client never shows the body of such an answer, even where one was sent.
    assert raw(server, b"HEAD /metrics HTTP/1.1\r\n\r\n").endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    "method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "BREW", "get", "__init__"]
)
def test_other_methods_are_refused(server: MetricsServer, method: str) -> None:
    answer = request(server.url, method=method)
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize(
    ("path", "method"), [("/metrics", "GET"), ("/metrics", "HEAD"), ("/else", "GET"), ("/", "POST")]
)
def test_every_answer_is_hardened_and_says_little_of_the_server(server: MetricsServer, path: str, method: str) -> None:
    headers = request(f"http://127.0.0.1:{server.port}{path}", method=method).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert headers["server"] == "otel-distro"
    assert headers["connection"] == "close"


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


def test_a_request_that_cannot_be_read_is_answered_without_an_echo(server: MetricsServer) -> None:
    answer = raw(server, b"GET /hunter2 HTTP/hunter2\r\n\r\n")
    assert answer.startswith(b"HTTP/1.0 400 Bad Request\r\n")
    assert b"Server: otel-distro\r\n" in answer
    assert b"hunter2" not in answer


@pytest.mark.parametrize("head", [b"A: b\r\n" * 101, b"A: " + b"b" * 70000 + b"\r\n"])
def test_a_head_that_is_too_large_is_refused(server: MetricsServer, head: bytes) -> None:
    assert raw(server, b"GET /metrics HTTP/1.1\r\n" + head + b"\r\n").split()[1] == b"431"


def test_a_page_that_raises_is_one_warning_and_the_server_stays(caplog: pytest.LogCaptureFixture) -> None:
    answers: Iterator[Exception | bytes] = iter([ValueError("no page"), ValueError("again"), BODY])

    def page(_: str) -> bytes:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    server = MetricsServer(page, "localhost", 0)
    assert request(server.url).status == 500
    assert "again" not in request(server.url).text
    assert request(server.url).body == BODY
    assert [record.getMessage() for record in caplog.records] == [
        "the metrics page could not be made: ValueError('no page')"
    ]
    server.close()


def test_silent_clients_cannot_take_more_than_their_places(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_http, "MOST_CLIENTS", 3)
    monkeypatch.setattr(page_http, "CLIENT_TIMEOUT", 120.0)
    server = MetricsServer(lambda _: BODY, "localhost", 0)
    # Those of other tests may come to their end meanwhile.
    before = set(threading.enumerate())
    silent = [socket.create_connection(("127.0.0.1", server.port), 30) for _ in range(10)]
    try:
        # Whoever finds no place is hung up on at once: seven of the ten.
        hung_up = wait_until(lambda: [c for c in silent if _closed(c)][:7] or None, what="the refused clients")
        wait_until(lambda: len([c for c in silent if _closed(c)]) == 7, what="seven refused clients")
        assert hung_up
        assert len(set(threading.enumerate()) - before) == 3
    finally:
        for connection in silent:
            connection.close()
    wait_until(lambda: set(threading.enumerate()) <= before, what="the places to be free")
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


def test_a_server_is_of_the_family_of_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    family, address = page_http.socket_address("::1", 0)
    for step in ("server_bind", "server_activate"):  # which a machine without the address cannot
        monkeypatch.setattr(page_http._Server, step, lambda _: None)
    server = page_http._Server(lambda _: BODY, family, address, Access())
    assert (server.socket.family, server.server_address) == (socket.AF_INET6, ("::1", 0))
    server.server_close()


def test_an_address_of_one_link_keeps_its_zone() -> None:
    _, address = page_http.socket_address("fe80::1%lo", 1)
    assert address == ("fe80::1", 1, 0, socket.if_nametoindex("lo"))


def test_a_closed_server_frees_its_port(server: MetricsServer) -> None:
    first = MetricsServer(lambda _: BODY, "localhost", 0)
    first.close()
    second = MetricsServer(lambda _: BODY, "localhost", first.port)
    assert request(second.url).body == BODY
    second.close()


# ---- clients that are slow


@pytest.fixture
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_http, "CLIENT_TIMEOUT", 0.5)


def dripping(connection: socket.socket, data: bytes) -> bool:
    """Send a byte now and then, each well within the limit for a single read, until the other side hangs up."""
    connection.setblocking(False)
    for byte in data[:100]:  # about 5 s: ten times the client's time, half of the limit for a single read
        try:
            connection.sendall(bytes([byte]))
            if connection.recv(1) == b"":
                return True
        except BlockingIOError:
            time.sleep(0.05)
        except OSError:
            return True
    return False


@pytest.mark.usefixtures("_hurried")
@pytest.mark.parametrize("start", [b"", b"GET /metrics HTTP/1.1\r\nA: "])
def test_who_sends_a_byte_now_and_then_does_not_keep_its_place(start: bytes) -> None:
    server = MetricsServer(lambda _: BODY, "localhost", 0)
    with socket.create_connection(("127.0.0.1", server.port), 30) as connection:
        connection.sendall(start)
        assert dripping(connection, b"x" * 100)
    server.close()


@pytest.mark.usefixtures("_hurried")
def test_who_drips_through_a_tls_handshake_does_not_keep_its_place(pems: Certificates) -> None:
    server = MetricsServer(lambda _: BODY, "localhost", 0, access=tls_access(pems))
    outgoing = ssl.MemoryBIO()
    hello = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost")
    with suppress(ssl.SSLWantReadError):
        hello.do_handshake()
    with socket.create_connection(("127.0.0.1", server.port), 30) as connection:
        assert dripping(connection, outgoing.read()[:-1])  # the last byte would let the handshake go on
    server.close()


@pytest.mark.parametrize("encrypted", [False, True])
def test_who_takes_the_answer_by_bits_does_not_keep_its_place(pems: Certificates, encrypted: bool) -> None:
    huge, asked = b"a_total 1\n" * 5_000_000, threading.Event()

    def page(_: str) -> bytes:
        (client,) = made._server.clients._present
        client._seconds = 0.5  # from here on only: handshake and request may take their time on a busy machine
        asked.set()
        return huge

    made = MetricsServer(page, "localhost", 0, access=tls_access(pems) if encrypted else None)
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(10)
    connection.connect(("127.0.0.1", made.port))
    if encrypted:
        connection = trust(pems).wrap_socket(connection, server_hostname="localhost")
    with connection:
        connection.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
        assert asked.wait(30)

        def gone() -> bool:
            with suppress(OSError):
                connection.recv(64)
            return not made._server.clients._present

        wait_until(gone, 8, what="the place to be free")
    made.close()


def test_a_page_that_takes_its_time_is_not_the_fault_of_the_client() -> None:
    now = [0.0]  # a clock that no busy machine moves

    def page(_: str) -> bytes:
        now[0] += 60
        clients.hang_up()
        return BODY

    server = MetricsServer(page, "localhost", 0)
    clients = server._server.clients
    clients._clock = lambda: now[0]
    assert request(server.url).body == BODY
    server.close()


def test_a_closed_server_hangs_up_on_its_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_http._Handler, "timeout", 600.0)  # not because the client is late
    server = MetricsServer(lambda _: BODY, "localhost", 0)
    with socket.create_connection(("127.0.0.1", server.port), 30) as connection:
        wait_until(lambda: server._server.clients._present, what="the client to be served")
        server.close()
        assert connection.recv(1) == b""


def test_a_thread_that_cannot_start_costs_no_place(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(page_http, "MOST_CLIENTS", 1)
    server = MetricsServer(lambda _: BODY, "localhost", 0)

    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", start)
        assert raw(server, b"") == b""
    assert "can't start new thread" in caplog.text
    assert request(server.url).status == 200
    server.close()


def test_the_loop_pauses_while_no_connection_can_be_accepted(
    server: MetricsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    real_sleep = time.sleep

    def accept(_: socket.socket) -> tuple[socket.socket, object]:
        events.append("tried")
        raise OSError(errno.EMFILE, "Too many open files")

    def sleep(_: float) -> None:
        events.append("paused")
        real_sleep(0.001)

    with socket.socket() as connection:
        with monkeypatch.context() as patched:
            patched.setattr(socket.socket, "accept", accept)
            patched.setattr(time, "sleep", sleep)
            connection.connect(("127.0.0.1", server.port))
            while len(events) < 6:
                real_sleep(0.01)
        assert events[:6] == ["tried", "paused"] * 3
    assert request(server.url).status == 200


def test_a_forked_child_lets_go_of_the_port_and_of_the_clients() -> None:
    server = MetricsServer(lambda _: BODY, "localhost", 0)
    with socket.create_connection(("127.0.0.1", server.port), 30) as connection:
        wait_until(lambda: server._server.clients._present, what="the client to be served")
        served = [client.connection.fileno() for client in server._server.clients._present]
        held = [server._server.socket.fileno(), *served]
        child = os.fork()
        if child == 0:
            server.forget()
            os._exit(sum(_is_open(descriptor) for descriptor in held))
        assert len(held) == 2
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        connection.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
        assert b"".join(iter(lambda: connection.recv(65536), b"")).endswith(BODY)
    server.close()


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


# ---- credentials


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[MetricsServer]:
    (tmp_path / "users").write_text("ann:hunter2\n")
    (tmp_path / "tokens").write_text("token\n")
    access = Access(users=str(tmp_path / "users"), tokens=str(tmp_path / "tokens"))
    made = MetricsServer(lambda _: BODY, "localhost", 0, access=access)
    yield made
    made.close()


def test_who_has_no_credentials_is_told_which_ones_open_the_page(guarded: MetricsServer) -> None:
    for method, path in (("GET", "/metrics"), ("HEAD", "/"), ("POST", "/metrics"), ("GET", "/else")):
        answer = request(f"http://127.0.0.1:{guarded.port}{path}", method=method)
        assert answer.status == 401
        assert BODY not in answer.body
    head = raw(guarded, b"GET /metrics HTTP/1.1\r\n\r\n").decode()
    assert 'WWW-Authenticate: Basic realm="metrics", charset="UTF-8"\r\n' in head
    assert 'WWW-Authenticate: Bearer realm="metrics"\r\n' in head


def test_a_user_and_a_token_get_the_page(guarded: MetricsServer) -> None:
    for header in ("Basic " + base64.b64encode(b"ann:hunter2").decode(), "Bearer token"):
        assert request(guarded.url, headers={"Authorization": header}).body == BODY
    for header in ("Basic " + base64.b64encode(b"ann:hunter3").decode(), "Bearer tokens", "Basic !"):
        assert request(guarded.url, headers={"Authorization": header}).status == 401


@pytest.mark.parametrize(
    "text", [b"GET /metrics\r\n\r\n", b"GET /metrics HTTP/1.0\r\nAuthorization: Bearer \xff\xfe\r\n\r\n"]
)
def test_no_odd_request_gets_round_the_credentials(guarded: MetricsServer, text: bytes) -> None:
    answer = raw(guarded, text)
    assert answer
    assert BODY not in answer


def test_no_page_is_made_for_who_may_not_read_it(tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text("token")
    made: list[str] = []

    def page(content_type: str) -> bytes:
        made.append(content_type)
        return BODY

    server = MetricsServer(page, "localhost", 0, access=Access(tokens=str(tmp_path / "tokens")))
    assert request(server.url).status == 401
    assert made == []
    server.close()


# ---- TLS


@pytest.fixture(scope="session")
def pems(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return certificates.make(tmp_path_factory.mktemp("certificates"))


def tls_access(pems: Certificates, *, client_ca: bool = False) -> Access:
    authority = str(pems.authority.certificate) if client_ca else ""
    return Access(certificate=str(pems.server.certificate), key=str(pems.server.key), client_ca=authority)


def trust(pems: Certificates, client: Pair | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=pems.authority.certificate)
    if client:
        context.load_cert_chain(client.certificate, client.key)
    return context


def fetched(server: MetricsServer, context: ssl.SSLContext) -> Response:
    connection = HTTPSConnection("localhost", server.port, timeout=10, context=context)
    try:
        connection.request("GET", "/metrics")
        answer = connection.getresponse()
        return Response(answer.status, {k.lower(): v for k, v in answer.headers.items()}, answer.read())
    finally:
        connection.close()


Serve = Callable[[Access], MetricsServer]


@pytest.fixture
def serve() -> Iterator[Serve]:
    made: list[MetricsServer] = []

    def serving(access: Access) -> MetricsServer:
        made.append(MetricsServer(lambda _: BODY, "localhost", 0, access=access))
        return made[-1]

    yield serving
    for server in made:
        server.close()


def test_the_page_speaks_tls_where_a_certificate_is_set(serve: Serve, pems: Certificates) -> None:
    server = serve(tls_access(pems))
    assert server.url == f"https://localhost:{server.port}/metrics"
    assert fetched(server, trust(pems)).body == BODY
    with pytest.raises(ssl.SSLCertVerificationError):
        fetched(server, ssl.create_default_context(cafile=pems.other_authority.certificate))


def test_nothing_is_said_in_clear_where_a_certificate_is_set(
    serve: Serve, pems: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    raised: list[object] = []
    monkeypatch.setattr(threading, "excepthook", raised.append)
    server = serve(tls_access(pems))
    with suppress(OSError):  # the server may have hung up before the end of the request
        assert b"HTTP" not in raw(server, b"GET /metrics HTTP/1.1\r\n\r\n")
    assert fetched(server, trust(pems)).status == 200
    assert raised == []


def test_only_a_client_with_a_certificate_from_the_authority_gets_in(
    serve: Serve, pems: Certificates, caplog: pytest.LogCaptureFixture
) -> None:
    server = serve(tls_access(pems, client_ca=True))
    for wrong in (None, pems.stranger, pems.server):  # the last one is from the authority, but for a server
        # Whether the refusal or the end of the connection is seen first is the network's choice.
        with pytest.raises((OSError, HTTPException)):
            fetched(server, trust(pems, wrong))
    assert fetched(server, trust(pems, pems.client)).body == BODY
    assert caplog.records == []


def test_credentials_are_wanted_beside_the_client_certificate(serve: Serve, pems: Certificates, tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text("token")
    access = Access(
        certificate=str(pems.server.certificate),
        key=str(pems.server.key),
        client_ca=str(pems.authority.certificate),
        tokens=str(tmp_path / "tokens"),
    )
    assert fetched(serve(access), trust(pems, pems.client)).status == 401


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_tls_1_2_and_1_3_are_spoken(serve: Serve, pems: Certificates, version: str) -> None:
    context = trust(pems)
    context.minimum_version = context.maximum_version = ssl.TLSVersion[version]
    assert fetched(serve(tls_access(pems)), context).status == 200


def test_tls_1_1_is_refused_by_the_server(serve: Serve, pems: Certificates) -> None:
    server = serve(tls_access(pems))
    done = subprocess.run(
        # Without the lowest security level the client would not even offer the old version.
        ["openssl", "s_client", "-connect", f"127.0.0.1:{server.port}", "-tls1_1", "-cipher", "ALL:@SECLEVEL=0"],
        input="",
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode != 0
    assert "alert protocol version" in done.stdout + done.stderr


def test_a_renewed_certificate_is_shown_to_the_next_client(serve: Serve, pems: Certificates, tmp_path: Path) -> None:
    certificate, key = tmp_path / "server.pem", tmp_path / "server.key"
    shutil.copy(pems.server.certificate, certificate)
    shutil.copy(pems.server.key, key)
    server = serve(Access(certificate=str(certificate), key=str(key)))
    before = ssl.get_server_certificate(("127.0.0.1", server.port))
    shutil.copy(pems.renewed_server.key, tmp_path / "new.key")
    shutil.copy(pems.renewed_server.certificate, tmp_path / "new.pem")
    (tmp_path / "new.key").replace(key)
    assert ssl.get_server_certificate(("127.0.0.1", server.port)) == before  # half of the pair changes nothing
    (tmp_path / "new.pem").replace(certificate)
    assert ssl.get_server_certificate(("127.0.0.1", server.port)) != before
    assert fetched(server, trust(pems)).status == 200


def test_silent_clients_do_not_keep_others_from_their_handshake(serve: Serve, pems: Certificates) -> None:
    server = serve(tls_access(pems))
    silent = [socket.create_connection(("127.0.0.1", server.port), 30) for _ in range(page_http.MOST_CLIENTS - 1)]
    try:
        assert fetched(server, trust(pems)).status == 200
    finally:
        for connection in silent:
            connection.close()

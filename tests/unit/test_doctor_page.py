"""The address of the metrics page and who may read it."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest

from otel_distro.doctor import page
from otel_distro.metrics.access import Access
from otel_distro.metrics.http import MetricsServer
from otel_distro.settings import Settings
from tests.certificates import Certificates, make
from tests.support import free_port

OURS = b'target_info{a="b",service_name="shop"} 1\notel_distro_processes 3\n'

QUOTED = rb'target_info{service_name="\"a\\b\""} 1' + b"\notel_distro_processes 1\n"

NAMELESS = b'target_info{service_name="unknown_service:python"} 1\notel_distro_processes 1\n'


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make(tmp_path_factory.mktemp("certificates"))


def found(port: int, service: str = "shop", **more: str) -> tuple[str, str]:
    variables = {"OTEL_EXPORTER_PROMETHEUS_PORT": str(port), "OTEL_SERVICE_NAME": service, **more}
    (finding,) = page.look(Settings.from_environ(variables))
    assert bool(finding.mend) == (finding.status != "ok")
    return finding.status, finding.found


def test_a_free_port_is_well_and_stays_free() -> None:
    port = free_port()
    assert found(port) == ("ok", f"localhost:{port} is free")
    socket.create_server(("127.0.0.1", port)).close()
    assert found(0) == ("ok", "localhost:0 takes a free port")


@pytest.mark.parametrize(
    ("text", "service", "status", "said"),
    [
        (OURS, "shop", "ok", "has this service's page already, of 3 processes"),
        (QUOTED, r'"a\b"', "ok", "has this service's page already, of 1 process"),
        (NAMELESS, "", "ok", "has this service's page already, of 1 process"),
        (NAMELESS, "shop", "fault", "has the page of another service, 'unknown_service:python'"),
        (b"otel_distro_processes 1\n", "shop", "fault", "has the page of another service, ''"),
        (OURS, "", "fault", "has the page of another service, 'shop'"),
        (OURS, "cart", "fault", "has the page of another service, 'shop'"),
        (b"up 1\n", "shop", "fault", "is taken by another program"),
    ],
)
def test_a_page_that_is_there_is_told_by_its_service(text: bytes, service: str, status: str, said: str) -> None:
    server = MetricsServer(lambda _: text, port=0)
    try:
        assert found(server.port, service) == (status, f"localhost:{server.port} {said}")
    finally:
        server.close()


def test_a_page_that_asks_for_credentials_is_a_warning(tmp_path: Path, certificates: Certificates) -> None:
    (tmp_path / "users").write_text("me:hidden\n")
    server = {"certificate": str(certificates.server.certificate), "key": str(certificates.server.key)}
    ca = str(certificates.authority.certificate)
    for access in (Access(users=str(tmp_path / "users")), Access(**server, client_ca=ca)):
        named = {"OTEL_DISTRO_PROMETHEUS_TLS_CERT_FILE": server["certificate"]} if access.encrypted else {}
        running = MetricsServer(lambda _: OURS, port=0, access=access)
        try:
            said = f"localhost:{running.port} has a metrics page that asks for credentials"
            assert found(running.port, **named) == ("warning", said)
        finally:
            running.close()


def test_another_program_that_asks_for_credentials_is_a_fault() -> None:
    def ask(_: object, respond: Callable[[str, list[tuple[str, str]]], object]) -> list[bytes]:
        respond("401 Unauthorized", [("WWW-Authenticate", 'Basic realm="intranet"')])
        return []

    with make_server("127.0.0.1", 0, ask, handler_class=_Silent) as server:
        thread = Thread(target=server.handle_request)
        thread.start()
        assert found(server.server_port) == ("fault", f"localhost:{server.server_port} is taken by another program")
        thread.join()


class _Silent(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


def test_who_speaks_no_http_or_no_tls_is_another_program(certificates: Certificates) -> None:
    def greet(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection:
            connection.sendall(b"220 mail\r\n")
            connection.recv(1000)

    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        thread = Thread(target=greet, args=(server,), daemon=True)
        thread.start()
        assert found(port) == ("fault", f"localhost:{port} is taken by another program")
        thread.join(60)
    plain = MetricsServer(lambda _: OURS, port=0)
    try:
        said = f"localhost:{plain.port} is taken by another program"
        named = {"OTEL_DISTRO_PROMETHEUS_TLS_CERT_FILE": str(certificates.server.certificate)}
        assert found(plain.port, **named) == ("fault", said)
    finally:
        plain.close()


def test_an_address_that_is_not_of_this_machine_is_a_fault_that_names_the_variable() -> None:
    for host in ("192.0.2.1", "a..b"):
        (finding,) = page.look(Settings.from_environ({"OTEL_EXPORTER_PROMETHEUS_HOST": host}))
        assert (finding.status, "OTEL_EXPORTER_PROMETHEUS_HOST" in finding.mend) == ("fault", True)


def test_who_may_read_the_page_is_told_and_a_file_that_is_none_is_a_fault(tmp_path: Path) -> None:
    (nobody,) = page.look_at_access(Settings.from_environ({}))
    assert (nobody.status, nobody.found) == ("ok", "open to whoever reaches it, without TLS")
    users = tmp_path / "users"
    named = Settings.from_environ({"OTEL_DISTRO_PROMETHEUS_BASIC_AUTH_FILE": str(users)})
    (fault,) = page.look_at_access(named)
    assert fault.status == "fault"
    assert f"OTEL_DISTRO_PROMETHEUS_BASIC_AUTH_FILE={users} cannot be read" in fault.found.replace("'", "")
    users.write_text("me:hidden\n")
    assert page.look_at_access(named)[0].found == "open to users with a password, without TLS"
    token = tmp_path / "token"
    token.write_text("hidden\n")
    both = named._replace(prometheus_bearer_token_file=str(token))
    assert page.look_at_access(both)[0].found == "open to users with a password and holders of a token, without TLS"


def test_a_client_certificate_that_is_asked_for_is_told(certificates: Certificates) -> None:
    files = {
        "CERT_FILE": certificates.server.certificate,
        "KEY_FILE": certificates.server.key,
        "CLIENT_CA_FILE": certificates.authority.certificate,
    }
    (finding,) = page.look_at_access(_by_tls(files))
    assert finding.found == "open to whoever reaches it with a client certificate, by TLS"


def test_a_key_of_another_certificate_is_a_fault(certificates: Certificates) -> None:
    files = {"CERT_FILE": certificates.server.certificate, "KEY_FILE": certificates.client.key}
    (finding,) = page.look_at_access(_by_tls(files))
    assert finding.status == "fault"
    assert "OTEL_DISTRO_PROMETHEUS_TLS_CERT_FILE" in finding.found


def _by_tls(files: dict[str, Path]) -> Settings:
    return Settings.from_environ({f"OTEL_DISTRO_PROMETHEUS_TLS_{name}": str(file) for name, file in files.items()})


def test_this_services_page_is_known_by_tls_as_well(certificates: Certificates) -> None:
    pair = certificates.server
    access = Access(certificate=str(pair.certificate), key=str(pair.key))
    running = MetricsServer(lambda _: OURS, port=0, access=access)
    try:
        said = f"localhost:{running.port} has this service's page already, of 3 processes"
        named = {"OTEL_DISTRO_PROMETHEUS_TLS_CERT_FILE": str(pair.certificate)}
        assert found(running.port, **named) == ("ok", said)
    finally:
        running.close()

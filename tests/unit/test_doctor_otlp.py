"""What is said of a receiver, by each answer and each way."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

import pytest

from otel_distro.doctor import otlp
from otel_distro.doctor.model import Finding
from otel_distro.doctor.otlp import ask
from otel_distro.settings import Settings
from tests.certificates import Certificates
from tests.otlp import GrpcReceiver, Receiver
from tests.support import free_port


def found(monkeypatch: pytest.MonkeyPatch, **environment: str) -> list[Finding]:
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)
    wanted = {"OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none", **environment}
    for name, text in wanted.items():
        monkeypatch.setenv(name, text)  # the exporters read it
    return [finding for check in otlp.checks(Settings.from_environ(wanted), wanted) for finding in check.look()]


@pytest.mark.parametrize(
    ("mode", "status", "mend"),
    [
        ("ok", "ok", ""),
        ("nonsense", "ok", ""),
        ("200", "fault", "name the receiver (OTEL_EXPORTER_OTLP_ENDPOINT)"),
        ("400", "warning", "maybe only requests without anything in them are refused"),
        ("401", "fault", "give what the receiver asks for in OTEL_EXPORTER_OTLP_HEADERS"),
        ("403", "fault", "give what the receiver asks for in OTEL_EXPORTER_OTLP_HEADERS"),
        ("404", "fault", "look at OTEL_EXPORTER_OTLP_ENDPOINT: nobody takes traces there"),
        ("407", "fault", "let the proxy of HTTP_PROXY, HTTPS_PROXY or ALL_PROXY take it"),
        ("405", "fault", "look at OTEL_EXPORTER_OTLP_ENDPOINT: nobody takes traces there"),
        ("308", "fault", "give that as the endpoint (OTEL_EXPORTER_OTLP_ENDPOINT)"),
        ("503", "fault", "look at the log of the receiver"),
        ("garbage", "fault", "it may not speak http/protobuf"),
        ("close", "fault", "it may not speak http/protobuf"),
    ],
)
def test_each_answer_over_http_has_its_status_and_mend(
    mode: str, status: str, mend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Receiver() as receiver:
        receiver.mode = mode
        (finding,) = found(monkeypatch, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.endpoint)
        assert receiver.requests == (2 if mode in ("garbage", "close") else 1)  # the exporter tries those again at once
    assert (finding.check, finding.status) == ("otlp-traces", status)
    assert finding.mend.startswith(mend)


@pytest.mark.parametrize(
    ("mode", "status", "mend"),
    [
        ("ok", "ok", ""),
        ("invalid_argument", "warning", "maybe only"),
        ("permission_denied", "fault", "give what the receiver asks for in OTEL_EXPORTER_OTLP_TRACES_HEADERS"),
        ("unauthenticated", "fault", "give what the receiver asks for in OTEL_EXPORTER_OTLP_TRACES_HEADERS"),
        ("unimplemented", "fault", "look at OTEL_EXPORTER_OTLP_ENDPOINT"),
        ("not_found", "fault", "look at OTEL_EXPORTER_OTLP_ENDPOINT"),
        ("unavailable", "fault", "start the receiver, or name another one"),
    ],
)
def test_each_answer_over_grpc_has_its_status_and_mend(
    mode: str, status: str, mend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with GrpcReceiver() as receiver:
        receiver.mode = mode
        (finding,) = found(
            monkeypatch,
            OTEL_EXPORTER_OTLP_ENDPOINT=receiver.endpoint,
            OTEL_EXPORTER_OTLP_PROTOCOL="grpc",
            OTEL_EXPORTER_OTLP_TRACES_HEADERS="a=hidden",
        )
    assert (finding.status, finding.mend.startswith(mend)) == (status, True)


def test_a_compression_that_a_receiver_of_grpc_does_not_know_is_not_taken_for_a_wrong_endpoint() -> None:
    why = 'UNIMPLEMENTED: grpc: Decompressor is not installed for grpc-encoding "deflate"'  # as the Collector says it
    own = "OTEL_EXPORTER_OTLP_LOGS_COMPRESSION"
    mend = otlp._mend("UNIMPLEMENTED", why, "logs", "grpc", "localhost:4317", {own: "deflate"})
    assert mend.startswith(f"set {own}=gzip")


def test_an_endpoint_of_a_signal_that_is_not_sent_is_a_warning_with_the_list_that_lacks_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Receiver() as receiver:
        at = {
            f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT": f"{receiver.endpoint}/v1/traces"
            for signal in ("METRICS", "TRACES")
        }
        traces, metrics = found(monkeypatch, OTEL_METRICS_EXPORTER="prometheus,console", **at)
    assert (traces.check, traces.status) == ("otlp-traces", "ok")
    wrong = (
        "nothing is sent, though OTEL_EXPORTER_OTLP_METRICS_ENDPOINT is set: OTEL_METRICS_EXPORTER=prometheus,console"
    )
    assert (metrics.check, metrics.status, metrics.found) == ("otlp-metrics", "warning", wrong)
    assert metrics.mend == "add otlp to that list, or unset OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"


def test_all_three_signals_are_sent_with_nothing_in_them(monkeypatch: pytest.MonkeyPatch) -> None:
    with Receiver() as receiver:
        findings = found(
            monkeypatch,
            OTEL_EXPORTER_OTLP_ENDPOINT=receiver.endpoint,
            OTEL_METRICS_EXPORTER="otlp",
            OTEL_LOGS_EXPORTER="otlp",
            OTEL_EXPORTER_OTLP_COMPRESSION="gzip",
        )
        assert (receiver.requests, receiver.spans, receiver.metrics, receiver.logs) == (3, [], [], [])
    assert [finding.found.rpartition(" ")[2] for finding in findings] == ["traces", "metrics", "logs"]


@pytest.mark.parametrize(
    ("endpoint", "said", "mend"),
    [
        ("localhost:4318", "the endpoint is no URL", "give one as in http://localhost:4318"),
        ("http://127.0.0.1:4317", "Connection refused", "set OTEL_EXPORTER_OTLP_PROTOCOL=grpc: port 4317 is by custom"),
        ("http://no-such-name.invalid:9", "", "name the receiver's host as this machine knows it"),
        ("http://127.0.0.1:{port}", "Connection refused", "start the receiver, or name another one"),
        ("http://127.0.0.1:{port}/proxy", "Connection refused", "start the receiver, or name another one"),
    ],
)
def test_an_endpoint_where_nobody_is_has_the_likeliest_mend(
    endpoint: str, said: str, mend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (finding,) = found(monkeypatch, OTEL_EXPORTER_OTLP_ENDPOINT=endpoint.format(port=free_port()))
    assert (finding.status, said in finding.found) == ("fault", True)
    assert finding.mend.startswith(mend), finding


def test_a_header_that_cannot_be_sent_is_told_with_its_own_mend_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    with Receiver() as receiver:
        at = receiver.endpoint
        (finding,) = found(monkeypatch, OTEL_EXPORTER_OTLP_ENDPOINT=at, OTEL_EXPORTER_OTLP_HEADERS="a=hidden%E5%95%86")
    assert (finding.status, "hidden" in str(finding)) == ("fault", False)
    assert finding.found.endswith(": the endpoint or a header cannot be used")
    assert finding.mend == "look at OTEL_EXPORTER_OTLP_ENDPOINT and OTEL_EXPORTER_OTLP_HEADERS"


@pytest.mark.parametrize(
    ("proxy", "said"),
    [
        ("http://127.0.0.1:{port}", "by the proxy: Connection refused"),
        ("socks5://127.0.0.1:{port}", "is of SOCKS: install requests[socks]"),
        ("nonsense://", "is no URL"),
    ],
)
def test_what_a_proxy_keeps_from_the_receiver_leads_to_the_variables_of_proxies(
    proxy: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = proxy.format(port=free_port())
    (finding,) = found(monkeypatch, OTEL_EXPORTER_OTLP_ENDPOINT="http://collector.example:4318", ALL_PROXY=proxy)
    assert (finding.status, said in finding.found) == ("fault", True), finding
    assert finding.mend.endswith("or name the receiver's host in NO_PROXY")


def test_nobody_at_an_endpoint_of_grpc_is_said_in_few_words(monkeypatch: pytest.MonkeyPatch) -> None:
    place = f"127.0.0.1:{free_port()}"
    (finding,) = found(monkeypatch, OTEL_EXPORTER_OTLP_ENDPOINT=f"http://{place}", OTEL_EXPORTER_OTLP_PROTOCOL="grpc")
    assert finding.found.startswith(f"{place} by grpc: UNAVAILABLE: ipv4:{place}: ")
    assert finding.found.endswith("Connection refused")


@pytest.mark.parametrize(
    ("scheme", "protocol", "mend"),
    [
        ("https", "http/protobuf", "give http:// in OTEL_EXPORTER_OTLP_ENDPOINT: nobody speaks TLS there"),
        ("http", "grpc", "it may not speak grpc"),
    ],
)
def test_who_speaks_no_tls_or_no_grpc_is_told_so(
    scheme: str, protocol: str, mend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Receiver() as receiver:
        at = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.endpoint.replace("http", scheme)}
        (finding,) = found(monkeypatch, **at, OTEL_EXPORTER_OTLP_PROTOCOL=protocol)
    assert (finding.status, finding.mend.startswith(mend)) == ("fault", True), finding


def test_a_file_of_tls_that_is_none_is_a_fault_and_nobody_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = str(tmp_path / "ca.pem")
    with Receiver() as receiver:
        (finding,) = found(
            monkeypatch,
            OTEL_EXPORTER_OTLP_ENDPOINT=receiver.endpoint,
            OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE=gone,
        )
        assert receiver.requests == 0
    assert finding.found.startswith("OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE=")
    assert finding.found.endswith("cannot be read (No such file or directory)")
    assert finding.mend == "name a PEM file with the receiver's authority"
    key = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIHidden"
    (pasted,) = found(monkeypatch, OTEL_TRACES_EXPORTER="otlp", OTEL_EXPORTER_OTLP_CLIENT_KEY=key)
    assert (pasted.status, "Hidden" in str(pasted)) == ("fault", False)


@pytest.mark.parametrize(
    ("case", "mend"),
    [
        ("pair that is none", "look at OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE and OTEL_EXPORTER_OTLP_CLIENT_KEY"),
        ("grpc, authority that is none", "name a PEM file with the receiver's authority"),
        ("grpc, to a server of HTTP/1", "it may not speak grpc"),
    ],
)
def test_what_fails_by_tls_leads_to_the_file_or_protocol_that_is_wrong(
    case: str, mend: str, known_certificates: Certificates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    none = tmp_path / "none.pem"
    none.write_text("none")
    own, trusted = known_certificates.server, known_certificates.authority.certificate
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(own.certificate, own.key)
    files = {"CERTIFICATE": none if case.endswith("authority that is none") else trusted}
    if case == "pair that is none":
        files |= {"CLIENT_CERTIFICATE": none, "CLIENT_KEY": none}
    variables = {f"OTEL_EXPORTER_OTLP_{name}": str(file) for name, file in files.items()}
    variables["OTEL_EXPORTER_OTLP_PROTOCOL"] = "grpc" if case.startswith("grpc") else "http/protobuf"
    with Receiver() as receiver:
        receiver._server.socket = server.wrap_socket(receiver._server.socket, server_side=True)
        at = receiver.endpoint.replace("http:", "https:")
        (finding,) = found(monkeypatch, OTEL_EXPORTER_OTLP_ENDPOINT=at, **variables)
    assert finding.status == "fault"
    assert finding.mend.startswith(mend), finding


@pytest.mark.parametrize(
    "said",
    [
        "[SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED] tlsv13 alert certificate required (_ssl.c:2580)",
        "[SSL: TLSV1_ALERT_UNKNOWN_CA] tlsv1 alert unknown ca (_ssl.c:2580)",
    ],
)
def test_a_certificate_that_a_receiver_asks_for_leads_to_the_files_of_the_pair(said: str) -> None:
    class Exporter:
        def export(self, _: object) -> None:
            raise ssl.SSLError(1, said)

    finding = ask("otlp-traces", "traces", Exporter(), "http/protobuf", {"OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY": "x"})
    assert (finding.status, said in finding.found) == ("fault", True)
    assert finding.mend == "look at OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE and OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY"


@pytest.mark.parametrize(
    ("kind", "mend"),
    [
        ("CLIENT_KEY", "name a PEM file with a private key"),
        ("CLIENT_CERTIFICATE", "name a PEM file with a certificate"),
    ],
)
def test_each_file_of_a_clients_certificate_is_looked_at(
    kind: str, mend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = {f"OTEL_EXPORTER_OTLP_{kind}": str(tmp_path / "gone.pem")}
    (finding,) = found(monkeypatch, OTEL_TRACES_EXPORTER="otlp", **file)
    assert (finding.status, finding.mend) == ("fault", mend)
    assert "cannot be read (No such file or directory)" in finding.found


def test_the_port_of_http_leads_to_its_protocol_where_grpc_finds_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    at = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
    (finding,) = found(monkeypatch, **at)
    assert finding.mend.startswith("set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf: port 4318 is by custom for that")


def test_an_exporter_that_is_not_installed_is_a_fault_and_console_and_none_are_not_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (finding,) = found(monkeypatch, OTEL_TRACES_EXPORTER="zipkin", OTEL_METRICS_EXPORTER="prometheus,console")
    assert (finding.check, finding.found) == ("exporter-traces", "OTEL_TRACES_EXPORTER names 'zipkin'")
    assert finding.mend.startswith("installed are ")


@pytest.mark.parametrize(
    ("named", "variable"),
    [
        (["REQUESTS_CA_BUNDLE"], "REQUESTS_CA_BUNDLE"),
        (["CURL_CA_BUNDLE"], "CURL_CA_BUNDLE"),
        (["REQUESTS_CA_BUNDLE", "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE"], "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE"),
        (["OTEL_EXPORTER_OTLP_CERTIFICATE"], "OTEL_EXPORTER_OTLP_CERTIFICATE"),
    ],
)
def test_a_receiver_that_is_not_trusted_leads_to_the_variable_that_says_whom_to_trust(
    named: list[str], variable: str, known_certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(known_certificates.server.certificate, known_certificates.server.key)
    with Receiver() as receiver:
        receiver._server.socket = server.wrap_socket(receiver._server.socket, server_side=True)
        (finding,) = found(
            monkeypatch,
            OTEL_EXPORTER_OTLP_ENDPOINT=receiver.endpoint.replace("http:", "https:"),
            **dict.fromkeys(named, str(known_certificates.other_authority.certificate)),
        )
    assert finding.status == "fault"
    assert finding.mend == f"look at {variable} and at http:// or https:// in OTEL_EXPORTER_OTLP_ENDPOINT"

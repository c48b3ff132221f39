"""Where the signals go: each exporter by itself."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from grpc import Compression
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import ConsoleMetricExporter

from otel_distro import exporters
from otel_distro.connections import session_of
from otel_distro.delivery.plain_http import PlainTransport
from otel_distro.errors import InputError
from otel_distro.internals.otlp import exporter_over
from otel_distro.settings import Settings
from tests.certificates import Certificates
from tests.processes import AppProcess, clean_environment
from tests.support import free_port


def settings(**changes: str) -> Settings:
    return Settings.from_environ(changes)


@pytest.mark.parametrize(
    ("protocol", "module"),
    [("http/protobuf", "opentelemetry.exporter.otlp.proto.http"), ("grpc", "opentelemetry.exporter.otlp.proto.grpc")],
)
@pytest.mark.parametrize("signal", ["traces", "metrics", "logs"])
def test_otlp_is_the_exporter_of_the_chosen_protocol(signal: str, protocol: str, module: str) -> None:
    exporter = exporters.load(signal, "otlp", settings(OTEL_EXPORTER_OTLP_PROTOCOL=protocol))
    assert type(exporter).__module__.startswith(module)
    exporter.shutdown()


def test_a_signals_own_protocol_goes_before_the_common_one() -> None:
    chosen = settings(OTEL_EXPORTER_OTLP_PROTOCOL="grpc", OTEL_EXPORTER_OTLP_LOGS_PROTOCOL="http/protobuf")
    exporter = exporters.load("logs", "otlp", chosen)
    assert ".proto.http" in type(exporter).__module__
    exporter.shutdown()


def test_an_unknown_exporter_is_named_with_what_is_installed() -> None:
    with pytest.raises(InputError, match=r"OTEL_TRACES_EXPORTER names 'jaeger'; installed are console, none, otlp"):
        exporters.load("traces", "jaeger", settings())


def test_none_and_repetitions_are_no_exporters() -> None:
    assert exporters.wanted(("none", "otlp", "NONE", "otlp", "console")) == ["otlp", "console"]


def test_one_that_fails_leaves_the_others() -> None:
    failed: list[str] = []

    def isolated(part: str, start: Callable[[], Any]) -> Any:
        try:
            return start()
        except InputError:
            failed.append(part)
            return None

    started = list(exporters._started("traces", ("nowhere", "console"), settings(), isolated))
    assert [type(exporter).__name__ for exporter in started] == ["ConsoleSpanExporter"]
    assert failed == ["traces exporter 'nowhere'"]


def test_nothing_is_imported_for_a_signal_that_is_off() -> None:
    program = textwrap.dedent(
        """
        import sys
        import otel_distro
        otel_distro.configure()
        exporters = ("opentelemetry.exporter.otlp.proto.http", "opentelemetry.exporter.otlp.proto.grpc")
        others = ("grpc", "google.protobuf", "duckdb", "elasticsearch", "requests", "opentelemetry.sdk._configuration")
        ours = ("otel_distro.delivery.outbox", "otel_distro.analyzer", "otel_distro.cli", "otel_distro.logs.setup")
        for name in (*exporters, *others, *ours):
            if name in sys.modules:
                print("imported:", name)
        """
    )
    env = {"OTEL_EXPORTER_PROMETHEUS_PORT": str(free_port())}
    with AppProcess([sys.executable, "-c", program], env) as app:
        assert app.wait() == 0
        assert "imported:" not in app.stdout, app.output


def test_series_are_limited_and_recorded_fast_where_no_page_is() -> None:
    program = (
        "from opentelemetry.sdk.metrics import MeterProvider\n"
        "from opentelemetry.sdk.metrics.export import InMemoryMetricReader\n"
        "from otel_distro import exporters\n"
        "from otel_distro.metrics import recording\n"
        "from otel_distro.settings import Settings\n"
        "reader = InMemoryMetricReader()\n"
        "provider = MeterProvider([reader], shutdown_on_exit=False)\n"
        "exporters._record_fast(provider, Settings.from_environ({'OTEL_DISTRO_SERIES_LIMIT': '2'}))\n"
        "counter = provider.get_meter('m').create_counter('c')\n"
        "for name in 'abcd' * 3:\n"
        "    counter.add(1, {'name': name})\n"
        "(resource,) = reader.get_metrics_data().resource_metrics\n"
        "points = resource.scope_metrics[0].metrics[0].data.data_points\n"
        "print(sorted(str(dict(point.attributes)) + str(point.value) for point in points))\n"
        "print(bool(recording._originals))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    points, fast = done.stdout.splitlines()
    assert points == str(["{'name': 'a'}3", "{'name': 'b'}3", "{'otel.metric.overflow': True}6"])
    assert fast == "True"


def test_a_page_that_is_there_already_stays_and_the_others_get_its_provider() -> None:
    program = """
import urllib.request
import otel_distro
server = otel_distro.start_metrics_server(0)
jobs = otel_distro.counter("jobs")
jobs.inc(3)
otel_distro.configure()
jobs.inc(4)
for port in (server.port, __import__("os").environ["OTEL_EXPORTER_PROMETHEUS_PORT"]):
    page = urllib.request.urlopen(f"http://localhost:{port}/metrics", timeout=30).read().decode()
    print([line for line in page.splitlines() if line.startswith("jobs_total")])
"""
    env = clean_environment(
        {"OTEL_METRICS_EXPORTER": "prometheus,console", "OTEL_EXPORTER_PROMETHEUS_PORT": str(free_port())}
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60, env=env
    )
    assert done.stdout.count("['jobs_total 7']") == 2
    assert '"name": "jobs"' in done.stdout
    assert done.stderr == ""


def test_contribs_logging_is_loaded_by_the_application_alone_and_exports_nothing_then() -> None:
    program = textwrap.dedent(
        """
        import logging, sys
        import otel_distro
        otel_distro.configure()
        factory = logging.getLogRecordFactory()
        print("loaded:", "opentelemetry.instrumentation.logging" in sys.modules)
        from opentelemetry.instrumentation.logging import LoggingInstrumentor
        LoggingInstrumentor().instrument()
        print("handlers:", logging.getLogger().handlers)
        LoggingInstrumentor().uninstrument()
        print("ours:", logging.getLogRecordFactory() == factory)
        """
    )
    env = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_METRICS_EXPORTER": "none"}
    with AppProcess([sys.executable, "-c", program], {**env, "OTEL_DISTRO_EXIT_TIMEOUT": "0"}) as app:
        assert app.wait() == 0
        assert app.stdout.splitlines()[-3:] == ["loaded: False", "handlers: []", "ours: True"], app.output


@pytest.mark.parametrize("signal", ["traces", "metrics", "logs"])
@pytest.mark.parametrize(("endpoint", "plain"), [("http://collector:4318", True), ("https://collector:4318", False)])
def test_only_what_needs_it_is_sent_by_requests(
    signal: str, endpoint: str, plain: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
    exporter = exporters.load(signal, "otlp", settings())
    assert (type(exporter._client._transport) is PlainTransport) == plain
    assert (session_of(exporter) is None) == plain
    exporter.shutdown()


@pytest.mark.parametrize(("milliseconds", "sent"), [("1", 0), ("60000", 2)])
def test_callbacks_have_the_time_that_the_variable_gives_them(milliseconds: str, sent: int) -> None:
    def slow(_: CallbackOptions) -> list[Observation]:
        time.sleep(0.01)
        return [Observation(1)]

    out = StringIO()
    reader = exporters._reader_of(ConsoleMetricExporter(out), settings(OTEL_METRIC_EXPORT_TIMEOUT=milliseconds))
    provider = MeterProvider([reader], shutdown_on_exit=False)
    for name in ("slow_one", "slow_two"):  # the SDK looks at the clock before each
        provider.get_meter("test").create_observable_gauge(name, [slow])
    reader.force_flush(60_000)
    assert out.getvalue().count('"slow_') == sent
    provider.shutdown()


def test_a_release_that_makes_exporters_in_another_way_sends_by_requests() -> None:
    class Other:
        def __init__(self) -> None:
            self.made = True

    assert exporter_over(Other, PlainTransport()) is None
    assert exporters._by_http(Other, settings()).made


def test_a_session_that_the_user_has_named_is_asked_for_and_goes_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_PYTHON_EXPORTER_OTLP_HTTP_CREDENTIAL_PROVIDER", "nowhere")
    with pytest.raises(RuntimeError, match="nowhere"):
        exporters.load("traces", "otlp", settings())


def test_a_header_that_cannot_be_read_is_named_once_and_its_value_is_not_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(exporters, "_told", set())
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization: Bearer hunter2,x-key=hun;ter2,hunter2/tail==,ok=1")
    for signal in ("traces", "logs"):
        exporters.load(signal, "otlp", settings()).shutdown()
    told = [message.partition("occurrences: ")[2] for message in caplog.messages]
    assert told == ["authorization=[redacted]", "x-key=[redacted]", "(no name)=[redacted]"]


@pytest.mark.parametrize(
    ("env", "compression"),
    [
        ({}, Compression.NoCompression),
        ({"OTEL_EXPORTER_OTLP_COMPRESSION": "none"}, Compression.NoCompression),
        ({"OTEL_EXPORTER_OTLP_COMPRESSION": "GZIP"}, Compression.Gzip),
        (
            {"OTEL_EXPORTER_OTLP_COMPRESSION": "gzip", "OTEL_EXPORTER_OTLP_{}_COMPRESSION": "none"},
            Compression.NoCompression,
        ),
        ({"OTEL_EXPORTER_OTLP_{}_COMPRESSION": "deflate"}, Compression.Deflate),
        ({"OTEL_EXPORTER_OTLP_COMPRESSION": "gzip", "OTEL_EXPORTER_OTLP_{}_COMPRESSION": "zstd"}, Compression.Gzip),
    ],
)
@pytest.mark.parametrize("signal", ["traces", "metrics", "logs"])
def test_grpc_takes_every_name_of_compression(
    signal: str, env: dict[str, str], compression: Compression, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = {name.format(signal.upper()): value for name, value in env.items()}
    for name, value in named.items():
        monkeypatch.setenv(name, value)
    exporter = exporters.load(signal, "otlp", settings(**named, OTEL_EXPORTER_OTLP_PROTOCOL="grpc"))
    assert exporter._compression is compression
    exporter.shutdown()


@pytest.mark.parametrize(
    ("authorities", "said"),
    [
        ("nowhere", "cannot be read: No such file or directory"),
        ("empty", "is an empty file"),
        ("key", "holds no certificate in PEM"),
    ],
)
def test_authorities_that_are_none_are_said_once_and_not_at_each_try(
    authorities: str, said: str, known_certificates: Certificates, tmp_path: Path
) -> None:
    (tmp_path / "key").write_bytes(known_certificates.client.key.read_bytes())
    (tmp_path / "empty").touch()
    env = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "https://127.0.0.1:1",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
        "OTEL_EXPORTER_OTLP_CERTIFICATE": authorities,
        "OTEL_LOGS_EXPORTER": "none",
        "OTEL_METRICS_EXPORTER": "none",
    }
    script = "from opentelemetry import trace; trace.get_tracer('a').start_span('b').end(); print('goes on')"
    with AppProcess(["opentelemetry-instrument", "python", "-c", script], env, cwd=tmp_path) as app:
        assert app.wait() == 0, app.output
        assert "goes on" in app.stdout
        problem = f"InputError: OTEL_EXPORTER_OTLP_CERTIFICATE='{authorities}' {said};"
        (line,) = app.stderr.splitlines()
        assert f"traces exporter 'otlp' did not start: {problem}" in line


@pytest.mark.parametrize(
    ("key", "certificate", "said"),
    [
        ("key", "", "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE is not set, and a client's certificate and key go together"),
        ("", "certificate", "OTEL_EXPORTER_OTLP_CLIENT_KEY is not set, and a client's certificate and key go together"),
        ("nowhere", "certificate", "OTEL_EXPORTER_OTLP_CLIENT_KEY='nowhere' cannot be read: No such file or directory"),
        ("key", "empty", "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE='empty' is an empty file"),
        ("key", "certificate", ""),
    ],
)
@pytest.mark.parametrize("signal", ["", "TRACES_"])
def test_half_of_a_clients_certificate_and_key_costs_the_exporter_and_not_the_process(
    key: str, certificate: str, said: str, signal: str, known_certificates: Certificates, tmp_path: Path
) -> None:
    pair = known_certificates.client
    for name, content in (("key", pair.key), ("certificate", pair.certificate)):
        (tmp_path / name).write_bytes(content.read_bytes())
    (tmp_path / "empty").touch()
    env = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "https://127.0.0.1:1",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
        f"OTEL_EXPORTER_OTLP_{signal}CERTIFICATE": str(known_certificates.authority.certificate),
        f"OTEL_EXPORTER_OTLP_{signal}CLIENT_KEY": key,
        f"OTEL_EXPORTER_OTLP_{signal}CLIENT_CERTIFICATE": certificate,
        "OTEL_METRICS_EXPORTER": "none",
        "OTEL_DISTRO_EXIT_TIMEOUT": "0",
    }
    with AppProcess(["opentelemetry-instrument", "python", "-c", "print('goes on')"], env, cwd=tmp_path) as app:
        assert app.wait() == 0, app.output
        assert "goes on" in app.stdout
        assert app.output.count(f"traces exporter 'otlp' did not start: InputError: {said};") == (said != "")
        assert said or "did not start" not in app.output
        assert "Traceback" not in app.output

"""The page by the application's own word, and what it is told."""

from __future__ import annotations

import socket
import sys
import textwrap
from collections.abc import Iterator

import pytest
from opentelemetry.metrics import get_meter

from otel_distro.metrics.by_hand import start_metrics_server
from otel_distro.metrics.server import page_service
from tests.processes import AppProcess
from tests.support import free_port, request


@pytest.fixture(autouse=True)
def _stopped() -> Iterator[None]:
    yield
    page_service.close()


def test_the_address_is_printed_and_serves_what_the_api_records(capsys: pytest.CaptureFixture[str]) -> None:
    port = free_port()
    server = start_metrics_server(port)
    assert server is not None
    assert capsys.readouterr().out == f"Metrics are served at http://localhost:{port}/metrics\n"
    get_meter("test").create_counter("served").add(2, {"a": "b"})
    assert 'served_total{a="b"} 2' in request(server.url).text


def test_a_second_call_for_a_port_says_so_and_another_port_is_served_too(capsys: pytest.CaptureFixture[str]) -> None:
    first, second = start_metrics_server(free_port()), start_metrics_server(free_port())
    assert first is not None
    assert second is not None
    assert request(first.url).body[:20] == request(second.url).body[:20]
    capsys.readouterr()
    assert start_metrics_server(first.port) is None
    assert capsys.readouterr().out == f"Metrics are already served at {first.url}\n"


def test_a_taken_port_is_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", 0))
        stranger.listen()
        port = stranger.getsockname()[1]
        assert start_metrics_server(port) is None
    assert [record.getMessage() for record in caplog.records] == [
        (
            f"metrics are not served on localhost:{port}: Address already in use; "
            "free the port or choose another one (OTEL_EXPORTER_PROMETHEUS_PORT); the application runs on"
        )
    ]


@pytest.mark.parametrize("host", ["192.0.2.1", "localhost:8000", "http://localhost", "a..b", "nowhere.invalid"])
def test_a_host_that_is_none_of_this_machine_is_one_warning_that_names_its_variable(
    host: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert start_metrics_server(free_port(), host) is None
    assert len(caplog.records) == 1
    assert "name an address of this machine (OTEL_EXPORTER_PROMETHEUS_HOST)" in caplog.text
    assert f"not served on {host}:" in caplog.text
    assert "OTEL_EXPORTER_PROMETHEUS_PORT" not in caplog.text


@pytest.mark.parametrize("port", [True, -1, 65536, "8000", None, 8000.5])
def test_a_port_that_is_none_is_one_warning(port: object, caplog: pytest.LogCaptureFixture) -> None:
    assert start_metrics_server(port) is None  # type: ignore[arg-type]
    assert len(caplog.records) == 1
    assert f"port={port!r} is not a whole number" in caplog.text


def test_a_disabled_sdk_serves_nothing(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    assert start_metrics_server(free_port()) is None
    assert "OTEL_SDK_DISABLED=true" in capsys.readouterr().out


def test_a_meter_provider_of_another_kind_is_named(tmp_path: object) -> None:
    program = textwrap.dedent(
        """
        from opentelemetry.metrics import NoOpMeterProvider, set_meter_provider
        set_meter_provider(NoOpMeterProvider())
        from otel_distro import start_metrics_server
        for _ in range(2):
            print(start_metrics_server(0))
        """
    )
    with AppProcess([sys.executable, "-c", program]) as app:
        assert app.wait() == 0
        assert app.output.count("the meter provider of this process is NoOpMeterProvider") == 2
        assert app.stdout == "None\nNone\n"


def test_a_provider_that_the_application_has_set_feeds_the_page(tmp_path: object) -> None:
    program = textwrap.dedent(
        """
        import urllib.request
        from opentelemetry.metrics import get_meter, set_meter_provider
        from opentelemetry.sdk.metrics import MeterProvider
        set_meter_provider(MeterProvider())
        from otel_distro import start_metrics_server
        server = start_metrics_server(0)
        get_meter("a").create_counter("jobs").add(7)
        print(urllib.request.urlopen(server.url).read().decode())
        """
    )
    with AppProcess([sys.executable, "-c", program]) as app:
        assert app.wait() == 0
        assert "jobs_total 7" in app.stdout

"""The mission's sample programs, as processes: exactly those series and those documents."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from otel_distro import LogAnalyzer
from tests.processes import ROOT, AppProcess
from tests.support import free_port, request

APP = ROOT / "tests" / "data" / "apps" / "sample.py"
OURS = ("http_", "active_connections", "orders", "revenue", "active_users", "order_processing", "function_duration")
ORDER_BOUNDS = ("1.0", "5.0", "10.0", "30.0", "60.0", "120.0", "+Inf")


def start(folder: Path, port: int) -> AppProcess:
    return AppProcess(["python", APP, "--stay"], {"PORT": str(port), "LOG_FILE": str(folder / "app.log")})


def documents(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def test_the_page_has_exactly_the_series_of_the_sample_calls(tmp_path: Path) -> None:
    port = free_port()
    with start(tmp_path, port) as app:
        app.wait_for_output("ready\n")
        page = request(f"http://localhost:{port}/metrics").text
    samples: dict[tuple[Any, ...], float] = {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
        if sample.name.startswith(OURS)
    }
    durations = {key: value for key, value in samples.items() if "duration" in key[0]}
    route = (("endpoint", "/api/users"), ("method", "GET"))
    order = ("order_type", "standard")
    below = {bound: 0.0 if bound == "1.0" else 1.0 for bound in ORDER_BOUNDS}
    expected: dict[tuple[Any, ...], float] = {
        ("http_requests_total", *route, ("status", "200")): 10,
        ("http_response_size_bytes_count", *route): 10,
        ("http_response_size_bytes_sum", *route): 10240,
        ("active_connections",): 0,
        ("orders_total", ("payment_method", "alipay"), ("status", "completed")): 1,
        ("orders_total", ("payment_method", "wechat"), ("status", "failed")): 1,
        ("revenue_total", ("currency", "CNY")): 99.99,
        ("active_users", ("time_window", "1h")): 150,
        ("order_processing_seconds_count", order): 1,
        ("order_processing_seconds_sum", order): 3.5,
        **{("order_processing_seconds_bucket", ("le", bound), order): below[bound] for bound in ORDER_BOUNDS},
    }
    assert {key: value for key, value in samples.items() if key not in durations} == expected
    function = (("function_name", "compute"), ("module", "__main__"))
    counts = {key: value for key, value in durations.items() if key[0].endswith("_count")}
    assert counts == {
        ("http_request_duration_seconds_count", *route): 10,
        ("function_duration_seconds_count", *function): 1,
    }
    assert {key[0] for key in durations} == {
        f"{name}_duration_seconds_{part}"
        for name in ("http_request", "function")
        for part in ("bucket", "count", "sum")
    }


def test_the_log_has_exactly_the_documents_of_the_sample_calls(tmp_path: Path) -> None:
    port = free_port()
    with start(tmp_path, port) as app:
        app.wait_for_output("ready\n")
        console = app.stdout
    logged = documents((tmp_path / "app.log").read_text())
    assert logged == documents(console)
    started, failed, logged_in = logged
    assert (started["message"], started["level"], started["version"]) == ("application started", "INFO", "1.0.0")
    assert started["logger"] == "root"
    assert (started["module"], started["function"]) == ("sample", "main")
    assert (failed["message"], failed["level"]) == ("could not divide", "ERROR")
    assert (failed["error_type"], failed["error_message"]) == ("ZeroDivisionError", "division by zero")
    assert failed["exc_info"].splitlines()[-1] == "ZeroDivisionError: division by zero"
    assert (logged_in["user_id"], logged_in["request_id"]) == ("12345", "req-001")
    assert len({document["log_id"] for document in logged}) == 3
    assert sorted(document["timestamp"] for document in logged) == [document["timestamp"] for document in logged]


def test_the_analyzer_answers_from_the_samples_file(tmp_path: Path) -> None:
    with start(tmp_path, free_port()) as app:
        app.wait_for_output("ready\n")
    analyzer = LogAnalyzer(str(tmp_path / "*.log"))
    assert [document["message"] for document in analyzer.search_errors(hours=1, size=100)] == ["could not divide"]
    rate = analyzer.get_error_rate(hours=1)
    assert (rate["total"], rate["errors"]) == (3, 1)
    assert rate["rate"] == pytest.approx(1 / 3)
    assert [document["message"] for document in analyzer.search_by_user("12345", hours=24)] == ["user logged in"]


def test_the_address_is_printed_and_a_second_call_says_so(tmp_path: Path) -> None:
    port = free_port()
    with start(tmp_path, port) as app:
        output = app.wait_for_output("ready\n")
    assert f"Metrics are served at http://localhost:{port}/metrics" in output
    assert f"Metrics are already served at http://localhost:{port}/metrics" in output


def test_a_taken_port_is_one_message_and_the_program_goes_on(tmp_path: Path) -> None:
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", 0))
        stranger.listen()
        port = stranger.getsockname()[1]
        with start(tmp_path, port) as app:
            app.wait_for_output("ready\n")
    warnings = [d["message"] for d in documents((tmp_path / "app.log").read_text()) if d["level"] == "WARNING"]
    assert warnings
    assert set(warnings) == {
        (
            f"metrics are not served on localhost:{port}: Address already in use; free the port or choose another one "
            "(OTEL_EXPORTER_PROMETHEUS_PORT); the application runs on"
        )
    }

"""A start imports no more modules than these beside Flask's: the figure of its cost that no busy machine changes."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest

from tests.processes import AppProcess

PROGRAM = """
import sys
from flask import Flask

app = Flask("start")
app.add_url_rule("/", "index", lambda: "hello")
assert app.test_client().get("/").status_code == 200
print("modules:", *sorted(sys.modules))
"""
PAGE = {"OTEL_EXPORTER_PROMETHEUS_PORT": "0", "OTEL_METRICS_EXPORTER": "prometheus"}
OTLP = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_DISTRO_EXIT_TIMEOUT": "0"}
NO_PAGE = {"OTEL_METRICS_EXPORTER": "none"}
# By what begins the names of modules that a start without this part has no use for.
TRACES = ("opentelemetry.exporter", "opentelemetry.sdk.trace.export", "requests", "google.protobuf")
METRICS = ("opentelemetry.sdk.metrics", "otel_distro.metrics.server", "otel_distro.metrics.reader")
LOG_EXPORT = ("opentelemetry.sdk._logs", "opentelemetry.instrumentation.logging", "logging.config")
NEVER = ("prometheus_client", "grpc", "duckdb", "elasticsearch", "opentelemetry.sdk._configuration")


def modules(command: tuple[str, ...], env: Mapping[str, str]) -> frozenset[str]:
    """Return the names of all modules that the program has imported when it has answered a request."""
    with AppProcess([*command, "python", "-c", PROGRAM], env) as app:
        assert app.wait() == 0, app.output
        (line,) = [line for line in app.stdout.splitlines() if line.startswith("modules:")]
    return frozenset(line.split()[1:])


@cache
def bare() -> frozenset[str]:
    return modules((), {})


@pytest.mark.parametrize(
    ("asked_for", "most", "left_out"),
    [
        ("page", 204, (*TRACES, *LOG_EXPORT, "otel_distro.logs", *NEVER)),
        (
            "page and OTLP",
            441,
            ("grpc", "duckdb", "elasticsearch", "prometheus_client", "opentelemetry.sdk._configuration"),
        ),
        (
            "log file",
            170,
            (*TRACES, *METRICS, *LOG_EXPORT, *NEVER),
        ),
    ],
)
def test_a_start_imports_what_is_asked_for_and_no_more(
    asked_for: str, most: int, left_out: tuple[str, ...], tmp_path: Path
) -> None:
    log_file = {**NO_PAGE, "OTEL_DISTRO_LOG_FILE": str(tmp_path / "log.json")}
    env = {"page": PAGE, "page and OTLP": {**PAGE, **OTLP}, "log file": log_file}[asked_for]
    added = modules(("opentelemetry-instrument",), env) - bare()
    assert [name for name in sorted(added) if f"{name}.".startswith(tuple(f"{part}." for part in left_out))] == []
    assert "otel_distro.distro" in added
    # Python's own modules differ from release to release.
    counted = [name for name in added if name.partition(".")[0] not in sys.stdlib_module_names]
    assert len(counted) <= most, sorted(counted)

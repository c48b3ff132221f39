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
NOTHING = {f"OTEL_{signal}_EXPORTER": "none" for signal in ("METRICS", "TRACES", "LOGS")}
# By what begins the names of modules that a start without this part has no use for.
EXPORT = ("opentelemetry.exporter", "google.protobuf", "otel_distro.delivery")
SPANS = ("opentelemetry.sdk.trace.export", "otel_distro.otlp_spans")
METRICS = ("opentelemetry.sdk.metrics", "otel_distro.metrics.server", "otel_distro.metrics.reader")
PAGE_ALONE = ("otel_distro.metrics.server", "otel_distro.metrics.prometheus")
LOGS = ("opentelemetry.sdk._logs", "otel_distro.logs", "otel_distro.otlp_logs")
LOG_EXPORT = ("opentelemetry.sdk._logs", "otel_distro.logs.otlp_handler", "otel_distro.otlp_logs")
NEVER = (
    "prometheus_client", "grpc", "duckdb", "elasticsearch", "opentelemetry.sdk._configuration", "requests", "urllib3",
    "opentelemetry.instrumentation.logging", "logging.config",
)  # fmt: skip


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
        ("page", 204, (*EXPORT, *SPANS, *LOGS)),
        ("page, traces and logs by OTLP", 325, ()),
        ("log file", 170, (*EXPORT, *SPANS, *METRICS, *LOG_EXPORT)),
        ("traces by OTLP", 237, (*METRICS, *LOGS)),
        ("metrics by OTLP", 265, (*SPANS, *PAGE_ALONE, *LOGS)),
        ("logs by OTLP", 265, (*SPANS, *METRICS)),
        ("nothing", 157, (*EXPORT, *SPANS, *METRICS, *LOGS)),
    ],
)
def test_a_start_imports_what_is_asked_for_and_no_more(
    asked_for: str, most: int, left_out: tuple[str, ...], tmp_path: Path
) -> None:
    env = {
        "page": PAGE,
        "page, traces and logs by OTLP": {**PAGE, **OTLP},
        "log file": {**NOTHING, "OTEL_DISTRO_LOG_FILE": str(tmp_path / "log.json")},
        "traces by OTLP": {**NOTHING, **OTLP, "OTEL_TRACES_EXPORTER": "otlp"},
        "metrics by OTLP": {**NOTHING, **OTLP, "OTEL_METRICS_EXPORTER": "otlp"},
        "logs by OTLP": {**NOTHING, **OTLP, "OTEL_LOGS_EXPORTER": "otlp"},
        "nothing": NOTHING,
    }[asked_for]
    left_out = (*left_out, *NEVER)
    added = modules(("opentelemetry-instrument",), env) - bare()
    assert [name for name in sorted(added) if f"{name}.".startswith(tuple(f"{part}." for part in left_out))] == []
    assert "otel_distro.distro" in added
    # Python's own modules differ from release to release.
    counted = [name for name in added if name.partition(".")[0] not in sys.stdlib_module_names]
    assert len(counted) <= most, sorted(counted)

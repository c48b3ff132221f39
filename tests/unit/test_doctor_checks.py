"""Which checks the settings ask for."""

from __future__ import annotations

import os

import pytest

from otel_distro.doctor import page
from otel_distro.doctor.checks import checks
from otel_distro.settings import Settings
from tests.support import free_port

ALWAYS = ["variables", "start", "python", "opentelemetry"]


def names(monkeypatch: pytest.MonkeyPatch, **environment: str) -> list[str]:
    with monkeypatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("OTEL_", "PROMETHEUS_"))]:
            patch.delenv(name)
        for name, text in environment.items():
            patch.setenv(name, text)
        before = dict(os.environ)
        try:
            return [check.name for check in checks()]
        finally:  # it is prepared as at a start
            for name in os.environ.keys() - before.keys():
                del os.environ[name]


def test_the_page_is_looked_at_by_default_and_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    assert names(monkeypatch) == [*ALWAYS, "instrumentations", "page-access", "shared-folder", "page"]


def test_each_signal_that_is_sent_and_the_log_file_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    found = names(
        monkeypatch,
        OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{free_port()}",
        OTEL_METRICS_EXPORTER="otlp",
        OTEL_LOGS_EXPORTER="console",
        OTEL_DISTRO_LOG_FILE="x.log",
    )
    assert found == [*ALWAYS, "instrumentations", "log-file", "otlp-traces", "otlp-metrics"]


def test_a_port_for_a_page_that_nobody_asks_for_is_a_warning_with_the_list_that_lacks_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    port = {"OTEL_EXPORTER_PROMETHEUS_PORT": "8000"}
    assert names(monkeypatch, OTEL_METRICS_EXPORTER="none", **port) == [*ALWAYS, "instrumentations", "page"]
    (warning,) = page.unasked(Settings.from_environ({"OTEL_METRICS_EXPORTER": "otlp,console"}), *port)
    wrong = "there is none, though OTEL_EXPORTER_PROMETHEUS_PORT is set: OTEL_METRICS_EXPORTER=otlp,console"
    assert (warning.check, warning.status, warning.found) == ("page", "warning", wrong)
    assert warning.mend == "add prometheus to that list, or unset OTEL_EXPORTER_PROMETHEUS_PORT"


def test_parts_of_opentelemetry_are_looked_at_where_a_variable_names_one(monkeypatch: pytest.MonkeyPatch) -> None:
    found = names(monkeypatch, OTEL_TRACES_SAMPLER="always_on", OTEL_METRICS_EXPORTER="none")
    assert found == [*ALWAYS, "instrumentations", "components"]


def test_where_nothing_starts_nothing_else_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    assert names(monkeypatch, OTEL_SDK_DISABLED="true") == ALWAYS
    found = names(monkeypatch, OTEL_CONFIG_FILE="otel.yaml")
    assert found == [*ALWAYS, "instrumentations", "configuration"]

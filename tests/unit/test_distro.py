"""The entry points: what they do to the environment and to parts that fail."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.metadata import EntryPoint, entry_points
from types import SimpleNamespace
from typing import Any

import pytest
from opentelemetry.metrics import NoOpMeterProvider

from otel_distro import distro, instrumentors
from otel_distro.distro import OtelConfigurator, OtelDistro, configure
from tests.data.apps import counted_django  # noqa: F401 -- Django's settings stand: its instrumentor is called at once
from tests.processes import AppProcess


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give each test an environment without any variable of ours, and take back what it leaves there."""
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


def test_the_defaults_are_put_into_the_environment() -> None:
    OtelDistro().configure()
    assert os.environ["OTEL_METRICS_EXPORTER"] == "prometheus"
    assert os.environ["OTEL_TRACES_EXPORTER"] == os.environ["OTEL_LOGS_EXPORTER"] == "none"
    assert os.environ["OTEL_EXPORTER_OTLP_PROTOCOL"] == "http/protobuf"


def test_what_the_user_has_set_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "console")
    OtelDistro().configure()
    assert os.environ["OTEL_METRICS_EXPORTER"] == "console"


def test_a_disabled_sdk_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "True")
    before = dict(os.environ)
    OtelDistro().configure()
    OtelConfigurator().configure()
    OtelDistro().load_instrumentor(EntryPoint("broken", "nowhere:Nothing", "opentelemetry_instrumentor"))
    configure()
    assert dict(os.environ) == before
    assert distro._started == []


def test_both_entry_points_are_installed() -> None:
    assert {entry.value for entry in entry_points(group="opentelemetry_distro")} == {"otel_distro.distro:OtelDistro"}
    values = {entry.value for entry in entry_points(group="opentelemetry_configurator")}
    assert values == {"otel_distro.distro:OtelConfigurator"}


@pytest.mark.parametrize(
    ("value", "warning"),
    [
        ("tests.data.apps.raising:Instrumentor", "instrumentation 'mine' did not start: RuntimeError: on purpose"),
        ("otel_distro.context:no_such_name", "instrumentation 'mine' did not start: AttributeError"),
    ],
)
def test_an_instrumentor_that_raises_gives_one_warning(
    value: str, warning: str, caplog: pytest.LogCaptureFixture
) -> None:
    OtelDistro().load_instrumentor(EntryPoint("mine", value, "opentelemetry_instrumentor"), skip_dep_check=True)
    assert [record.getMessage()[: len(warning)] for record in caplog.records if record.levelname == "WARNING"] == [
        warning
    ]


def test_an_instrumentor_of_a_library_that_is_not_there_is_left_out_quietly(caplog: pytest.LogCaptureFixture) -> None:
    OtelDistro().load_instrumentor(EntryPoint("mine", "no_such_module:X", "opentelemetry_instrumentor"))
    assert caplog.records == []


def test_instrumentors_that_the_user_does_not_want_are_not_loaded() -> None:
    from otel_distro.settings import Settings

    def names(off: str) -> set[str]:
        settings = Settings.from_environ({"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": off})
        return {entry.name for entry in instrumentors.wanted_instrumentors(settings)}

    assert {"flask", "logging"} <= names("")
    assert "flask" not in names("flask, other")
    assert names("*") == set()


@pytest.mark.parametrize("value", ["b4", "tracecontext,", " "])
def test_a_propagator_that_is_not_installed_leaves_the_program_as_it_is_with_one_warning(value: str) -> None:
    program = "import otel_distro; otel_distro.configure(); otel_distro.configure; print('goes on')"
    with AppProcess(["python", "-c", program], {"OTEL_PROPAGATORS": value, "OTEL_METRICS_EXPORTER": "none"}) as app:
        assert app.wait() == 0, app.output
        assert app.stdout == "goes on\n"
        [line] = app.stderr.splitlines()
        assert line.startswith("OpenTelemetry cannot be loaded (ValueError: Propagator ")
        assert line.endswith("nothing is set up")


@pytest.mark.parametrize(("chosen", "given"), [("classic", True), ("both", False), ("semconv", False)])
@pytest.mark.parametrize("name", ["fastapi", "starlette", "django"])
def test_instrumentors_of_frameworks_record_no_metrics_but_what_is_chosen(
    name: str, chosen: str, given: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[dict[str, Any]] = []
    instrumentor = SimpleNamespace(instrument=lambda **options: seen.append(options))
    entry_point: Any = SimpleNamespace(name=name, load=lambda: lambda: instrumentor)
    monkeypatch.setenv("OTEL_DISTRO_HTTP_METRICS", chosen)
    OtelDistro().load_instrumentor(entry_point)
    assert [type(options.get("meter_provider")) is NoOpMeterProvider for options in seen] == [given]


@pytest.mark.parametrize("signal", ["tracer", "meter", "logger"])
def test_a_provider_that_is_not_installed_is_one_warning_and_no_end_of_the_program(signal: str) -> None:
    # The program asks for what nobody exports: that is when OpenTelemetry looks for it.
    program = """
import otel_distro
from opentelemetry import _logs, metrics, trace
otel_distro.configure()
with trace.get_tracer("test").start_as_current_span("work"):
    metrics.get_meter("test").create_counter("work").add(1)
_logs.get_logger("test").emit(_logs.LogRecord(body="work"))
"""
    named = f"OTEL_PYTHON_{signal.upper()}_PROVIDER"
    env = {named: "bogus", "OTEL_METRICS_EXPORTER": "none", "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "*"}
    with AppProcess(["python", "-c", program], env) as app:
        assert app.wait() == 0
        assert app.output == f"{named}='bogus' names no {signal} provider that is installed; it is ignored\n"


def test_a_warning_of_a_variable_that_holds_what_was_meant_for_another_one_tells_no_secret() -> None:
    env = {
        "OTEL_TRACES_EXPORTER": "http://bob:x1y2z3@collector:4318",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "Authorization=Bearer x1y2z3",
        "OTEL_METRICS_EXPORTER": "none",
    }
    with AppProcess(["python", "-c", "import otel_distro; otel_distro.configure()"], env) as app:
        assert app.wait() == 0
        assert "http://bob:[redacted]@collector:4318" in app.output
        assert "OTEL_EXPORTER_OTLP_PROTOCOL=" in app.output
        assert "x1y2z3" not in app.output


def test_resource_detectors_and_a_context_that_nobody_has_installed_are_one_warning_each() -> None:
    program = """
import os
import otel_distro
otel_distro.configure()
print(os.environ.get("OTEL_PYTHON_CONTEXT"), os.environ["OTEL_EXPERIMENTAL_RESOURCE_DETECTORS"])
"""
    env = {"OTEL_METRICS_EXPORTER": "console", "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "*"}
    env |= {"OTEL_EXPERIMENTAL_RESOURCE_DETECTORS": "procss,os,,cloud", "OTEL_PYTHON_CONTEXT": "bogus"}
    with AppProcess(["python", "-c", program], env) as app:
        assert app.wait() == 0, app.output
        assert app.stdout.startswith("None os\n")
        # What OpenTelemetry itself says of the context comes before any of this can run.
        context, *detectors = app.stderr.partition("StopIteration\n")[2].splitlines()
        assert context == "OTEL_PYTHON_CONTEXT='bogus' names no context that is installed; it is ignored"
        wrong = "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS names {!r}, no resource detector that is installed; it is ignored"
        assert detectors == [wrong.format("procss"), wrong.format("cloud")]


@pytest.mark.parametrize("before", [None, "false"])
def test_what_is_imported_without_a_start_leaves_the_environment_as_it_was(
    before: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if before is not None:
        monkeypatch.setenv("OTEL_SDK_DISABLED", before)
    with pytest.raises(SystemExit), distro.nothing_started():
        configure()
        raise SystemExit
    assert (os.environ.get("OTEL_SDK_DISABLED"), distro._started) == (before, [])

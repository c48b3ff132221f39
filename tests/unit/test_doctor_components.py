"""OpenTelemetry's exchangeable parts that variables name."""

from __future__ import annotations

import pytest

from otel_distro.doctor import components


@pytest.mark.parametrize(
    "environment",
    [
        {"OTEL_TRACES_SAMPLER": "Always_ON", "OTEL_PYTHON_ID_GENERATOR": "random"},
        {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": " 0.25 "},
        {"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0"},
        {"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "1"},
        {"OTEL_TRACES_SAMPLER": "always_off", "OTEL_TRACES_SAMPLER_ARG": "of another sampler"},
        {"OTEL_PYTHON_CONTEXT": "contextvars_context", "OTEL_PYTHON_METER_PROVIDER": "sdk_meter_provider"},
        {"OTEL_PYTHON_ID_GENERATOR": " random ", "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS": "process, *,,"},
    ],
    ids=str,
)
def test_what_is_installed_is_well(environment: dict[str, str]) -> None:
    [found] = components.look(environment)
    assert found.status == "ok"


@pytest.mark.parametrize(
    ("variable", "named", "mend"),
    [
        ("OTEL_TRACES_SAMPLER", "parent_based_always_on", "is parentbased_always_on meant?"),
        ("OTEL_TRACES_SAMPLER", " ALWAYS_ONN ", "is always_on meant?"),
        ("OTEL_PYTHON_ID_GENERATOR", "xray", "unset it; installed are random"),
        ("OTEL_PYTHON_CONTEXT", "contextvar", "is contextvars_context meant?"),
        ("OTEL_PYTHON_CONTEXT", " contextvars_context", "is contextvars_context meant?"),  # read with its blank
        ("OTEL_PYTHON_METER_CONFIGURATOR", "quiet", "unset it; installed are none"),
        ("OTEL_PYTHON_TRACER_PROVIDER", "sdk", "unset it; installed are default_tracer_provider, sdk_tracer_provider"),
    ],
)
def test_a_name_that_nobody_has_installed_is_a_fault(variable: str, named: str, mend: str) -> None:
    [found] = components.look({variable: named})
    named = named.strip() if variable == "OTEL_TRACES_SAMPLER" else named  # a start takes its blanks away
    wrong = f"{variable}={named!r} names nothing that is installed: the default is used"
    assert (found.status, found.found, found.mend) == ("fault", wrong, mend)


@pytest.mark.parametrize("kind", ["TRACER", "METER", "LOGGER"])
def test_a_provider_of_each_signal_is_looked_at(kind: str) -> None:
    [wrong] = components.look({f"OTEL_PYTHON_{kind}_PROVIDER": "nobodys"})
    [right] = components.look({f"OTEL_PYTHON_{kind}_PROVIDER": f"sdk_{kind.lower()}_provider"})
    assert (wrong.status, right.status) == ("fault", "ok")


def test_each_resource_detector_that_nobody_has_installed_is_a_fault() -> None:
    typed, unknown = components.look({"OTEL_EXPERIMENTAL_RESOURCE_DETECTORS": "procss, os ,cloud"})
    assert (typed.status, typed.mend) == ("fault", "is process meant?")
    wrong = "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS names 'cloud', which is not installed: what it would tell is missing"
    assert unknown.found == wrong
    assert unknown.mend.startswith("take it out of that list; installed are host, os, ")


@pytest.mark.parametrize("argument", ["", "5", "1.01", "-0.1", "nan", "0,5", "50%"])
@pytest.mark.parametrize("sampler", ["traceidratio", "PARENTBASED_TraceIdRatio"])
def test_a_ratio_that_is_none_is_a_fault_as_all_traces_are_recorded(argument: str, sampler: str) -> None:
    [found] = components.look({"OTEL_TRACES_SAMPLER": sampler, "OTEL_TRACES_SAMPLER_ARG": argument})
    wrong = f"OTEL_TRACES_SAMPLER_ARG={argument!r} is no number from 0 to 1"
    assert found.status == "fault"
    assert found.found == f"{wrong if argument else 'OTEL_TRACES_SAMPLER_ARG is not set'}: all traces are recorded"
    assert found.mend == f"give the share that {sampler.lower()} is to record"

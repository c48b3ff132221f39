"""Releases and parts of OpenTelemetry."""

from __future__ import annotations

import pytest

from otel_distro import internals
from otel_distro.doctor import opentelemetry
from otel_distro.settings import Settings


def settings(**environment: str) -> Settings:
    return Settings.from_environ(environment)


def test_the_release_that_the_package_is_made_for_is_well() -> None:
    (found,) = opentelemetry.look(settings(), None)
    assert found.status == "ok"
    assert all(f"{part} " in found.found for part in ("api", "sdk", "instrumentation"))


def test_a_release_that_has_lost_a_private_part_is_a_warning_that_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(internals, "missing", lambda: ["opentelemetry.x._y"])
    (found,) = opentelemetry.look(settings(), None)
    assert found.status == "warning"
    assert "has no opentelemetry.x._y" in found.found


def test_one_that_keeps_measurements_otherwise_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(internals, "metrics_sdk", lambda: None)
    (found,) = opentelemetry.look(settings(), None)
    assert (found.status, "slower" in found.mend) == ("warning", True)


def test_a_propagator_that_is_missing_is_named_and_any_other_reason_is_named_by_its_type() -> None:
    (missing,) = opentelemetry.look(settings(OTEL_PROPAGATORS="b3,baggage"), ValueError())
    assert "OTEL_PROPAGATORS names b3, not installed" in missing.found
    assert "tracecontext" in missing.mend
    (other,) = opentelemetry.look(settings(), ImportError("hidden"))
    assert (other.status, "(ImportError)" in other.found, "hidden" in str(other)) == ("fault", True, False)


def test_a_sampler_and_an_id_generator_that_are_not_installed_are_faults() -> None:
    _, sampler, generator = opentelemetry.look(
        settings(OTEL_TRACES_SAMPLER="always", OTEL_PYTHON_ID_GENERATOR="xray"), None
    )
    assert sampler.found == "OTEL_TRACES_SAMPLER names always, not installed"
    assert "parentbased_always_on" in sampler.mend
    assert generator.mend == "name one of random"
    assert len(opentelemetry.look(settings(OTEL_TRACES_SAMPLER="Always_On"), None)) == 1

"""Releases and parts of OpenTelemetry."""

from __future__ import annotations

import pytest

from otel_distro import internals
from otel_distro.doctor import components, opentelemetry
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


def test_a_sampler_and_an_id_generator_that_are_not_installed_are_told_by_one_check() -> None:
    environment = {"OTEL_TRACES_SAMPLER": "always", "OTEL_PYTHON_ID_GENERATOR": "xray"}
    assert [each.status for each in opentelemetry.look(settings(**environment), None)] == ["ok"]
    sampler, generator = components.look(environment)
    assert sampler.found.startswith("OTEL_TRACES_SAMPLER='always' ")
    assert generator.mend == "unset it; installed are random"
    assert [each.status for each in components.look({"OTEL_TRACES_SAMPLER": "Always_On"})] == ["ok"]

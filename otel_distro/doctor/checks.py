"""All checks that the settings ask for, in the order in which they are told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from otel_distro.doctor import interpreter, opentelemetry, start, variables
from otel_distro.doctor.model import Check
from otel_distro.settings import Settings

_PORT: Final = "OTEL_EXPORTER_PROMETHEUS_PORT"


def checks() -> Iterator[Check]:
    """Yield the checks of this process's environment.

    What OpenTelemetry's own parts read is put into the environment as at a start. Where it cannot be loaded, or nothing
    is to be measured, there is nothing else to look at.
    """
    settings = Settings.current()
    environment = Settings.written("OTEL_", "PROMETHEUS_")
    yield Check(variables.NAME, lambda: variables.look(settings, environment))
    yield Check(start.NAME, lambda: start.look(environment))
    yield Check(interpreter.NAME, interpreter.look)
    loaded = _load()
    yield Check(opentelemetry.NAME, lambda: opentelemetry.look(settings, loaded))
    if loaded is None and not settings.disabled:
        yield from _parts(settings, environment)


def _load() -> Exception | None:
    """Load what a start loads, and prepare the environment; return what was raised."""
    try:
        from otel_distro.distro import prepare_environment

        prepare_environment()
    except Exception as error:  # noqa: BLE001 -- importing OpenTelemetry reads variables, and raises by a wrong one
        return error
    return None


def _parts(settings: Settings, environment: Mapping[str, str]) -> Iterator[Check]:
    from otel_distro.doctor import components, instrumented

    yield Check(instrumented.NAME, lambda: instrumented.look(settings))
    if any(environment.get(name, "").strip() for name in components.VARIABLES):
        yield Check(components.NAME, lambda: components.look(environment))
    if settings.log_file:
        from otel_distro.doctor import log_file

        yield Check(log_file.NAME, lambda: log_file.look(settings.log_file))
    if settings.config_file:
        from otel_distro.doctor import configuration

        yield Check(configuration.NAME, lambda: configuration.look(settings.config_file, environment))
        return
    if "prometheus" in settings.metrics_exporters:
        from otel_distro.doctor import page, shared_folder

        yield Check(page.ACCESS, lambda: page.look_at_access(settings))
        yield Check(shared_folder.NAME, lambda: shared_folder.look(settings))
        yield Check(page.NAME, lambda: page.look(settings), remote=True, late=page.LATE)
    elif environment.get(_PORT, "").strip():
        from otel_distro.doctor import page

        yield Check(page.NAME, lambda: page.unasked(settings, _PORT))
    from otel_distro.doctor import otlp

    yield from otlp.checks(settings, Settings.written("OTEL_EXPORTER_OTLP_", *otlp.BUNDLES))

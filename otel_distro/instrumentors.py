"""The instrumentors of other packages, put in force in our way, and our hooks of frameworks not imported yet."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint
from typing import Any, Final, TypeAlias

from opentelemetry.instrumentation.dependencies import get_dist_dependency_conflicts
from wrapt import register_post_import_hook

from otel_distro.internals import entry_points
from otel_distro.settings import Settings

# Starts a part by its name: where it raises, that is told, and everything else goes on.
Isolated: TypeAlias = Callable[[str, Callable[[], Any]], Any]

_logger: Final = logging.getLogger(__name__)
# A request pays only for what is chosen: the metrics of these instrumentors are the semantic conventions'.
_SEMCONV_METRICS: Final = frozenset(("flask", "fastapi", "starlette", "django"))
# By the name that switches it off, a hook of ours in `web.frameworks`, and the imports at which it has something to do.
_FRAMEWORKS: Final = {
    "asgi": (
        "starlette.applications",
        "starlette.middleware.wsgi",
        "a2wsgi.wsgi",
        "asgiref.wsgi",
        "fastapi.routing",
        "fastapi.applications",
    ),
    "django": (
        "django.core.handlers.base",
        "django.core.handlers.wsgi",
        "django.core.handlers.asgi",
        "django.middleware.common",
    ),
}


def wanted_instrumentors(settings: Settings) -> Iterator[EntryPoint]:
    """Yield those that are installed, fit what is installed beside them, and are not switched off."""
    off = settings.disabled_instrumentations
    for entry_point in entry_points("opentelemetry_instrumentor"):
        if settings.disabled or "*" in off or entry_point.name in off:
            continue
        conflict = get_dist_dependency_conflicts(entry_point.dist) if entry_point.dist else None
        if conflict:
            _logger.debug("instrumentation %s is not loaded: %s", entry_point.name, conflict)
        else:
            yield entry_point


def instrument(entry_point: EntryPoint, settings: Settings, isolated: Isolated, **kwargs: Any) -> None:
    """Load one instrumentor and put it in force; `kwargs` are for its `instrument`. Raises what it raises."""
    if entry_point.name == "logging" and not settings.log_correlation:
        if any(name.lower() != "none" for name in settings.logs_exporters):
            # It would only stand in every record's way. Where the application uses it by itself, it must not export the
            # records a second time.
            register_post_import_hook(
                lambda module: isolated("logging", lambda: _keep_from_exporting(module, kwargs)), entry_point.module
            )
        return
    try:
        instrumentor = entry_point.load()()
    except ModuleNotFoundError as error:
        _logger.debug("instrumentation %s is not loaded: %s", entry_point.name, error)
        return
    if entry_point.name == "logging":
        # Our own handler exports the log document; the instrumentor's would export the record a second time.
        kwargs["enable_log_auto_instrumentation"] = False
    if entry_point.name in _SEMCONV_METRICS and settings.http_metrics == "classic":
        kwargs["meter_provider"] = _nothing_metered()
    if entry_point.name == "flask":
        _instrument_flask(instrumentor, settings, kwargs)
    elif entry_point.name == "django":
        _instrument_django(instrumentor, kwargs, isolated)
    else:
        instrumentor.instrument(**kwargs)


def hook_frameworks(settings: Settings) -> None:
    """Have requests of other frameworks measured where the application imports these."""
    for name, modules in _FRAMEWORKS.items():
        if {"*", name}.isdisjoint(settings.disabled_instrumentations):
            for module in modules:
                register_post_import_hook(f"otel_distro.web.frameworks:{name}", module)


def _nothing_metered() -> Any:
    from opentelemetry.metrics import NoOpMeterProvider

    return NoOpMeterProvider()


def _keep_from_exporting(module: Any, kwargs: dict[str, Any]) -> None:
    """Instrument logging by contrib's module, without its handler: a second call of the application does nothing."""
    module.LoggingInstrumentor().instrument(**kwargs, enable_log_auto_instrumentation=False)


def _instrument_flask(instrumentor: Any, settings: Settings, kwargs: dict[str, Any]) -> None:
    from otel_distro.web import flask

    if settings.flask == "fast":
        from otel_distro.web import flask_instrumentation

        flask_instrumentation.install()
    instrumentor.instrument(**kwargs)
    options = {key: value for key, value in kwargs.items() if key == "meter_provider"}
    flask.install(
        classic_metrics=settings.http_metrics != "semconv",
        instrument_app=lambda app: instrumentor.instrument_app(app, **options),
    )


def _instrument_django(instrumentor: Any, kwargs: dict[str, Any], isolated: Isolated) -> None:
    """Instrument where Django knows its settings: before, the instrumentor would give it empty ones for good."""
    from django.conf import settings

    if settings.configured:
        instrumentor.instrument(**kwargs)
    else:
        from otel_distro.web import django

        django.before_middleware(
            lambda: isolated("instrumentation 'django'", lambda: instrumentor.instrument(**kwargs)),
        )

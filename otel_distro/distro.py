"""The two entry points of the prefix command, and the composition of everything: settings in, running parts out."""

from __future__ import annotations

import gc
import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import EntryPoint
from importlib.util import find_spec
from typing import Any, Final

from opentelemetry.instrumentation.distro import BaseDistro  # type: ignore[attr-defined]  # untyped module

import otel_distro
from otel_distro import exporters, instrumentors
from otel_distro.internals import entry_points
from otel_distro.settings import Settings, environment_defaults, environment_mends
from otel_distro.uwsgi import hold_group, start_in_workers

_logger: Final = logging.getLogger(__name__)
_lock: Final = threading.Lock()
_started: Final[list[str]] = []
_DISABLED: Final = "OTEL_SDK_DISABLED"
_DETECTORS: Final = "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS"


class OtelDistro(BaseDistro):  # type: ignore[misc]  # the base class has no type information
    """Entry point `opentelemetry_distro`: puts defaults into the environment and loads each instrumentor by itself."""

    def _configure(self, **_: object) -> None:
        if Settings.current().disabled:
            return
        os.environ.update(environment_defaults(os.environ))
        others = [entry.name for entry in entry_points("opentelemetry_distro") if entry.name != "otel_distro"]
        given = os.environ.get("OTEL_PYTHON_CONFIGURATOR")
        # Two distributions register one configurator each, and the first found would win; an empty name none has.
        if (others and given is None) or (given is not None and not given.strip()):
            os.environ["OTEL_PYTHON_CONFIGURATOR"] = "otel_distro"

    def load_instrumentor(self, entry_point: EntryPoint, **kwargs: Any) -> None:
        """Load and activate one instrumentor; one that raises gives one warning, and the rest is loaded."""
        settings = Settings.current()
        if not settings.disabled:
            with _no_collections():
                _isolated(
                    f"instrumentation {entry_point.name!r}",
                    lambda: instrumentors.instrument(entry_point, settings, _isolated, **kwargs),
                )


class OtelConfigurator:
    """Entry point `opentelemetry_configurator`: makes providers, exporters, the metrics page and the log handlers."""

    def configure(self, auto_instrumentation_version: str | None = None, **_: object) -> None:
        """Start every part that the settings ask for, each isolated; a second call in a process does nothing."""
        settings = Settings.current()
        with _lock:
            if _started or settings.disabled:
                return
            _started.append("providers")
        _mend_environment()
        problems = (*settings.problems, *_without_unknown_parts())
        if "none" in settings.propagators:
            _isolated("propagation", _propagate_nothing)

        def start() -> None:
            # Read again: in a worker the environment names the group as well.
            with _no_collections():
                _start(Settings.current(), auto_instrumentation_version or "")
                _isolated("requests of other frameworks", lambda: instrumentors.hook_frameworks(settings))
                # Now that logging stands.
                for problem in problems:
                    _warn(problem)

        if not start_in_workers(start):
            start()
        elif "prometheus" in settings.metrics_exporters:
            _isolated("metrics of several processes", lambda: _hold_group(settings))


def configure() -> None:
    """Do what `otel_distro.configure` promises."""
    with _lock:
        if _started:
            return
    distro = OtelDistro()
    _isolated("the environment", distro.configure)
    _isolated("the providers", OtelConfigurator().configure)
    for entry_point in instrumentors.wanted_instrumentors(Settings.current()):
        distro.load_instrumentor(entry_point, skip_dep_check=True)


def install_fast_paths() -> None:
    """Put fast recording, and our way through a request of Flask, in force without making providers; twice is as once.

    Instruments and spans of the whole process have it, applications from their instrumentation on. Where this
    OpenTelemetry release works in another way there is one warning for each part, and that part stays as it is.
    """
    from otel_distro.internals import metrics_sdk, recorded
    from otel_distro.metrics import recording

    sdk = metrics_sdk()
    if sdk is not None:
        recording.install(sdk)
    recorded.install()
    if find_spec("flask") is not None:
        from otel_distro.web import flask_instrumentation

        flask_instrumentation.install()


def _start(settings: Settings, auto_version: str) -> None:
    """Start the parts one by one."""
    if settings.config_file:
        _isolated(f"OTEL_CONFIG_FILE={settings.config_file!r}", lambda: _declarative(settings.config_file))
        _isolated("logging", lambda: _start_logging(settings, None))
    else:
        resource = _resource(auto_version)
        outlets: list[Any] = []
        _isolated("traces", lambda: exporters.start_traces(settings, resource, _isolated, outlets))
        _isolated("metrics", lambda: exporters.start_metrics(settings, resource, _isolated, outlets))
        _isolated("metrics of several processes", lambda: _name_group(settings))
        logs = _isolated("logs", lambda: exporters.start_logs(settings, resource, _isolated, outlets))
        _isolated("logging", lambda: _start_logging(settings, logs))
        if outlets:
            _isolated("sending at the end", lambda: _watch_ending(settings, outlets, logs))


@contextmanager
def _no_collections() -> Iterator[None]:
    """Keep the garbage collector out of a start: what is imported stays, and looking through it takes time."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


def _isolated(part: str, start: Callable[[], Any]) -> Any:
    """Start one part; where it raises, warn once by name and go on without it."""
    try:
        return start()
    except Exception as error:
        _warn(f"{part} did not start: {type(error).__name__}: {error}; everything else goes on")
        _logger.debug("%s did not start", part, exc_info=True)
        return None


def _warn(text: str) -> None:
    """Warn of something without what is secret in it: a variable may hold what was meant for another one."""
    from otel_distro.redaction import redact_text  # most starts have nothing to warn of

    _logger.warning("%s", redact_text(text))


def prepare_environment() -> None:
    """Give this process's environment what OpenTelemetry's own parts read at a start of this distribution."""
    os.environ.update(environment_defaults(os.environ))
    _mend_environment()


@contextmanager
def nothing_started() -> Iterator[None]:
    """Have a service that is only imported meanwhile start nothing, as with `OTEL_SDK_DISABLED=true`."""
    before = os.environ.get(_DISABLED)
    os.environ[_DISABLED] = "true"
    try:
        yield
    finally:
        os.environ.pop(_DISABLED, None)
        if before is not None:
            os.environ[_DISABLED] = before


def _mend_environment() -> None:
    for name, text in environment_mends(os.environ).items():
        if text:
            os.environ[name] = text
        else:
            del os.environ[name]


def _without_unknown_parts() -> list[str]:
    """Take from the environment what names a part that nobody has installed, and return what is to be said of each.

    OpenTelemetry's API would raise wherever the application, or a part of the SDK, asks for a provider that is not made
    here; of a resource detector it would show a traceback and not the variable. A context it has loaded by now, with
    such a traceback: processes that this one starts are spared it.
    """
    said = []
    for kind, ending in (("tracer", "_provider"), ("meter", "_provider"), ("logger", "_provider"), ("context", "")):
        variable = f"OTEL_PYTHON_{kind}{ending}".upper()
        named = os.environ.get(variable)
        if named and not any(point.name == named for point in entry_points(f"opentelemetry_{kind}{ending}")):
            del os.environ[variable]
            said.append(
                f"{variable}={named!r} names no {kind}{ending.replace('_', ' ')} that is installed; it is ignored"
            )
    listed = [name.strip() for name in os.environ.get(_DETECTORS, "").split(",")]
    if any(listed):
        known = {"*", *(point.name for point in entry_points("opentelemetry_resource_detector"))}
        os.environ[_DETECTORS] = ",".join(name for name in listed if name in known)
        unknown = [name for name in listed if name and name not in known]
        said += [
            f"{_DETECTORS} names {name!r}, no resource detector that is installed; it is ignored" for name in unknown
        ]
    return said


def _propagate_nothing() -> None:
    from otel_distro import propagation

    propagation.install()


def _resource(auto_version: str) -> Any:
    from opentelemetry.sdk.resources import Resource

    attributes = {"telemetry.distro.name": "otel-distro", "telemetry.distro.version": otel_distro.__version__}
    if auto_version:
        attributes["telemetry.auto.version"] = auto_version
    return Resource.create(attributes)


def _name_group(settings: Settings) -> None:
    """Name the group of this process in the environment, so that the processes it starts share its page."""
    if settings.prometheus_dir:
        # They may be started in another folder.
        os.environ["OTEL_DISTRO_PROMETHEUS_DIR"] = os.path.abspath(settings.prometheus_dir)
    server = sys.modules.get("otel_distro.metrics.server")
    if server is not None and server.page_service.folder:
        os.environ["OTEL_DISTRO_GROUP_DIR"] = server.page_service.folder


def _hold_group(settings: Settings) -> None:
    """Name the group of the workers that this process will fork."""
    folder = hold_group(settings)
    if folder:
        os.environ["OTEL_DISTRO_GROUP_DIR"] = folder


def _start_logging(settings: Settings, logger_provider: Any) -> None:
    from opentelemetry.metrics import Observation, get_meter

    from otel_distro.metrics.own import SinceFork

    if settings.log_format != "none" or settings.log_file or logger_provider is not None:
        from otel_distro.logs.setup import configure_logging

        configure_logging(settings, logger_provider)
    dropped = SinceFork(lambda: [_dropped_lines()])
    get_meter("otel_distro", otel_distro.__version__).create_observable_counter(
        "otel_distro_log_lines_dropped",
        [lambda _: [Observation(dropped()[0])]],
        unit="{line}",
        description="Log lines that could not be written or handed over.",
    )


def _dropped_lines() -> int:
    """Return how many lines were dropped; none where nothing was set up, by us or by the application."""
    setup = sys.modules.get("otel_distro.logs.setup")
    return setup.dropped_lines() if setup is not None else 0


def _watch_ending(settings: Settings, outlets: list[Any], logger_provider: Any) -> None:
    """Have what is queued sent at the end of the process, and what is dropped shown from the start."""
    from opentelemetry.trace import get_tracer_provider

    from otel_distro.ending import Ending

    Ending(outlets, [get_tracer_provider(), logger_provider], settings.exit_timeout).watch()
    for outlet in outlets:
        outlet.ledger.show()


def _declarative(path: str) -> None:
    try:
        from opentelemetry.configuration import (  # type: ignore[import-not-found, unused-ignore]
            configure_sdk,
            load_config_file,
        )
    except ModuleNotFoundError as error:
        told = f"{error} (pip install opentelemetry-configuration, or unset OTEL_CONFIG_FILE)"
        raise ModuleNotFoundError(told) from error
    configure_sdk(load_config_file(path))

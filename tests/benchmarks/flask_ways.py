"""The ways to measure a Flask request that are compared: nothing, by hand, with this package, with each peer."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from tests.benchmarks import peers

PREFIX: Final = "from opentelemetry.instrumentation.auto_instrumentation import run; run()"
_SEMCONV: Final = {"OTEL_SEMCONV_STABILITY_OPT_IN": "http"}
_QUIET: Final = {  # what peers would do beside: profilers, configuration from afar, telemetry about themselves
    "ELASTIC_OTEL_SYSTEM_METRICS_ENABLED": "false",
    "SPLUNK_PROFILER_ENABLED": "false",
    "DD_INSTRUMENTATION_TELEMETRY_ENABLED": "false",
    "DD_REMOTE_CONFIGURATION_ENABLED": "false",
}
_BY_OTLP: Final = {
    "OTEL_METRICS_EXPORTER": "otlp",
    "OTEL_TRACES_EXPORTER": "otlp",
    "OTEL_LOGS_EXPORTER": "none",
    "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
    "OTEL_METRIC_EXPORT_INTERVAL": "3600000",  # sent at the end, so that no round has it
    **_SEMCONV,
    **_QUIET,
}
_LOGS: Final = {**_BY_OTLP, "OTEL_LOGS_EXPORTER": "otlp"}
_PAGE: Final = {
    "OTEL_METRICS_EXPORTER": "prometheus",
    "OTEL_TRACES_EXPORTER": "none",
    "OTEL_LOGS_EXPORTER": "none",
    "OTEL_EXPORTER_PROMETHEUS_PORT": "0",
    **_SEMCONV,
}
_TWO: Final = ("traces", "metrics")
_THREE: Final = (*_TWO, "logs")


@dataclass(frozen=True)
class Variant:
    """One way to serve: a script with arguments, the Python that runs it, its variables, and what it sends by OTLP.

    `missing` says why it cannot be run; `prefixed` puts the prefix command of OpenTelemetry before it.
    """

    name: str
    script: str
    arguments: tuple[str, ...] = ()
    variables: dict[str, str] = field(default_factory=dict)
    sends: tuple[str, ...] = ()
    python: str = sys.executable
    prefixed: bool = False
    missing: str = ""


def variants(folder: Path) -> list[Variant]:
    """Return the variants of this environment; the first is what the others are compared with."""
    page = {"OTEL_EXPORTER_PROMETHEUS_PORT": "0"}
    shared = {"PROMETHEUS_MULTIPROC_DIR": str(folder)}
    file = {**_LOGS, "OTEL_DISTRO_LOG_FILE": str(folder / "shop.log")}
    return [
        Variant("bare", "bare.py"),
        Variant("bare again", "bare.py"),
        Variant("by hand, labels()", "prometheus_labels.py"),
        Variant("by hand, pre-bound", "prometheus_bound.py"),
        Variant("by hand, multi-process", "prometheus_bound.py", variables=shared),
        Variant("ours, metrics", "ours.py", variables=page),
        Variant("ours, traces + metrics by OTLP", "ours.py", (), _BY_OTLP, _TWO),
        Variant("ours, three signals + a log line", "ours.py", ("log",), _LOGS, _THREE),
        Variant("ours, three signals + a log line + a file", "ours.py", ("log",), file, _THREE),
    ]


def peer_variants() -> Iterator[Variant]:
    """Return the variants of the peers, making an environment for each (minutes, once)."""
    stock = Variant("stock", "prefixed.py", prefixed=True)
    logging = {**_LOGS, "OTEL_PYTHON_LOGGING_AUTO_INSTRUMENTATION_ENABLED": "true"}
    yield _of(peers.FLASK_EXPORTER, Variant("prometheus-flask-exporter", "flask_exporter.py"))
    yield _of(peers.STOCK, replace(stock, name="stock, SDK disabled", variables={"OTEL_SDK_DISABLED": "true"}))
    yield _of(peers.STOCK, replace(stock, name="stock, metrics", variables=_PAGE))
    two = replace(stock, variables=_BY_OTLP, sends=_TWO)
    yield _of(peers.STOCK, replace(two, name="stock, traces + metrics by OTLP"))
    three = replace(stock, variables=logging, sends=_THREE, arguments=("log",))
    yield _of(peers.STOCK, replace(three, name="stock, three signals + a log line"))
    yield _of(peers.ELASTIC, replace(two, name="Elastic, traces + metrics by OTLP"))
    yield _of(peers.SPLUNK, replace(two, name="Splunk, traces + metrics by OTLP"))
    yield _of(peers.LOGFIRE, Variant("logfire, traces + metrics by OTLP", "logfire_app.py", (), _BY_OTLP, _TWO))
    yield _of(peers.DATADOG, Variant("Datadog, traces", "datadog.py", (), _QUIET, ("traces",)))


def _of(packages: tuple[str, ...], variant: Variant) -> Variant:
    python = peers.python_with(*packages, *peers.the_same_flask())
    return replace(variant, missing=python) if isinstance(python, str) else replace(variant, python=str(python))

"""Every variable once: its name, type, unit, default and one sentence, and the typed settings read from them.

`Settings.from_environ` is pure: it reads the mapping it is given and says what is wrong in `problems`; callers warn.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final
from urllib.parse import unquote

from otel_distro.errors import InputError

OTLP_ENDPOINTS: Final = (
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
    "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT",
)
_LEVELS: Final = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "warn": logging.WARNING,
    "error": logging.ERROR,
    "critical": logging.CRITICAL,
}


@dataclass(frozen=True)
class Variable:
    """One environment variable.

    `parse` turns the text into the value and raises `InputError` with what would be right; `default` is the text that
    stands for an unset variable; `field` names the attribute of `Settings`.
    """

    name: str
    field: str
    type: str
    unit: str
    default: str
    sentence: str
    parse: Callable[[str], Any] = field(repr=False)


def _text(value: str) -> str:
    return value


def _boolean(value: str) -> bool:
    lowered = value.lower()
    if lowered not in ("true", "false"):
        raise InputError("true or false")
    return lowered == "true"


def _integer(low: int, high: int) -> Callable[[str], int]:
    def parse(value: str) -> int:
        try:
            number = int(value)
        except ValueError:
            number = low - 1
        if not low <= number <= high:
            raise InputError(f"a whole number from {low} to {high}")
        return number

    return parse


def _choice(*choices: str) -> Callable[[str], str]:
    def parse(value: str) -> str:
        if value.lower() not in choices:
            raise InputError("one of " + ", ".join(choices))
        return value.lower()

    return parse


def _level(value: str) -> int:
    if value.lower() not in _LEVELS:
        raise InputError("one of debug, info, warning, error, critical")
    return _LEVELS[value.lower()]


def _list(value: str) -> tuple[str, ...]:
    return tuple(item.strip() for item in value.split(",") if item.strip())


def _attributes(value: str) -> tuple[tuple[str, str], ...]:
    pairs = []
    for item in _list(value):
        key, equals, text = item.partition("=")
        if not equals or not key.strip():
            raise InputError("key=value pairs with commas between them")
        pairs.append((key.strip(), unquote(text.strip())))
    return tuple(pairs)


VARIABLES: Final[tuple[Variable, ...]] = (
    Variable(
        "OTEL_SDK_DISABLED",
        "disabled",
        "boolean",
        "",
        "false",
        "`true` leaves the application exactly as it is without this package.",
        _boolean,
    ),
    Variable(
        "OTEL_SERVICE_NAME",
        "own_service_name",
        "text",
        "",
        "",
        "Name of the service: `service` in every log line, `service.name` in metrics and traces.",
        _text,
    ),
    Variable(
        "OTEL_RESOURCE_ATTRIBUTES",
        "resource_attributes",
        "key=value list",
        "",
        "",
        "What else describes the service; `deployment.environment.name` is `environment` in every log line.",
        _attributes,
    ),
    Variable(
        "OTEL_METRICS_EXPORTER",
        "metrics_exporters",
        "list",
        "",
        "prometheus",
        "Where metrics go: `prometheus` (a page to scrape), `otlp`, `console`, `none`.",
        _list,
    ),
    Variable(
        "OTEL_TRACES_EXPORTER",
        "traces_exporters",
        "list",
        "",
        "none",
        "Where traces go: `otlp`, `console`, `none`; the default is `otlp` where any OTLP endpoint is set.",
        _list,
    ),
    Variable(
        "OTEL_LOGS_EXPORTER",
        "logs_exporters",
        "list",
        "",
        "none",
        "Where log records go besides file and console: `otlp`, `console`, `none`; "
        "the default is `otlp` where any OTLP endpoint is set.",
        _list,
    ),
    Variable(
        "OTEL_EXPORTER_OTLP_PROTOCOL",
        "otlp_protocol",
        "choice",
        "",
        "http/protobuf",
        "Protocol of every OTLP exporter: `http/protobuf` or `grpc`.",
        _choice("http/protobuf", "grpc"),
    ),
    Variable(
        "OTEL_EXPORTER_PROMETHEUS_HOST",
        "prometheus_host",
        "text",
        "",
        "localhost",
        "Address the metrics page listens on; `0.0.0.0` opens it to other machines.",
        _text,
    ),
    Variable(
        "OTEL_EXPORTER_PROMETHEUS_PORT",
        "prometheus_port",
        "integer",
        "port",
        "9464",
        "Port of the metrics page; 0 takes a free one.",
        _integer(0, 65535),
    ),
    Variable(
        "OTEL_SEMCONV_STABILITY_OPT_IN",
        "semconv_opt_in",
        "list",
        "",
        "http",
        "Which semantic conventions spans and `semconv` metrics follow: `http` is the stable one.",
        _list,
    ),
    Variable(
        "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS",
        "disabled_instrumentations",
        "list",
        "",
        "",
        "Instrumentations that are not loaded, by name; `*` stands for all.",
        _list,
    ),
    Variable(
        "OTEL_DISTRO_LOG_FILE",
        "log_file",
        "path",
        "",
        "",
        "File that gets every log record as one line of JSON.",
        _text,
    ),
    Variable(
        "OTEL_DISTRO_LOG_FORMAT",
        "log_format",
        "choice",
        "",
        "none",
        "What the console (stdout) shows: `json`, `text`, or `none` to leave the console as the application has it.",
        _choice("json", "text", "none"),
    ),
    Variable(
        "OTEL_DISTRO_LOG_LEVEL",
        "log_level",
        "choice",
        "",
        "info",
        "Least level that is logged: `debug`, `info`, `warning`, `error`, `critical`.",
        _level,
    ),
    Variable(
        "OTEL_DISTRO_LOG_LINE_LIMIT",
        "log_line_limit",
        "integer",
        "bytes",
        "1048576",
        "Longest log line; in a longer one the longest texts are cut and marked.",
        _integer(4096, 104857600),
    ),
    Variable(
        "OTEL_DISTRO_HTTP_METRICS",
        "http_metrics",
        "choice",
        "",
        "classic",
        "Names of the request metrics: `classic` (`http_requests_total` and its kin), `semconv` "
        "(`http_server_request_duration_seconds` and its kin), or `both`.",
        _choice("classic", "semconv", "both"),
    ),
    Variable(
        "OTEL_DISTRO_PROMETHEUS_SCOPE_LABELS",
        "scope_labels",
        "boolean",
        "",
        "false",
        "`true` adds `otel_scope_name`, `otel_scope_version` and `otel_scope_schema_url` to every series of the page.",
        _boolean,
    ),
    Variable(
        "OTEL_DISTRO_REDACT",
        "redact",
        "boolean",
        "",
        "true",
        "`false` writes passwords, tokens, card numbers and credentials into the logs as they are.",
        _boolean,
    ),
    Variable(
        "OTEL_DISTRO_REDACT_NAMES",
        "redact_names",
        "list",
        "",
        "",
        "Further names of fields whose values are masked in logs, in any case and with `-` or `_`.",
        _list,
    ),
)


@dataclass(frozen=True)
class Settings:
    """Typed settings of one process, immutable and safe to share between threads.

    `problems` holds one sentence for each variable whose value could not be used; the default stands in its place.
    """

    disabled: bool
    own_service_name: str
    resource_attributes: tuple[tuple[str, str], ...]
    metrics_exporters: tuple[str, ...]
    traces_exporters: tuple[str, ...]
    logs_exporters: tuple[str, ...]
    otlp_protocol: str
    prometheus_host: str
    prometheus_port: int
    semconv_opt_in: tuple[str, ...]
    disabled_instrumentations: tuple[str, ...]
    log_file: str
    log_format: str
    log_level: int
    log_line_limit: int
    http_metrics: str
    scope_labels: bool
    redact: bool
    redact_names: tuple[str, ...]
    problems: tuple[str, ...] = ()

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Settings:
        """Read the settings from a mapping of variables; an empty value counts as unset, as the specification says."""
        defaults = environment_defaults(environ)
        values: dict[str, Any] = {}
        problems: list[str] = []
        for variable in VARIABLES:
            fallback = defaults.get(variable.name, variable.default)
            given = environ.get(variable.name, "").strip()
            try:
                values[variable.field] = variable.parse(given or fallback)
            except InputError as error:
                values[variable.field] = variable.parse(fallback)
                instead = f"{fallback!r} is used instead" if fallback else "it is ignored"
                problems.append(f"{variable.name}={given!r} is not {error}; {instead}")
        return cls(**values, problems=tuple(problems))

    @classmethod
    def current(cls) -> Settings:
        """Read the settings of this process from its environment."""
        return cls.from_environ(os.environ)

    @property
    def service_name(self) -> str:
        """Name of the service, or the empty string where neither variable names one."""
        return self.own_service_name or dict(self.resource_attributes).get("service.name", "")

    @property
    def environment(self) -> str:
        """Name of the deployment environment, or the empty string where no resource attribute names one."""
        attributes = dict(self.resource_attributes)
        return attributes.get("deployment.environment.name") or attributes.get("deployment.environment", "")


def environment_defaults(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the `OTEL_*` variables that this distribution sets where the user has not.

    Empty values count as unset. Source of the names: OpenTelemetry specification, "Environment Variable Specification".
    """
    signals = "otlp" if any(environ.get(name, "").strip() for name in OTLP_ENDPOINTS) else "none"
    wanted = {
        "OTEL_METRICS_EXPORTER": "prometheus",
        "OTEL_TRACES_EXPORTER": signals,
        "OTEL_LOGS_EXPORTER": signals,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_EXPORTER_PROMETHEUS_HOST": "localhost",
        "OTEL_EXPORTER_PROMETHEUS_PORT": "9464",
        "OTEL_SEMCONV_STABILITY_OPT_IN": "http",
    }
    return {name: value for name, value in wanted.items() if not environ.get(name, "").strip()}


def reference_table() -> str:
    """Return the table of all variables as Markdown; the reference page of the docs is made from it."""
    rows = ["| variable | type | unit | default | what it does |", "| --- | --- | --- | --- | --- |"]
    for variable in VARIABLES:
        default = f"`{variable.default}`" if variable.default else ""
        rows.append(f"| `{variable.name}` | {variable.type} | {variable.unit} | {default} | {variable.sentence} |")
    return "\n".join(rows) + "\n"


assert {variable.field for variable in VARIABLES} == {item.name for item in fields(Settings)} - {"problems"}  # noqa: S101 -- the table and the class are one thing

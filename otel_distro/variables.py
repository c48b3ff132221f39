"""Every environment variable once: its name, type, unit, default and one sentence."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from typing import Any, Final, NamedTuple
from urllib.parse import unquote

from otel_distro.errors import InputError

_GAUGE_RULES: Final = ("most_recent", "sum", "min", "max", "each")
# Known names count in any case, as the specification says; another one is that of an entry point.
_EXPORTERS: Final = ("otlp", "console", "prometheus", "none")
_SAMPLERS: Final = tuple(
    f"{parent}{name}" for parent in ("", "parentbased_") for name in ("always_on", "always_off", "traceidratio")
)
_LEVELS: Final = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "warn": logging.WARNING,
    "error": logging.ERROR,
    "critical": logging.CRITICAL,
}


class Variable(NamedTuple):
    """One environment variable.

    `parse` turns the text into the value and raises `InputError` with what would be right; `default` is the text that
    stands for an unset variable, and for a wrong one where `instead` is empty; `field` names the attribute of
    `Settings`.
    """

    name: str
    field: str
    type: str
    unit: str
    default: str
    sentence: str
    parse: Callable[[str], Any]
    instead: str = ""


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


def _seconds(low: float, high: float) -> Callable[[str], float]:
    def parse(value: str) -> float:
        try:
            number = float(value)
        except ValueError:
            number = low - 1
        if not low <= number <= high:
            raise InputError(f"a number of seconds from {low:g} to {high:g}")
        return number

    return parse


def _maybe(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    return lambda value: parse(value) if value else None


def _choice(*choices: str) -> Callable[[str], str]:
    def parse(value: str) -> str:
        if value.lower() not in choices:
            raise InputError("one of " + ", ".join(filter(None, choices)))
        return value.lower()

    return parse


def _level(value: str) -> int:
    if value.lower() not in _LEVELS:
        raise InputError("one of debug, info, warning, error, critical")
    return _LEVELS[value.lower()]


def _replicas(value: str) -> int | None:
    return None if value.lower() == "auto" else _integer(0, 100)(value)


def _list(value: str) -> tuple[str, ...]:
    return tuple(item.strip() for item in value.split(",") if item.strip())


def _lower_list(value: str) -> tuple[str, ...]:
    return _list(value.lower())


def _names(*known: str) -> Callable[[str], tuple[str, ...]]:
    def parse(value: str) -> tuple[str, ...]:
        return tuple(name.lower() if name.lower() in known else name for name in _list(value))

    return parse


def _sampler(value: str) -> str:
    return value.lower() if value.lower() in _SAMPLERS else value


def _patterns(value: str) -> tuple[str, ...]:
    patterns = _list(value)
    try:
        re.compile("|".join(patterns))
        for pattern in patterns:
            re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise InputError(f"regular expressions with commas between them ({error})") from error
    return patterns


def _attributes(value: str) -> tuple[tuple[str, str], ...]:
    pairs = []
    for item in _list(value):
        key, equals, text = item.partition("=")
        if not equals or not key.strip():
            raise InputError("key=value pairs with commas between them")
        pairs.append((key.strip(), unquote(text.strip())))
    return tuple(pairs)


def _limits(value: str) -> tuple[tuple[str, int], ...]:
    pairs = _attributes(value)
    # As many digits as a number of series can have; Python reads no more than some thousands.
    if not all(number.isdecimal() and len(number) < 20 and int(number) > 0 for _, number in pairs):
        raise InputError("name=number pairs with commas between them")
    return tuple((name, int(number)) for name, number in pairs)


def _rules(value: str) -> tuple[tuple[str, str], ...]:
    pairs = _attributes(value)
    if not all(rule in _GAUGE_RULES for _, rule in pairs):
        raise InputError("name=rule pairs with commas between them, a rule being " + ", ".join(_GAUGE_RULES))
    return pairs


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
        _names(*_EXPORTERS),
    ),
    Variable(
        "OTEL_TRACES_EXPORTER",
        "traces_exporters",
        "list",
        "",
        "none",
        "Where traces go: `otlp`, `console`, `none`; the default is `otlp` where any OTLP endpoint is set.",
        _names(*_EXPORTERS),
    ),
    Variable(
        "OTEL_LOGS_EXPORTER",
        "logs_exporters",
        "list",
        "",
        "none",
        "Where log records go besides file and console: `otlp`, `console`, `none`; "
        "the default is `otlp` where any OTLP endpoint is set.",
        _names(*_EXPORTERS),
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
    *(
        Variable(
            f"OTEL_EXPORTER_OTLP_{signal.upper()}_PROTOCOL",
            f"otlp_{signal}_protocol",
            "choice",
            "",
            "",
            f"Protocol of the OTLP exporter of {signal}, where it is another.",
            _choice("http/protobuf", "grpc", ""),
        )
        for signal in ("traces", "metrics", "logs")
    ),
    Variable(
        "OTEL_EXPORTER_OTLP_TIMEOUT",
        "otlp_timeout",
        "number",
        "seconds",
        "10",
        "Longest time of every OTLP exporter for a request and its repetitions.",
        _seconds(0.001, 3600),
    ),
    *(
        Variable(
            f"OTEL_EXPORTER_OTLP_{signal.upper()}_TIMEOUT",
            f"otlp_{signal}_timeout",
            "number",
            "seconds",
            "",
            f"Longest time of the OTLP exporter of {signal}, where it is another.",
            _maybe(_seconds(0.001, 3600)),
        )
        for signal in ("traces", "metrics", "logs")
    ),
    Variable(
        "OTEL_EXPORTER_OTLP_COMPRESSION",
        "otlp_compression",
        "choice",
        "",
        "none",
        "How every OTLP exporter compresses what it sends: `gzip`, `none`, or `deflate`, which no Collector takes by "
        "`grpc`.",
        _choice("gzip", "deflate", "none"),
    ),
    *(
        Variable(
            f"OTEL_EXPORTER_OTLP_{signal.upper()}_COMPRESSION",
            f"otlp_{signal}_compression",
            "choice",
            "",
            "",
            f"How the OTLP exporter of {signal} compresses, where it is in another way.",
            _choice("gzip", "deflate", "none", ""),
        )
        for signal in ("traces", "metrics", "logs")
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
        "Port of the metrics page; 0 takes a free one, which only `start_metrics_server(0)` tells.",
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
        "OTEL_METRICS_EXEMPLAR_FILTER",
        "exemplar_filter",
        "choice",
        "",
        "trace_based",
        "Which measurements become exemplars: `trace_based` (those in sampled spans), `always_on`, `always_off`; the "
        "default is `always_off` where no traces are exported.",
        _choice("trace_based", "always_on", "always_off"),
    ),
    Variable(
        "OTEL_TRACES_SAMPLER",
        "traces_sampler",
        "text",
        "",
        "",
        "Which traces are recorded; the SDK's default is `parentbased_always_on`.",
        _sampler,
    ),
    Variable(
        "OTEL_PROPAGATORS",
        "propagators",
        "list",
        "",
        "tracecontext,baggage",
        "Headers by which traces come with a request and go on, by what is installed; `none` for not at all.",
        _lower_list,
    ),
    Variable(
        "OTEL_PYTHON_ID_GENERATOR",
        "id_generator",
        "text",
        "",
        "",
        "Entry point that makes trace and span ids; the SDK's default is `random`.",
        _text,
    ),
    *(
        Variable(
            f"OTEL_{name}_LIMIT",
            f"{name.lower()}_limit",
            "integer",
            unit,
            default,
            f"{sentence}.",
            _maybe(_integer(0, 2**31 - 1)),
        )
        for name, unit, default, sentence in (
            ("ATTRIBUTE_COUNT", "attributes", "", "Most attributes of anything; the SDK's default is 128"),
            ("ATTRIBUTE_VALUE_LENGTH", "characters", "", "Longest text of an attribute; without it none is cut"),
            ("SPAN_ATTRIBUTE_COUNT", "attributes", "", "Most attributes of a span"),
            ("SPAN_ATTRIBUTE_VALUE_LENGTH", "characters", "", "Longest text of a span's attribute"),
            ("SPAN_EVENT_COUNT", "events", "", "Most events of a span; the SDK's default is 128"),
            ("SPAN_LINK_COUNT", "links", "", "Most links of a span; the SDK's default is 128"),
            ("EVENT_ATTRIBUTE_COUNT", "attributes", "", "Most attributes of an event of a span"),
            ("LINK_ATTRIBUTE_COUNT", "attributes", "", "Most attributes of a link of a span"),
            (
                "LOGRECORD_ATTRIBUTE_COUNT",
                "attributes",
                "1000000",
                "Most attributes of a log record by OTLP; the default is that of anything where that is set",
            ),
            ("LOGRECORD_ATTRIBUTE_VALUE_LENGTH", "characters", "", "Longest text of a log record's attribute by OTLP"),
        )
    ),
    *(
        Variable(
            f"OTEL_PYTHON_{kind.upper()}_CONFIGURATOR",
            f"{kind}_configurator",
            "text",
            "",
            "",
            f"Entry point that configures each {kind} by its scope.",
            _text,
        )
        for kind in ("tracer", "meter", "logger")
    ),
    Variable(
        "OTEL_CONFIG_FILE",
        "config_file",
        "path",
        "",
        "",
        "Declarative configuration; where it is set the SDK is set up from it alone "
        "(needs the package opentelemetry-configuration).",
        _text,
    ),
    Variable(
        "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS",
        "disabled_instrumentations",
        "list",
        "",
        "",
        "Instrumentations that are not loaded, by name, those of web frameworks with request metrics and ids; `asgi` "
        "is that of Starlette and FastAPI, whose own spans stay, `*` stands for all.",
        _list,
    ),
    *(
        Variable(
            f"OTEL_PYTHON_{prefix}EXCLUDED_URLS",
            f"{prefix.lower()}excluded_urls",
            "list",
            "",
            "",
            f"Regular expressions; what is asked for at a URL in which one is found {sentence}.",
            _patterns,
        )
        for prefix, sentence in (
            ("", "has no span nor semantic-convention metrics, but for those that FastAPI makes"),
            ("FLASK_", "has none in Flask, in the place of the list above"),
        )
    ),
    *(
        Variable(
            f"OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_{what}",
            f"{field}_headers",
            "list",
            "",
            "",
            sentence,
            _patterns,
            instead,
        )
        for what, field, sentence, instead in (
            (
                "SERVER_REQUEST",
                "request",
                "Regular expressions of a request's headers that spans carry, but for FastAPI's.",
                "",
            ),
            (
                "SERVER_RESPONSE",
                "response",
                "Regular expressions of an answer's headers that spans carry, but for FastAPI's.",
                "",
            ),
            (
                "SANITIZE_FIELDS",
                "sanitized",
                "Regular expressions of those whose values are masked; a wrong one masks all.",
                ".*",
            ),
        )
    ),
    Variable(
        "OTEL_DISTRO_LOG_FILE",
        "log_file",
        "path",
        "",
        "",
        "File that gets every log record as one line of JSON; it is made for its owner and group alone (mode 0640).",
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
        "OTEL_PYTHON_LOG_CORRELATION",
        "log_correlation",
        "boolean",
        "",
        "false",
        "`true` lets the logging instrumentation put `otelTraceID` and the like into log records and plain log lines.",
        _boolean,
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
        "OTEL_DISTRO_FLASK",
        "flask",
        "choice",
        "",
        "fast",
        "How spans and semantic-convention metrics of Flask's requests are made: `fast`, or as `contrib` does.",
        _choice("fast", "contrib"),
    ),
    Variable(
        "OTEL_DISTRO_PROMETHEUS_SCOPE_LABELS",
        "scope_labels",
        "boolean",
        "",
        "false",
        "`true` adds `otel_scope_name`, `otel_scope_version` and `otel_scope_schema_url` to every series of an "
        "instrument.",
        _boolean,
    ),
    Variable(
        "OTEL_DISTRO_PROMETHEUS_DIR",
        "prometheus_dir",
        "path",
        "",
        "",
        "Folder through which the processes of the service share their metrics; by default one in memory that they "
        "find by themselves and that goes with the last of them.",
        _text,
    ),
    Variable(
        "PROMETHEUS_MULTIPROC_DIR",
        "prometheus_multiproc_dir",
        "path",
        "",
        "",
        "The same folder under the name that prometheus_client gives it; its metrics of several processes stand on the "
        "page as well.",
        _text,
    ),
    Variable(
        "OTEL_DISTRO_GROUP_DIR",
        "group_dir",
        "path",
        "",
        "",
        "Set by a process for those that it starts, so that they share its page; not for you to set.",
        _text,
    ),
    Variable(
        "OTEL_DISTRO_SERIES_LIMIT",
        "series_limit",
        "integer",
        "series",
        "2000",
        "Most series of one instrument in a process; where ended processes have left so many, later ones add no other. "
        "What is over goes into one with the label `otel_metric_overflow`.",
        _integer(1, 10_000_000),
    ),
    Variable(
        "OTEL_DISTRO_SERIES_LIMITS",
        "series_limits",
        "name=number list",
        "series",
        "",
        "Other limits for single instruments by their OpenTelemetry names, as in `http_requests=5000,jobs=100`.",
        _limits,
    ),
    Variable(
        "OTEL_DISTRO_GAUGE_RULE",
        "gauge_rule",
        "choice",
        "",
        "most_recent",
        "What a gauge shows that several processes set: `most_recent`, or of the living `sum`, `min`, `max`, or `each` "
        "by its process id.",
        _choice(*_GAUGE_RULES),
    ),
    Variable(
        "OTEL_DISTRO_GAUGE_RULES",
        "gauge_rules",
        "name=rule list",
        "",
        "",
        "Other rules for single gauges by their OpenTelemetry names, as in `queue_length=sum`.",
        _rules,
    ),
    Variable(
        "OTEL_DISTRO_PROMETHEUS_TLS_CERT_FILE",
        "prometheus_tls_cert_file",
        "path",
        "",
        "",
        "PEM file with the certificate chain of the metrics page; where it is set the page speaks TLS only.",
        _text,
    ),
    Variable(
        "OTEL_DISTRO_PROMETHEUS_TLS_KEY_FILE",
        "prometheus_tls_key_file",
        "path",
        "",
        "",
        "PEM file with its private key, without a passphrase; needed where the certificate's file holds no key.",
        _text,
    ),
    Variable(
        "OTEL_DISTRO_PROMETHEUS_TLS_CLIENT_CA_FILE",
        "prometheus_tls_client_ca_file",
        "path",
        "",
        "",
        "PEM file with certificate authorities; "
        "where it is set only clients with a certificate from one of them get in.",
        _text,
    ),
    Variable(
        "OTEL_DISTRO_PROMETHEUS_BASIC_AUTH_FILE",
        "prometheus_basic_auth_file",
        "path",
        "",
        "",
        "File with a line `user:password` for each user who may read the metrics page.",
        _text,
    ),
    Variable(
        "OTEL_DISTRO_PROMETHEUS_BEARER_TOKEN_FILE",
        "prometheus_bearer_token_file",
        "path",
        "",
        "",
        "File with a line for each bearer token that opens the metrics page; either a user or a token suffices.",
        _text,
    ),
    *(
        variable
        for signal, prefix, noun, delay, room in (
            (
                "span",
                "BSP",
                "spans",
                "5000",
                " `OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT` bounds the texts of their attributes.",
            ),
            ("log", "BLRP", "log records", "1000", " Long ones have 64 MB together."),
        )
        for variable in (
            Variable(
                f"OTEL_{prefix}_SCHEDULE_DELAY",
                f"{signal}_delay",
                "integer",
                "milliseconds",
                delay,
                f"Longest time that {noun} wait before they are sent.",
                _integer(1, 86_400_000),
            ),
            Variable(
                f"OTEL_{prefix}_MAX_QUEUE_SIZE",
                f"{signal}_queue",
                "integer",
                noun,
                "2048",
                f"Most {noun} that wait; when more come the oldest are dropped and counted.{room}",
                _integer(1, 10_000_000),
            ),
            Variable(
                f"OTEL_{prefix}_MAX_EXPORT_BATCH_SIZE",
                f"{signal}_batch",
                "integer",
                noun,
                "512",
                f"Most {noun} in one request.",
                _integer(1, 10_000_000),
            ),
        )
    ),
    Variable(
        "OTEL_METRIC_EXPORT_INTERVAL",
        "metric_interval",
        "integer",
        "milliseconds",
        "60000",
        "Time between two exports of metrics, where they are sent.",
        _integer(1, 86_400_000),
    ),
    Variable(
        "OTEL_METRIC_EXPORT_TIMEOUT",
        "metric_timeout",
        "integer",
        "milliseconds",
        "30000",
        "Time that the callbacks of observable instruments have together for metrics that are sent.",
        _integer(1, 86_400_000),
    ),
    Variable(
        "OTEL_DISTRO_EXIT_TIMEOUT",
        "exit_timeout",
        "number",
        "seconds",
        "3",
        "Longest time that the end of a process waits for what is still to be sent.",
        _seconds(0, 3600),
    ),
    Variable(
        "NETRC",
        "netrc",
        "path",
        "",
        "",
        "File with a password for each host, `~/.netrc` by default; where one is, OTLP over HTTP is sent by requests.",
        _text,
    ),
    Variable(
        "OTEL_DISTRO_ELASTICSEARCH_URL",
        "elasticsearch_url",
        "text",
        "",
        "",
        "Elasticsearch of `otel-distro elasticsearch`, and of `otel-distro logs` where `OTEL_DISTRO_LOG_FILE` names no "
        "file, as `host:port` or URL.",
        _text,
    ),
    Variable(
        "OTEL_DISTRO_ELASTICSEARCH_API_KEY",
        "elasticsearch_api_key",
        "text",
        "",
        "",
        "API key for it, in the form that Elasticsearch calls `encoded`.",
        _text,
    ),
    Variable(
        "OTEL_DISTRO_ELASTICSEARCH_USERNAME",
        "elasticsearch_username",
        "text",
        "",
        "",
        "Name of a user, where there is no API key.",
        _text,
    ),
    Variable(
        "OTEL_DISTRO_ELASTICSEARCH_PASSWORD",
        "elasticsearch_password",
        "text",
        "",
        "",
        "The user's password.",
        _text,
    ),
    Variable(
        "OTEL_DISTRO_ELASTICSEARCH_CA_CERTS",
        "elasticsearch_ca_certs",
        "path",
        "",
        "",
        "PEM file with the certificate authority of an Elasticsearch with a private one.",
        _text,
    ),
    Variable(
        "OTEL_DISTRO_ELASTICSEARCH_INDEX_PREFIX",
        "elasticsearch_index_prefix",
        "text",
        "",
        "python-app",
        "Beginning of the names of the indices; the day follows: `python-app-2025.01.31`.",
        _text,
    ),
    Variable(
        "OTEL_DISTRO_ELASTICSEARCH_REPLICAS",
        "elasticsearch_replicas",
        "text",
        "copies",
        "auto",
        "Copies of each shard in new indices: a number, or `auto` for one as soon as there is a second node.",
        _replicas,
    ),
    Variable(
        "OTEL_DISTRO_ELASTICSEARCH_SHARDS",
        "elasticsearch_shards",
        "integer",
        "shards",
        "1",
        "Shards of each new index.",
        _integer(1, 1024),
    ),
    Variable(
        "OTEL_DISTRO_REDACT",
        "redact",
        "boolean",
        "",
        "true",
        "`false` leaves passwords, tokens, card numbers and credentials in logs, and in spans by OTLP, as they are.",
        _boolean,
    ),
    Variable(
        "OTEL_DISTRO_REDACT_NAMES",
        "redact_names",
        "list",
        "",
        "",
        "Further names of fields that are masked in logs and in spans by OTLP, in any case and with `-` or `_`.",
        _list,
    ),
)

"""The typed settings of a process, read from its environment variables.

`Settings.from_environ` is pure: it reads the mapping it is given and says what is wrong in `problems`; callers warn.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from otel_distro.errors import InputError
from otel_distro.variables import VARIABLES

_OTLP: Final = "OTEL_EXPORTER_OTLP_"
OTLP_ENDPOINTS: Final = tuple(f"{_OTLP}{signal}ENDPOINT" for signal in ("", "TRACES_", "METRICS_", "LOGS_"))

_ANY_LIMIT: Final = next(variable for variable in VARIABLES if variable.name == "OTEL_ATTRIBUTE_COUNT_LIMIT")
# What these say goes with all that is sent and stands on the page.
_CARRIED: Final = frozenset(("OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES"))
_SECRETS: Final = frozenset(("elasticsearch_url", "elasticsearch_api_key", "elasticsearch_password"))


def reference_table() -> str:
    """Return the table of all variables as Markdown; the reference page of the docs is made from it."""
    rows = ["| variable | default | what it does | type |", "| --- | --- | --- | --- |"]
    for variable in VARIABLES:
        default = f"`{variable.default}`" if variable.default else ""
        kind = f"{variable.type}, {variable.unit}" if variable.unit else variable.type
        rows.append(f"| `{variable.name}` | {default} | {variable.sentence} | {kind} |")
    return "\n".join(rows) + "\n"


class Settings(NamedTuple):
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
    otlp_traces_protocol: str
    otlp_metrics_protocol: str
    otlp_logs_protocol: str
    otlp_timeout: float
    otlp_traces_timeout: float | None
    otlp_metrics_timeout: float | None
    otlp_logs_timeout: float | None
    otlp_compression: str
    otlp_traces_compression: str
    otlp_metrics_compression: str
    otlp_logs_compression: str
    prometheus_host: str
    prometheus_port: int
    semconv_opt_in: tuple[str, ...]
    exemplar_filter: str
    traces_sampler: str
    propagators: tuple[str, ...]
    id_generator: str
    attribute_count_limit: int | None
    attribute_value_length_limit: int | None
    span_attribute_count_limit: int | None
    span_attribute_value_length_limit: int | None
    span_event_count_limit: int | None
    span_link_count_limit: int | None
    event_attribute_count_limit: int | None
    link_attribute_count_limit: int | None
    logrecord_attribute_count_limit: int | None
    logrecord_attribute_value_length_limit: int | None
    tracer_configurator: str
    meter_configurator: str
    logger_configurator: str
    config_file: str
    disabled_instrumentations: tuple[str, ...]
    excluded_urls: tuple[str, ...]
    flask_excluded_urls: tuple[str, ...]
    request_headers: tuple[str, ...]
    response_headers: tuple[str, ...]
    sanitized_headers: tuple[str, ...]
    log_file: str
    log_format: str
    log_level: int
    log_line_limit: int
    log_correlation: bool
    http_metrics: str
    flask: str
    scope_labels: bool
    prometheus_tls_cert_file: str
    prometheus_tls_key_file: str
    prometheus_tls_client_ca_file: str
    prometheus_basic_auth_file: str
    prometheus_bearer_token_file: str
    prometheus_dir: str
    prometheus_multiproc_dir: str
    group_dir: str
    series_limit: int
    series_limits: tuple[tuple[str, int], ...]
    gauge_rule: str
    gauge_rules: tuple[tuple[str, str], ...]
    elasticsearch_url: str
    elasticsearch_api_key: str
    elasticsearch_username: str
    elasticsearch_password: str
    elasticsearch_ca_certs: str
    elasticsearch_index_prefix: str
    elasticsearch_replicas: int | None
    elasticsearch_shards: int
    span_delay: int
    span_queue: int
    span_batch: int
    log_delay: int
    log_queue: int
    log_batch: int
    metric_interval: int
    metric_timeout: int
    exit_timeout: float
    netrc: str
    redact: bool
    redact_names: tuple[str, ...]
    problems: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Return all but what is, or may hold, a password."""
        shown = (f"{name}={value!r}" for name, value in self._asdict().items() if name not in _SECRETS)
        return f"Settings({', '.join(shown)})"

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Settings:
        """Read the settings from a mapping of variables; an empty value counts as unset, as the specification says."""
        defaults = environment_defaults(environ)
        values: dict[str, Any] = {}
        problems: list[str] = []
        for variable in VARIABLES:
            fallback = defaults.get(variable.name, variable.default)
            given = environ.get(variable.name, "").strip()
            told = _told(variable.name, given)
            if told != given:
                problems.append(f"{variable.name}={given!r} is not UTF-8; {told!r} is used instead")
                given = told
            try:
                values[variable.field] = variable.parse(given or fallback)
            except InputError as error:
                used = variable.instead or fallback
                values[variable.field] = variable.parse(used)
                instead = f"{used!r} is used instead" if used else "it is ignored"
                problems.append(f"{variable.name}={given!r} is not {error}; {instead}")
        return cls(**values, problems=tuple(problems))

    @classmethod
    def current(cls) -> Settings:
        """Read the settings of this process from its environment."""
        return cls.from_environ(os.environ)

    @classmethod
    def written(cls, *beginnings: str) -> dict[str, str]:
        """Return the variables of this process whose names begin so, as they are; some may be secrets."""
        return {name: text for name, text in os.environ.items() if name.startswith(beginnings)}

    def protocol_of(self, signal: str) -> str:
        """Return the protocol by which a signal is sent by OTLP."""
        return getattr(self, f"otlp_{signal}_protocol") or self.otlp_protocol

    @property
    def service_name(self) -> str:
        """Name of the service, or the empty string where neither variable names one."""
        return self.own_service_name or dict(self.resource_attributes).get("service.name", "")

    @property
    def instance_id(self) -> str:
        """The instance id that the user has given all processes, or the empty string where each makes its own."""
        return dict(self.resource_attributes).get("service.instance.id", "")

    @property
    def environment(self) -> str:
        """Name of the deployment environment, or the empty string where no resource attribute names one."""
        attributes = dict(self.resource_attributes)
        return attributes.get("deployment.environment.name") or attributes.get("deployment.environment", "")


def environment_defaults(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the `OTEL_*` variables that this distribution sets where the user has not.

    Empty values count as unset. Source of the names: OpenTelemetry specification, "Environment Variable Specification".
    """
    traces = environ.get("OTEL_TRACES_EXPORTER", "").strip().lower()
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
    if not _limits_attributes(environ):
        # A log record by OTLP has what its line in the file has, which the length of a line bounds.
        wanted["OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT"] = "1000000"
    if (traces or signals) == "none":
        # An exemplar would name a trace that nobody has.
        wanted["OTEL_METRICS_EXEMPLAR_FILTER"] = "always_off"
    return {name: value for name, value in wanted.items() if not environ.get(name, "").strip()}


def _limits_attributes(environ: Mapping[str, str]) -> bool:
    """Say whether the user limits the attributes of anything; a wrong number limits nothing."""
    try:
        return _ANY_LIMIT.parse(environ.get(_ANY_LIMIT.name, "").strip()) is not None
    except InputError:
        return False


def environment_mends(environ: Mapping[str, str]) -> dict[str, str]:
    """Return what has to stand in the place of `OTEL_*` variables that OpenTelemetry takes otherwise than is done here.

    Its own parts read many of them: in one case only, with the blanks around them, an empty one as a value, and some
    raise by a wrong one. A variable that has to go has an empty text.
    """
    mends = {name: "" for name, text in environ.items() if name.startswith("OTEL_") and not text.strip()}
    # Endpoints and files of OTLP are in no table; a line of a file of variables may end with a carriage return.
    mends |= {name: text.strip() for name, text in environ.items() if name.startswith(_OTLP) and text != text.strip()}
    defaults = environment_defaults(environ)
    for variable in VARIABLES:
        text = environ.get(variable.name, "")
        used = _told(variable.name, text.strip())
        if not used or not variable.name.startswith("OTEL_") or variable.name.startswith("OTEL_DISTRO_"):
            continue
        try:
            variable.parse(used)
        except InputError:
            used = variable.instead or defaults.get(variable.name, variable.default)
        if variable.type in ("choice", "boolean"):
            used = used.lower()
        if used != text:
            mends[variable.name] = used
    return mends


def _told(name: str, text: str) -> str:
    """Return the text of a variable that every signal carries, without bytes that no text of OTLP can hold."""
    return text.encode(errors="replace").decode() if name in _CARRIED else text


assert {variable.field for variable in VARIABLES} == {*Settings._fields} - {"problems"}  # noqa: S101 -- the table and the class are one thing

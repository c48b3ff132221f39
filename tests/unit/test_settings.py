"""Variables in, typed settings out."""

from __future__ import annotations

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_distro.settings import OTLP_ENDPOINTS, Settings, environment_defaults, environment_mends, reference_table
from otel_distro.variables import VARIABLES


def test_an_empty_environment_gives_the_defaults() -> None:
    settings = Settings.from_environ({})
    assert settings.metrics_exporters == ("prometheus",)
    assert settings.traces_exporters == settings.logs_exporters == ("none",)
    assert settings.otlp_protocol == "http/protobuf"
    assert (settings.prometheus_host, settings.prometheus_port) == ("localhost", 9464)
    assert settings.semconv_opt_in == ("http",)
    assert (settings.log_file, settings.log_format, settings.log_level) == ("", "none", logging.INFO)
    assert settings.http_metrics == "classic"
    assert settings.disabled is False
    assert settings.problems == ()


@pytest.mark.parametrize("endpoint", OTLP_ENDPOINTS)
def test_any_otlp_endpoint_turns_traces_and_logs_on(endpoint: str) -> None:
    settings = Settings.from_environ({endpoint: "http://localhost:4318"})
    assert settings.traces_exporters == settings.logs_exporters == ("otlp",)
    assert settings.metrics_exporters == ("prometheus",)


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        (
            "OTEL_EXPORTER_PROMETHEUS_PORT",
            "http",
            "OTEL_EXPORTER_PROMETHEUS_PORT='http' is not a whole number from 0 to 65535; '9464' is used instead",
        ),
        (
            "OTEL_EXPORTER_PROMETHEUS_PORT",
            "65536",
            "OTEL_EXPORTER_PROMETHEUS_PORT='65536' is not a whole number from 0 to 65535; '9464' is used instead",
        ),
        (
            "OTEL_DISTRO_LOG_FORMAT",
            "xml",
            "OTEL_DISTRO_LOG_FORMAT='xml' is not one of json, text, none; 'none' is used instead",
        ),
        (
            "OTEL_DISTRO_LOG_LEVEL",
            "loud",
            "OTEL_DISTRO_LOG_LEVEL='loud' is not one of debug, info, warning, error, critical; 'info' is used instead",
        ),
        (
            "OTEL_DISTRO_HTTP_METRICS",
            "all",
            "OTEL_DISTRO_HTTP_METRICS='all' is not one of classic, semconv, both; 'classic' is used instead",
        ),
        ("OTEL_SDK_DISABLED", "yes", "OTEL_SDK_DISABLED='yes' is not true or false; 'false' is used instead"),
        (
            "OTEL_RESOURCE_ATTRIBUTES",
            "novalue",
            "OTEL_RESOURCE_ATTRIBUTES='novalue' is not key=value pairs with commas between them; it is ignored",
        ),
        (
            "OTEL_EXPORTER_OTLP_TIMEOUT",
            "10000",  # milliseconds, as some take it
            ("OTEL_EXPORTER_OTLP_TIMEOUT='10000' is not a number of seconds from 0.001 to 3600; '10' is used instead"),
        ),
        (
            "OTEL_PYTHON_FLASK_EXCLUDED_URLS",
            "ok,*.js",
            (
                "OTEL_PYTHON_FLASK_EXCLUDED_URLS='ok,*.js' is not regular expressions with commas between them "
                "(nothing to repeat at position 3); it is ignored"
            ),
        ),
        (
            "OTEL_PYTHON_EXCLUDED_URLS",
            "a{99999999999}",
            (
                "OTEL_PYTHON_EXCLUDED_URLS='a{99999999999}' is not regular expressions with commas between them "
                "(the repetition number is too large); it is ignored"
            ),
        ),
        (
            "OTEL_EXPORTER_OTLP_PROTOCOL",
            "carrier-pigeon",
            (
                "OTEL_EXPORTER_OTLP_PROTOCOL='carrier-pigeon' is not one of http/protobuf, grpc; "
                "'http/protobuf' is used instead"
            ),
        ),
    ],
)
def test_a_wrong_value_gives_one_sentence_with_variable_value_and_substitute(
    name: str, value: str, problem: str
) -> None:
    settings = Settings.from_environ({name: value})
    assert settings.problems == (problem,)
    assert settings == Settings(**{**Settings.from_environ({})._asdict(), "problems": (problem,)})


@pytest.mark.parametrize("variable", VARIABLES, ids=lambda variable: variable.name)
def test_an_empty_value_counts_as_unset(variable: object) -> None:
    assert Settings.from_environ({variable.name: " "}) == Settings.from_environ({})  # type: ignore[attr-defined]


@given(
    st.dictionaries(
        st.sampled_from([variable.name for variable in VARIABLES]), st.text(max_size=30) | st.just("a=" + "9" * 5000)
    )
)
def test_no_value_raises_and_each_problem_names_its_variable(environ: dict[str, str]) -> None:
    settings = Settings.from_environ(environ)
    named = [problem.partition("=")[0] for problem in settings.problems]
    assert len(set(named)) == len(named)
    assert set(named) <= set(environ)


def test_values_are_taken_in_any_case_and_with_blanks() -> None:
    settings = Settings.from_environ(
        {"OTEL_SDK_DISABLED": " TRUE ", "OTEL_DISTRO_LOG_LEVEL": "Warning", "OTEL_METRICS_EXPORTER": "otlp, prometheus"}
    )
    assert settings.disabled
    assert settings.log_level == logging.WARNING
    assert settings.metrics_exporters == ("otlp", "prometheus")


def test_known_names_are_taken_in_any_case_and_others_as_they_are() -> None:
    given = {"OTEL_TRACES_EXPORTER": "OTLP,Mine", "OTEL_METRICS_EXPORTER": "Prometheus", "OTEL_LOGS_EXPORTER": "NONE"}
    settings = Settings.from_environ({**given, "OTEL_TRACES_SAMPLER": "ParentBased_Always_Off"})
    assert settings.traces_exporters == ("otlp", "Mine")
    assert settings.metrics_exporters == ("prometheus",)
    assert settings.logs_exporters == ("none",)
    assert settings.traces_sampler == "parentbased_always_off"
    assert Settings.from_environ({"OTEL_TRACES_SAMPLER": "Mine"}).traces_sampler == "Mine"


def test_the_service_is_named_by_its_variable_before_the_resource() -> None:
    attributes = {"OTEL_RESOURCE_ATTRIBUTES": "service.name=b%20c,deployment.environment.name=staging"}
    assert Settings.from_environ(attributes).service_name == "b c"
    assert Settings.from_environ(attributes).environment == "staging"
    assert Settings.from_environ({**attributes, "OTEL_SERVICE_NAME": "a"}).service_name == "a"
    assert Settings.from_environ({}).service_name == ""


def test_defaults_are_for_unset_variables_only() -> None:
    given = {"OTEL_METRICS_EXPORTER": "console", "OTEL_EXPORTER_PROMETHEUS_PORT": ""}
    defaults = environment_defaults(given)
    assert "OTEL_METRICS_EXPORTER" not in defaults
    assert defaults["OTEL_EXPORTER_PROMETHEUS_PORT"] == "9464"
    assert defaults["OTEL_SEMCONV_STABILITY_OPT_IN"] == "http"
    assert given == {"OTEL_METRICS_EXPORTER": "console", "OTEL_EXPORTER_PROMETHEUS_PORT": ""}


@pytest.mark.parametrize(("value", "whole"), [("", True), ("all", True), ("-1", True), ("0", False), (" 64 ", False)])
def test_a_wrong_limit_of_attributes_leaves_log_records_whole_as_none_does(value: str, whole: bool) -> None:
    limits = environment_defaults({"OTEL_ATTRIBUTE_COUNT_LIMIT": value})
    assert ("OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT" in limits) == whole


@pytest.mark.parametrize(
    ("given", "mended"),
    [
        ({"OTEL_EXPORTER_OTLP_TIMEOUT": " ", "OTEL_METRICS_EXEMPLAR_FILTER": ""}, {}),
        ({"OTEL_METRICS_EXEMPLAR_FILTER": " Always_ON"}, {"OTEL_METRICS_EXEMPLAR_FILTER": "always_on"}),
        ({"OTEL_METRICS_EXEMPLAR_FILTER": "some"}, {"OTEL_METRICS_EXEMPLAR_FILTER": "trace_based"}),
        ({"OTEL_SERVICE_NAME": " shop "}, {"OTEL_SERVICE_NAME": "shop"}),
        ({"OTEL_RESOURCE_ATTRIBUTES": "a=b,c"}, {}),
        ({"OTEL_RESOURCE_ATTRIBUTES": "a=B"}, {"OTEL_RESOURCE_ATTRIBUTES": "a=B"}),
        ({"OTEL_SERVICE_NAME": "caf\udce9"}, {"OTEL_SERVICE_NAME": "caf?"}),
        ({"OTEL_RESOURCE_ATTRIBUTES": "a=\udcff,b=c"}, {"OTEL_RESOURCE_ATTRIBUTES": "a=?,b=c"}),
        ({"OTEL_DISTRO_LOG_FILE": "caf\udce9"}, {"OTEL_DISTRO_LOG_FILE": "caf\udce9"}),
        ({"OTEL_PYTHON_EXCLUDED_URLS": "*.js"}, {}),
        (
            {"OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SANITIZE_FIELDS": "[a"},
            {"OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SANITIZE_FIELDS": ".*"},
        ),
        (
            {"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "http://a:4318\r", "OTEL_EXPORTER_OTLP_CERTIFICATE": " /ca.pem "},
            {"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "http://a:4318", "OTEL_EXPORTER_OTLP_CERTIFICATE": "/ca.pem"},
        ),
        ({"OTEL_DISTRO_LOG_FILE": " a ", "HOME": ""}, {"OTEL_DISTRO_LOG_FILE": " a ", "HOME": ""}),
    ],
    ids=str,
)
def test_opentelemetry_reads_what_is_used_here(given: dict[str, str], mended: dict[str, str]) -> None:
    mends = environment_mends(given)
    result = {name: text for name, text in {**given, **mends}.items() if text or name not in mends}
    assert result == mended
    assert Settings.from_environ(result) == Settings.from_environ(given)._replace(problems=())


def test_bytes_that_are_no_utf8_cost_the_name_of_a_service_nothing_else() -> None:
    settings = Settings.from_environ({"OTEL_SERVICE_NAME": "caf\udce9"})
    assert settings.service_name == "caf?"
    assert settings.problems == (r"OTEL_SERVICE_NAME='caf\udce9' is not UTF-8; 'caf?' is used instead",)


def test_every_setting_has_one_variable_and_every_default_can_be_parsed() -> None:
    assert sorted(v.field for v in VARIABLES) == sorted(name for name in Settings._fields if name != "problems")
    assert len({variable.name for variable in VARIABLES}) == len(VARIABLES)
    for variable in VARIABLES:
        variable.parse(variable.default)


def test_the_reference_table_has_a_row_for_each_variable() -> None:
    rows = reference_table().splitlines()
    assert len(rows) == len(VARIABLES) + 2
    assert all(row.count("|") == 5 for row in rows)


def test_passwords_are_not_shown() -> None:
    names = ("URL", "API_KEY", "PASSWORD")
    given = {f"OTEL_DISTRO_ELASTICSEARCH_{name}": "https://u:hunter2@es" for name in names}
    settings = Settings.from_environ(given)
    assert settings.elasticsearch_url == "https://u:hunter2@es"
    assert "hunter2" not in repr(settings)
    assert "exit_timeout=3.0" in repr(settings)

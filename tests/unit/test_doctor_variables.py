"""Names and values of variables as they are written."""

from __future__ import annotations

import pytest

from otel_distro.doctor import variables
from otel_distro.doctor.model import Finding
from otel_distro.settings import Settings


def found(**environment: str) -> list[Finding]:
    return variables.look(Settings.from_environ(environment), environment)


def test_where_nothing_is_wrong_one_line_counts_what_is_set() -> None:
    assert [each.found for each in found()] == ["0 set that this package reads, none wrong"]
    (one,) = found(OTEL_SERVICE_NAME="shop", OTEL_EMPTY="")
    assert (one.status, one.found) == ("ok", "1 set that this package reads, none wrong")


def test_each_wrong_value_is_a_fault_with_what_is_used_instead() -> None:
    (fault,) = found(OTEL_EXPORTER_PROMETHEUS_PORT="http")
    assert fault.status == "fault"
    assert fault.found.startswith("OTEL_EXPORTER_PROMETHEUS_PORT='http' is not a whole number from 0 to 65535; '9464'")
    assert fault.mend == "correct or unset it"


def test_an_unknown_name_that_is_near_none_is_to_be_unset_and_its_value_is_not_told() -> None:
    (fault,) = found(OTEL_DISTRO_XYZ="hidden")
    assert fault.mend == "unset it: no variable of this package has a name like it"
    assert "hidden" not in str(fault)


def test_a_mistyped_name_of_this_package_is_told_once_with_the_one_that_is_meant() -> None:
    (file, port) = found(OTEL_EXPORTER_PROMETHEUS_PORTT="1", OTEL_DISTRO_LOG_FILES="hidden")
    assert (file.mend, port.mend) == ("is OTEL_DISTRO_LOG_FILE meant?", "is OTEL_EXPORTER_PROMETHEUS_PORT meant?")
    assert file.found == "OTEL_DISTRO_LOG_FILES is no variable of this package: it is ignored"


def test_a_name_that_is_nearly_one_of_opentelemetrys_is_a_warning() -> None:
    (slip,) = found(OTEL_EXPORTER_OTLP_ENDPONT="http://localhost:4318")
    assert (slip.status, slip.mend) == ("warning", "is OTEL_EXPORTER_OTLP_ENDPOINT meant?")


@pytest.mark.parametrize("name", ["OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_LOGS_HEADERS"])
def test_a_header_that_no_exporter_sends_is_a_fault_without_its_value(name: str) -> None:
    (fault,) = found(**{name: "a=b, x=Basic YWJj==,,Authorization: Bearer hidden"})
    assert (fault.status, fault.found) == ("fault", f"header 4 in {name} is not name=value: it is not sent")
    assert "hidden" not in str(fault)


def test_names_of_opentelemetry_and_of_other_packages_are_no_slips() -> None:
    theirs = ("OTEL_SPAN_LINK_COUNT_LIMIT", "OTEL_PYTHON_DJANGO_EXCLUDED_URLS", "OTEL_INSTRUMENTATION_GENAI_X")
    assert [each.status for each in found(**dict.fromkeys(theirs, "1"))] == ["ok"]


def test_a_disabled_sdk_is_a_warning() -> None:
    (warning,) = found(OTEL_SDK_DISABLED="true")
    assert (warning.status, warning.mend) == ("warning", "unset it where the service is to be measured")


@pytest.mark.parametrize("name", ["OTEL_DISTRO_LOG_FILE", "OTEL_DISTRO_PROMETHEUS_DIR"])
@pytest.mark.parametrize("text", ["~/logs/a", "$HOME/logs/a", "logs/${NAME}/a"])
def test_a_place_that_a_shell_would_have_named_otherwise_is_a_warning(name: str, text: str) -> None:
    (warning,) = found(**{name: text})
    assert (warning.status, warning.mend) == ("warning", "write the folder out")
    assert warning.found.startswith(f"{name}={text} is made under this very name: ")
    assert [each.status for each in found(**{name: "/logs/a~1"})] == ["ok"]


@pytest.mark.parametrize("text", ['"shop"', "'shop'", ' "shop" ', '""'])
def test_quotes_that_nobody_took_away_are_a_warning_without_the_value(text: str) -> None:
    (quoted,) = found(OTEL_SERVICE_NAME=text, OTEL_DISTRO_LOG_FILE='the "log"', OTEL_EXPORTER_PROMETHEUS_HOST='"')
    (well,) = found(OTEL_SERVICE_NAME="'shop\"", OTEL_DISTRO_LOG_FILE="xx", OTEL_EXPORTER_PROMETHEUS_HOST="'x")
    assert well.status == "ok"
    wrong = "OTEL_SERVICE_NAME has quotes around its value, which are a part of it"
    assert (quoted.status, quoted.found) == ("warning", wrong)
    (fault,) = found(OTEL_EXPORTER_PROMETHEUS_PORT=text)
    assert fault.status == "fault"

"""Which logs and which credentials a command takes, of its options and of variables."""

from __future__ import annotations

from pathlib import Path

import pytest

from otel_distro.analyzer.elastic_address import Address
from otel_distro.cli.where import Where, _where, address_of
from otel_distro.settings import Settings

CREDENTIALS = {"api_key": None, "user": None, "ca_certs": None}
KEY = {"OTEL_DISTRO_ELASTICSEARCH_API_KEY": "key"}
USER = {"OTEL_DISTRO_ELASTICSEARCH_USERNAME": "ann", "OTEL_DISTRO_ELASTICSEARCH_PASSWORD": "hidden"}


@pytest.mark.parametrize(
    ("variables", "api_key", "user", "asked_by"),
    [
        ({}, None, None, (None, None)),
        (KEY, None, None, ("key", None)),
        (USER, None, None, (None, ("ann", "hidden"))),
        (USER, "other", None, ("other", None)),
        (KEY, None, "bob:his:own", (None, ("bob", "his:own"))),
        (USER, None, "bob", (None, ("bob", "hidden"))),
        (USER, None, "bob:", (None, ("bob", ""))),
        ({}, None, "bob", (None, ("bob", ""))),
    ],
)
def test_an_option_takes_the_place_of_every_variable_that_says_the_same(
    variables: dict[str, str], api_key: str | None, user: str | None, asked_by: tuple[object, object]
) -> None:
    address = address_of("es", Settings.from_environ(variables), api_key, user, None)
    assert (address.api_key, address.basic_auth) == asked_by


def test_the_authority_is_that_of_the_option_and_else_of_the_variable(tmp_path: Path) -> None:
    for name in ("named", "given"):
        (tmp_path / name).touch()
    settings = Settings.from_environ({"OTEL_DISTRO_ELASTICSEARCH_CA_CERTS": str(tmp_path / "named")})
    assert address_of("es", settings, None, None, None).ca_certs == str(tmp_path / "named")
    assert address_of("es", settings, None, None, str(tmp_path / "given")).ca_certs == str(tmp_path / "given")
    assert address_of("es", Settings.from_environ({}), None, None, None).ca_certs is None


@pytest.mark.parametrize(
    ("address", "number", "told"),
    [
        (None, 0, ""),
        (None, 1, "otel-distro: 1 line was skipped: not one JSON object with a timestamp\n"),
        (None, 1200, "otel-distro: 1,200 lines were skipped: not one JSON object with a timestamp\n"),
        (Address("http://es"), 1, "otel-distro: 1 document was skipped: no @timestamp that can be read\n"),
        (Address("http://es"), 2, "otel-distro: 2 documents were skipped: no @timestamp that can be read\n"),
    ],
)
def test_what_an_answer_is_without_is_told_beside_it(
    address: Address | None, number: int, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Where("app.log", address, "").tell_skipped(number)
    assert capsys.readouterr() == ("", told)


@pytest.mark.parametrize(
    ("es", "file", "files", "asked"),
    [
        (None, "a.log", "a.log", False),
        (None, "", "", True),
        ("localhost:9200", "a.log", "", True),
    ],
)
def test_the_file_of_a_service_is_asked_before_the_elasticsearch_of_its_variable(
    es: str | None, file: str, files: str, asked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_DISTRO_ELASTICSEARCH_URL", "es.internal:9200")
    monkeypatch.setenv("OTEL_DISTRO_LOG_FILE", file)
    where = _where(None, es, None, dict(CREDENTIALS))
    assert (where.files, where.address is not None) == (files, asked)

"""Which logs a question is put to, by its options and the variables."""

from __future__ import annotations

import pytest

from otel_distro.cli.where import _where

CREDENTIALS = {"api_key": None, "user": None, "ca_certs": None}


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

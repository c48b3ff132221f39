"""What is files and what is Elasticsearch."""

from __future__ import annotations

from pathlib import Path

import pytest

from otel_distro.analyzer.address import is_local
from otel_distro.errors import InputError


@pytest.mark.parametrize(
    "where",
    [
        "logs/app.log",
        "./x",
        "/var/log/shop",
        "localhost:9200/prefix",
        "app.log",
        "app.log.1",
        "app.log.2.gz",
        "app.log-20250301",
        "APP.LOG",
        "old.ndjson",
        "old.json",
        "old.jsonl",
        "*",
        "app?",
        "app[12]",
        "C:*",
        Path("C"),
        Path("localhost:9200"),
    ],
)
def test_paths_globs_and_names_of_log_files_are_files(where: str | Path) -> None:
    assert is_local(where)


@pytest.mark.parametrize(
    "where",
    [
        "localhost:9200",
        "localhost",
        "es.internal",
        "es-1.example.org:443",
        "10.0.0.7:9200",
        "[::1]:9200",
        "[fe80::1]",
        "C",
        "http://localhost:9200",
        "https://es.internal/prefix/app.log",
        "HTTPS://ES",
    ],
)
def test_hosts_and_urls_are_elasticsearch(where: str) -> None:
    assert not is_local(where)


def test_a_file_that_exists_is_a_file_even_where_its_name_could_be_a_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert not is_local("shop:9200")
    (tmp_path / "shop:9200").touch()
    assert is_local("shop:9200")


@pytest.mark.parametrize(
    "where", ["", "  ", "a\0b", "ftp://host/x", "file:///x.log", "host:99999", "host:abc", "a b", 5]
)
def test_what_is_neither_is_refused_with_its_value(where: object) -> None:
    with pytest.raises(InputError) as caught:
        is_local(where)  # type: ignore[arg-type]
    assert repr(where) in str(caught.value)

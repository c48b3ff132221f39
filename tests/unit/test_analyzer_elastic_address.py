"""How the address of an Elasticsearch is read, and that its secrets are not shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from otel_distro.analyzer.elastic_address import Address
from otel_distro.errors import InputError


@pytest.mark.parametrize(
    ("es_host", "url"),
    [
        ("localhost:9200", "http://localhost:9200"),
        ("es.internal", "http://es.internal:9200"),
        ("[::1]:9201", "http://[::1]:9201"),
        ("http://es.internal", "http://es.internal:80"),
        ("https://es.internal", "https://es.internal:443"),
        ("HTTPS://Es.Internal:9243/", "https://es.internal:9243"),
        ("https://proxy.internal/es/", "https://proxy.internal:443/es"),
        ("http://my_es.bücher.example.:9200", "http://my_es.bücher.example.:9200"),
    ],
)
def test_a_host_means_port_9200_and_a_url_the_port_of_its_scheme(es_host: str, url: str) -> None:
    assert Address.of(es_host).url == url


@pytest.mark.parametrize(
    "es_host",
    [
        "http://",
        "http://:9200",
        "http://a:b:c",
        "http://ann:secret@:9200",
        "http://x:99999",
        "ftp://ann:secret@x",
        # The client would raise errors of its own, when it is first asked.
        "es..internal:9200",
        "http://.:9200",
        "x" * 64,
        "http://ann:secret@es internal:9200",
        "http://[fe80::1%25eth0]:9200",
    ],
)
def test_what_names_no_host_is_refused_without_its_password(es_host: str) -> None:
    with pytest.raises(InputError) as caught:
        Address.of(es_host)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("es_host", ["htps://es.internal:9200", "://es.internal", "http://ann:secret://es.internal"])
def test_a_mistyped_scheme_is_refused_and_not_taken_for_http_without_tls(es_host: str) -> None:
    with pytest.raises(InputError, match="neither http:// nor https://; give host:port or such a URL") as caught:
        Address.of(es_host, api_key="secret")
    assert "secret" not in str(caught.value)


def test_credentials_inside_of_the_url_are_taken_out_of_it() -> None:
    address = Address.of("https://ann:p%40ss@es.internal:9200")
    assert (address.url, address.basic_auth) == ("https://es.internal:9200", ("ann", "p@ss"))


def test_nothing_secret_is_in_the_text_of_an_address() -> None:
    assert "s3cret" not in repr(Address.of("h:1", api_key="s3cret"))
    assert "s3cret" not in repr(Address.of("h:1", basic_auth=("ann", "s3cret")))


def test_a_certificate_authority_means_https(tmp_path: Path) -> None:
    authority = tmp_path / "ca.pem"
    authority.touch()
    assert Address.of("es.internal", ca_certs=authority) == Address("https://es.internal:9200", ca_certs=str(authority))


def _s3cret(**arguments: Any) -> str:
    with pytest.raises(InputError) as caught:
        Address.of(**{"es_host": "es.internal:9200", **arguments})
    assert "s3cret" not in str(caught.value)
    return str(caught.value)


def test_credentials_that_are_none_are_refused_by_name_and_without_their_value() -> None:
    for api_key in ("", "  ", "s3crét", 5, ("id", "s3cret")):
        assert _s3cret(api_key=api_key).startswith("api_key is no API key")
    for basic_auth in ("ann:s3cret", ("ann",), ("ann", None), ("a", "s3cret", "c"), 5):
        assert _s3cret(basic_auth=basic_auth).startswith("basic_auth is no pair")
    assert "both given" in _s3cret(api_key="s3cret", basic_auth=("ann", "s3cret"))


def test_a_certificate_authority_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    assert "none.pem" in _s3cret(ca_certs="none.pem")
    assert str(tmp_path) in _s3cret(ca_certs=tmp_path)
    assert "use https://" in _s3cret(es_host="http://es.internal", ca_certs=tmp_path)

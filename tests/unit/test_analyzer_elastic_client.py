"""How the client of Elasticsearch is had, and how it reads answers."""

from __future__ import annotations

import json
import sys
from base64 import b64decode

import pytest
from elasticsearch import SerializationError

from otel_distro.analyzer.elastic_address import Address
from otel_distro.analyzer.elastic_client import SizedSerializer, open_client
from otel_distro.errors import StoreError
from tests.stranger import answering


def _answer(source: str) -> bytes:
    return b'{"hits":{"hits":[{"_source":%s},{"_source":{"a":1}}]}}' % source.encode()


def test_an_answer_says_how_many_bytes_it_had() -> None:
    assert SizedSerializer().loads(b'{"a": 1}') == {"a": 1, "_size_in_bytes": 8}
    assert SizedSerializer().loads(b"[1]") == [1]


def test_numbers_are_exact_and_those_beyond_a_float_stay_texts() -> None:
    found = SizedSerializer().loads(b'{"big": %d, "huge": 1e999, "float": 0.1}' % 10**30)
    assert (found["big"], found["huge"], found["float"]) == (10**30, "1e999", 0.1)


@pytest.mark.parametrize("text", [b"<html>", b"", b"\xff", b'{"a":'])
def test_what_is_no_json_is_an_error_of_the_client(text: bytes) -> None:
    with pytest.raises(SerializationError):
        SizedSerializer().loads(text)


def test_a_document_nested_deeper_than_python_goes_leaves_the_others_readable() -> None:
    deep = '{"a":' * 990 + "1" + "}" * 990
    try:
        readable = json.loads(deep)  # by later releases of Python
    except RecursionError:
        readable = None
    hits = SizedSerializer().loads(_answer(deep))["hits"]["hits"]
    assert [hit["_source"] for hit in hits] == [readable, {"a": 1}]


def test_a_password_outside_of_ascii_is_sent_in_utf_8_and_bytes_of_another_locale_as_they_were_typed() -> None:
    with answering(200, headers={"X-Elastic-Product": "Elasticsearch"}) as server:
        for password in ("pässwörd:商", "p\udce4ss"):
            with open_client(Address.of(server.place, basic_auth=("ann", password))) as client:
                client.info()
    sent = [b64decode(headers["authorization"].removeprefix("Basic ")) for headers in server.requests]
    assert sent == ["ann:pässwörd:商".encode(), b"ann:p\xe4ss"]


def test_without_the_client_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "elasticsearch", None)
    with pytest.raises(StoreError, match=r"pip install \"otel-distro\[elasticsearch\]\""):
        open_client(Address.of("localhost"))

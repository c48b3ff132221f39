"""The official client of Elasticsearch, set up and imported where it is used."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any, Final

import orjson

from otel_distro.analyzer.document_text import finite
from otel_distro.analyzer.elastic_address import Address
from otel_distro.errors import StoreError

SIZE: Final = "_size_in_bytes"
"""Where an answer says how many bytes it had."""
_PAGE_BYTES: Final = 4 << 20


def open_client(address: Address) -> Any:
    """Return a client; it connects when it is first asked.

    Raises:
        StoreError: the package is not installed.
    """
    try:
        from elasticsearch import Elasticsearch
    except ImportError as error:
        raise StoreError('asking Elasticsearch needs its client: pip install "otel-distro[elasticsearch]"') from error
    options: dict[str, Any] = {"ca_certs": address.ca_certs} if address.ca_certs else {}
    serializer: Any = SizedSerializer()
    return Elasticsearch(
        address.url,
        api_key=address.api_key,
        basic_auth=_basic(address.basic_auth),
        request_timeout=address.timeout,
        retry_on_timeout=False,
        serializers={serializer.mimetype: serializer},
        **options,
    )


def _basic(name_and_password: tuple[str, str] | None) -> str | None:
    """Return a name and a password as they are sent, in UTF-8: the client itself would take ASCII alone."""
    if name_and_password is None:
        return None
    return b64encode(":".join(name_and_password).encode("utf-8", "surrogateescape")).decode("ascii")


def fitting(documents: int, size: int, most: int) -> int:
    """Return how many documents to ask for after a page of so many with `size` bytes, so that it has about 4 MB."""
    return max(1, min(documents * _PAGE_BYTES // max(size, 1), documents * 2, most))


class SizedSerializer:
    """JSON for the client, which reads documents as the local store reads them and notes the size of each answer.

    A document that is nested deeper than Python goes has None for its `_source`.
    """

    mimetype = "application/json"

    def dumps(self, data: Any) -> bytes:
        """Return the text of a question."""
        return json.dumps(data, separators=(",", ":")).encode()

    def loads(self, data: bytes) -> Any:
        """Return the value of an answer's text.

        Raises:
            SerializationError: it is no JSON, so no Elasticsearch wrote it.
        """
        try:
            answer = _loads(data)
        except (ValueError, RecursionError) as error:
            from elasticsearch import SerializationError

            raise SerializationError("it answers no JSON", errors=(error,)) from error
        if isinstance(answer, dict):
            answer[SIZE] = len(data)
        return answer


def _loads(data: bytes) -> Any:
    try:
        return json.loads(data, parse_constant=lambda _: None, parse_float=finite)
    except RecursionError:
        # orjson goes deeper than Elasticsearch, at the price of whole numbers beyond 64 bits; so only here.
        answer = orjson.loads(data)
        for hit in answer["hits"]["hits"]:
            if _too_deep(hit["_source"]):
                hit["_source"] = None
        return answer


def _too_deep(document: dict[str, Any]) -> bool:
    try:
        json.dumps(document)
    except RecursionError:
        return True
    return False

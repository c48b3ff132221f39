"""Requests to one Elasticsearch, each answered in full or with one `StoreError`."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from otel_distro.analyzer.elastic_address import Address
from otel_distro.analyzer.elastic_client import open_client
from otel_distro.analyzer.elastic_dsl import FIELD_TYPES
from otel_distro.analyzer.elastic_errors import partial, sentence
from otel_distro.errors import StoreError

NEW_INDEX: Final = 5.0  # seconds; an index that was made a moment ago, as at midnight, has its shards by then
_AGAIN: Final = 0.1  # seconds between two tries
_NOT_AVAILABLE: Final = 503
_SETUP: Final = "run `otel-distro elasticsearch setup` and send the logs into a new index"


class _NotYetError(StoreError):
    """A shard does not answer, which a new one does not for a moment."""


class Session:
    """The way to the indices of a pattern at an address.

    The client is made when it is first needed and anew after a fork. Safe to share between threads.
    """

    def __init__(self, address: Address, index: str) -> None:
        self.address = address
        self.index = index
        self._lock = threading.RLock()  # an iterator that is collected meanwhile asks as well
        self._client: Any = None
        self._process = 0

    def ask(self, request: Callable[[Any], Any]) -> dict[str, Any]:
        """Return the answer to the request that is made with the client; shards that do not answer have five seconds.

        Raises:
            StoreError: there is none, or it is not the whole one.
        """
        deadline = time.monotonic() + NEW_INDEX
        while True:
            try:
                return self._ask(request)
            except _NotYetError as error:
                if time.monotonic() >= deadline:
                    raise StoreError(str(error)) from error.__cause__
            time.sleep(_AGAIN)

    def ask_for(self, name: str, request: Callable[[Any], Any]) -> Any:
        """Return what an answer that `ask` gives has under a name; StoreError where it has nothing."""
        answer = self.ask(request)
        if name not in answer:
            raise self._no_elasticsearch()
        return answer[name]

    def search(self, **body: Any) -> dict[str, Any]:
        """Return the answer to a search; one that lacks a shard is none."""
        return self.ask(lambda client: client.search(**body, allow_partial_search_results=False))

    def check_mapping(self) -> int:
        """Return how many indices there are, once each has the fields that questions need.

        Raises:
            StoreError: there is no index, or one was made without our template.
        """
        answer = self.ask(
            lambda client: client.field_caps(
                index=self.index, fields=list(FIELD_TYPES), include_unmapped=True, allow_no_indices=False
            )
        )
        try:
            lacking = _lacking(answer["fields"], answer["indices"])
            number = len(answer["indices"])
        except (KeyError, TypeError, AttributeError) as error:
            raise self._no_elasticsearch() from error
        if lacking:
            index, problem = lacking
            raise StoreError(f"index {index} at {self.address.url} was made without the template: {problem}; {_SETUP}")
        return number

    def close(self) -> None:
        """Close the connections; the next request opens new ones."""
        with self._lock:
            client, self._client = self._client, None
            if client is not None and self._process == os.getpid():
                client.close()

    def _ask(self, request: Callable[[Any], Any]) -> dict[str, Any]:
        client = self._own_client()
        from elasticsearch import ApiError, TransportError, UnsupportedProductError

        try:
            answer: dict[str, Any] = request(client).body
        except (ApiError, TransportError, UnsupportedProductError) as error:
            kind = _NotYetError if getattr(error, "status_code", None) == _NOT_AVAILABLE else StoreError
            raise kind(sentence(error, self.address, self.index)) from error
        if not isinstance(answer, dict):
            raise self._no_elasticsearch()
        if lacking := partial(answer, self.address, self.index):
            raise (StoreError if answer.get("timed_out") else _NotYetError)(lacking)
        return answer

    def _no_elasticsearch(self) -> StoreError:
        return StoreError(f"what answers at {self.address.url} is no Elasticsearch; give another address")

    def _own_client(self) -> Any:
        with self._lock:
            if self._client is None or self._process != os.getpid():
                # A parent's connections would mix its answers with ours.
                self._client, self._process = open_client(self.address), os.getpid()
            return self._client


def _lacking(fields: dict[str, Any], indices: list[str]) -> tuple[str, str] | None:
    """Return an index whose fields are not ours and what is wrong with the first of them, or None."""
    for field, wanted in FIELD_TYPES.items():
        for kind, caps in fields.get(field, {"unmapped": {}}).items():
            where = caps.get("indices", indices)
            if kind != wanted and where:
                is_kind = "is missing" if kind == "unmapped" else f"is {kind}"
                return where[0], f"{field} {is_kind} instead of {wanted}"
    return None

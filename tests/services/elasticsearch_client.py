"""Questions to a running Elasticsearch, with the credentials and the authority that it wants."""

from __future__ import annotations

import base64
import json
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tests.support import Response, request, wait_until

_PAGE: Final = 1000


@dataclass(frozen=True)
class Document:
    """One stored document."""

    index: str
    id: str
    source: dict[str, Any]


@dataclass(frozen=True)
class ApiKey:
    """An API key: its id, by which it is invalidated, and what a client sends after `ApiKey`."""

    id: str
    encoded: str


class Client:
    """Asks the server at `url`; `authorization` is a header's value or empty, `tls` says whom to trust."""

    def __init__(self, url: str, *, authorization: str = "", tls: ssl.SSLContext | None = None) -> None:
        """Remember where the server is; nothing is sent yet."""
        self.url = url
        self.authorization = authorization
        self.tls = tls

    def respond(
        self, method: str, path: str, body: Any = None, *, authorization: str | None = None, seconds: float = 60.0
    ) -> Response:
        """Send one request and return the answer, whatever its status; raises OSError where nobody answers.

        `body` is sent as JSON, a `str` as it is (NDJSON). `authorization` stands in for that of the user `elastic`.
        """
        headers = {"Content-Type": "application/x-ndjson" if isinstance(body, str) else "application/json"}
        if authorization if authorization is not None else self.authorization:
            headers["Authorization"] = self.authorization if authorization is None else authorization
        data = None if body is None else body.encode() if isinstance(body, str) else json.dumps(body).encode()
        return request(self.url + path, method=method, headers=headers, body=data, seconds=seconds, tls=self.tls)

    def request(self, method: str, path: str, body: Any = None) -> Any:
        """Send one request and return the JSON of its answer; raises AssertionError with it on an error status."""
        answer = self.respond(method, path, body)
        assert answer.status < 400, f"{method} {path}: {answer.status} {answer.text}"
        return json.loads(answer.body) if answer.body else None

    def refresh(self, index: str = "_all") -> None:
        """Make everything stored until now visible to searches."""
        self.request("POST", f"/{index}/_refresh?ignore_unavailable=true")

    def count(self, index: str, query: Mapping[str, Any] | None = None) -> int:
        """Return the number of documents stored in the indices of this name or pattern; 0 where there is none.

        With a query only those are counted that it finds.
        """
        self.refresh(index)
        path = f"/{index}/_count?ignore_unavailable=true"
        answer = self.respond("POST", path, {"query": query or {"match_all": {}}})
        if answer.status == 503 and "no_shard_available" in answer.text:
            return 0  # an index that was made a moment ago: what it holds cannot be asked for yet
        assert answer.status < 400, f"POST {path}: {answer.status} {answer.text}"
        return int(json.loads(answer.body)["count"])

    def documents(self, index: str) -> list[Document]:
        """Return every document stored in the indices of this name or pattern, however many."""
        opened = wait_until(lambda: self._open(index), 60, what=f"the shards of {index}", every=0.1)
        return list(self._all(opened))

    def delete(self, index: str) -> None:
        """Delete the indices of this name or pattern, if there are any."""
        for name in self.request("GET", f"/{index}?ignore_unavailable=true&expand_wildcards=all"):
            self.request("DELETE", f"/{name}")

    def create_api_key(self, name: str, roles: Mapping[str, Any] | None = None) -> ApiKey:
        """Make an API key with these role descriptors (none: the rights of `elastic`); needs `security`."""
        key = self.request("POST", "/_security/api_key", {"name": name, "role_descriptors": dict(roles or {})})
        return ApiKey(key["id"], key["encoded"])

    def invalidate_api_key(self, key: ApiKey) -> None:
        """Take every right from the key, for ever."""
        self.request("DELETE", "/_security/api_key", {"ids": [key.id]})

    def _open(self, index: str) -> str:
        """Return the id of the moment's documents; nothing while an index is being made, which has no shard to read."""
        self.respond("GET", f"/_cluster/health/{index}?wait_for_no_initializing_shards=true&timeout=30s")
        self.refresh(index)
        path = f"/{index}/_pit?keep_alive=1m&ignore_unavailable=true"
        answer = self.respond("POST", path)
        assert answer.status < 400 or answer.status == 503, f"POST {path}: {answer.status} {answer.text}"
        return "" if answer.status == 503 else str(json.loads(answer.body)["id"])

    def _all(self, opened: str) -> Iterator[Document]:
        search: dict[str, Any] = {"size": _PAGE, "sort": ["_shard_doc"], "track_total_hits": False}
        try:
            while True:
                answer = self.request("POST", "/_search", {**search, "pit": {"id": opened, "keep_alive": "1m"}})
                opened, hits = answer["pit_id"], answer["hits"]["hits"]
                if not hits:
                    return
                yield from (Document(hit["_index"], hit["_id"], hit["_source"]) for hit in hits)
                search["search_after"] = hits[-1]["sort"]
        finally:
            self.request("DELETE", "/_pit", {"id": opened})


def basic(user: str, password: str) -> str:
    """Return the header's value of a user and a password."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()

"""Log documents put into a real Elasticsearch by plain HTTP, as the Collector puts them there."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any
from uuid import uuid4

from otel_distro.analyzer.elastic_template import templates
from tests.log_oracle import Document
from tests.services.elasticsearch import Elasticsearch

_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_DOCUMENTS_A_REQUEST = 2000


def install(server: Elasticsearch) -> None:
    """Install the templates of the logs."""
    for name, template in templates().items():
        server.request("PUT", f"/_index_template/{name}", template)


def new_prefix() -> str:
    """Return the beginning of the names of indices that no other test has; the template is for them."""
    return f"python-app-test-{uuid4().hex}"


def stored(document: Document) -> Document:
    """Return a log document as it stands in Elasticsearch."""
    return {("@timestamp" if name == "timestamp" else name): value for name, value in document.items()}


def load(server: Elasticsearch, prefix: str, documents: Iterable[Document]) -> None:
    """Put documents into the indices `<prefix>-YYYY.MM.dd` by their UTC days and make them searchable."""
    server.respond("PUT", f"/{prefix}-none")
    batch: list[str] = []
    for document in documents:
        day = _DAY.match(str(document.get("timestamp")))
        name = {"_id": str(document["log_id"])} if "log_id" in document else {}
        batch += [
            json.dumps({"index": {"_index": f"{prefix}-{day[0].replace('-', '.') if day else 'none'}", **name}}),
            json.dumps(stored(document)),
        ]
        if len(batch) >= 2 * _DOCUMENTS_A_REQUEST:
            _send(server, batch)
            batch = []
    _send(server, batch)
    server.refresh(f"{prefix}-*")


def open_points_in_time(server: Elasticsearch) -> int:
    """Return how many readers the server keeps documents for."""
    nodes: dict[str, Any] = server.request("GET", "/_nodes/stats/indices/search")["nodes"]
    return sum(node["indices"]["search"]["open_contexts"] for node in nodes.values())


def _send(server: Elasticsearch, batch: list[str]) -> None:
    if batch:
        answer = server.request("POST", "/_bulk", "\n".join(batch) + "\n")
        assert not answer["errors"], [item for item in answer["items"] if item["index"]["status"] >= 300][:3]

"""A letter as a line, and records in parts; what a real server makes of them is in tests/integration."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import Self

from otel_distro.analyzer.elastic_address import Address
from otel_distro.analyzer.elastic_refused import DeadLetters, Letter, parts
from otel_distro.analyzer.taken import Record
from otel_distro.errors import StoreError


def letter(status: int, document: str = "{}", reason: str = "") -> Letter:
    return Letter("python-app-2026.11.24", "r-1", "2026-11-24T00:00:00.000000Z", document, status, "kind", reason)


@pytest.mark.parametrize(("status", "refused"), [(0, False), (200, False), (201, False), (400, True), (409, False)])
def test_what_is_there_already_is_not_refused(status: int, refused: bool) -> None:
    assert letter(status).refused is refused


class Server:
    """Answers like Elasticsearch: it has no record yet, and takes or refuses one with `status`."""

    address = Address("http://es:9200")

    def __init__(self, status: int) -> None:
        self.status = status
        self.created: list[dict[str, Any]] = []

    def ask_for(self, name: str, question: Callable[[Any], dict[str, Any]]) -> Any:
        return question(self)[name]

    def mget(self, docs: list[Any]) -> dict[str, Any]:
        return {"docs": [{"found": False} for _ in docs]}

    def bulk(self, operations: list[str], refresh: bool) -> dict[str, Any]:
        actions = [json.loads(line)["create"] for line in operations[::2]]
        self.created += actions
        kept = actions[0]["_index"].startswith("rejected-")
        error = {"type": "kind", "reason": "so", "caused_by": {"reason": "because"}}
        told = {"status": 201} if kept or self.status < 300 else {"status": self.status, "error": error}
        return {"items": [{"create": {**action, **told}} for action in actions]}


class Sent(Record):
    def document(self) -> str:
        return "{}"


def sent_again(server: Server) -> list[Letter]:
    letters = DeadLetters(server.address, "python-app")
    letters._session = server  # type: ignore[assignment]
    return list(letters.send_missing([Sent("python-app-1", "r-1", 0, b"")]))


@pytest.mark.parametrize("status", [400, 413, 422])
def test_what_is_refused_for_what_is_in_it_is_kept_with_the_reason(status: int) -> None:
    server = Server(status)
    [letter] = sent_again(server)
    assert (letter.refused, letter.status, letter.kind, letter.reason) == (True, status, "kind", "so: because")
    assert [action["_index"] for action in server.created] == ["python-app-1", "rejected-python-app-1"]


@pytest.mark.parametrize("status", [401, 403, 404, 408, 429, 500, 502, 503, 504])
def test_what_may_be_better_another_time_is_no_refusal_and_is_not_kept(status: int) -> None:
    server = Server(status)
    with pytest.raises(StoreError, match=rf"does not take a document into python-app-1 at present \({status}\)"):
        sent_again(server)
    assert [action["_index"] for action in server.created] == ["python-app-1"]


@pytest.mark.parametrize("status", [201, 409])
def test_what_is_stored_now_or_was_meanwhile_is_not_kept(status: int) -> None:
    server = Server(status)
    [letter] = sent_again(server)
    assert not letter.refused
    assert len(server.created) == 1


@given(st.dictionaries(st.text(), st.text() | st.integers() | st.floats(allow_nan=False)), st.text())
def test_a_line_is_one_and_json_with_the_document_as_it_is(document: dict[str, object], reason: str) -> None:
    line = letter(400, json.dumps(document, ensure_ascii=False), reason).line()
    assert json.loads(line) == {
        "index": "python-app-2026.11.24",
        "id": "r-1",
        "error_type": "kind",
        "reason": reason,
        "record": document,
    }
    assert len(line.splitlines()) == 1


@given(st.lists(st.integers(0, 5 << 20), max_size=40) | st.integers(0, 2500).map(lambda number: [1] * number))
def test_parts_have_every_record_in_its_order_and_fit_into_a_request(sizes: list[int]) -> None:
    records = [Record("i", str(number), 0, Sized(size)) for number, size in enumerate(sizes)]
    found = list(parts(records))
    assert [record for part in found for record in part] == records
    for part in found:
        assert 1 <= len(part) <= 1000
        assert len(part) == 1 or sum(len(record.body) for record in part) <= 4 << 20


class Sized(bytes):
    """Bytes that say how many they are without being there."""

    def __new__(cls, size: int) -> Self:
        made = super().__new__(cls)
        made.size = size
        return made

    size: int

    def __len__(self) -> int:
        return self.size

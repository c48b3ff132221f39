"""A letter as a line, and records in parts; what a real server makes of them is in tests/integration."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import Self

from otel_distro.analyzer.elastic_refused import Letter, parts
from otel_distro.analyzer.taken import Record


def letter(status: int, document: str = "{}", reason: str = "") -> Letter:
    return Letter("python-app-2026.11.24", "r-1", "2026-11-24T00:00:00.000000Z", document, status, "kind", reason)


@pytest.mark.parametrize(("status", "refused"), [(0, False), (200, False), (201, False), (400, True), (409, False)])
def test_what_is_there_already_is_not_refused(status: int, refused: bool) -> None:
    assert letter(status).refused is refused


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

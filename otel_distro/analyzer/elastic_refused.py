"""Records that Elasticsearch has not stored: sent again, and what it refuses kept where it is found."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final, TypeVar

from otel_distro.analyzer.elastic_address import Address
from otel_distro.analyzer.elastic_client import SIZE, fitting
from otel_distro.analyzer.elastic_session import Session
from otel_distro.analyzer.elastic_template import REJECTED
from otel_distro.analyzer.taken import Record
from otel_distro.errors import StoreError

_RECORDS_A_REQUEST: Final = 1000
_BYTES_A_REQUEST: Final = 4 << 20
_FIRST_PAGE: Final = 10  # letters; of the largest records Elasticsearch answers and takes no hundred at once
_LONGEST_PAGE: Final = 100
_CONFLICT: Final = 409  # it is there already
# What may be better another time; every other refusal is for what is in the document.
_LATER: Final = frozenset((401, 403, 404, 408, 429))
_NOT_FOUND: Final = "index_not_found_exception"
_NOT_THERE: Final = "is not there: if nobody has removed it, but it could not be made, --create-indices stores them"
# What ends a line for some readers or commands a terminal; JSON itself escapes only those below.
_ESCAPED: Final = {code: f"\\u{code:04x}" for code in (*range(0x7F, 0xA0), 0x2028, 0x2029)}


@dataclass(frozen=True)
class Letter:
    """A record with its document as JSON, and the server's last word on it."""

    index: str
    id: str
    moment: str
    document: str
    status: int = 0
    kind: str = ""
    reason: str = ""

    @property
    def size(self) -> int:
        """About how many bytes its document has."""
        return len(self.document)

    @property
    def refused(self) -> bool:
        """Whether the server has refused it, and not only now."""
        return self.status >= 400 and self.status != _CONFLICT

    def line(self) -> str:
        """Return it as one line of JSON, the document as it is."""
        told = {"index": self.index, "id": self.id, "error_type": self.kind, "reason": self.reason}
        line = f'{json.dumps(told, ensure_ascii=False)[:-1]}, "record": {self.document}}}'
        return line.translate(_ESCAPED)


_Sized = TypeVar("_Sized", Record, Letter)


class DeadLetters:
    """The indices `rejected-<prefix>-*` of what was refused, each letter under the id that its document would have.

    Whatever is asked of it can be asked again, and by several at once: a document is only ever created, under its own
    id. For one thread.
    """

    def __init__(self, address: Address, prefix: str, *, create_indices: bool = False) -> None:
        """Remember where; with `create_indices` a record whose index is not there is one that is not stored."""
        self._session = Session(address, f"{REJECTED}{prefix}-*")
        self._create_indices = create_indices
        self._seen: set[tuple[str, str]] = set()
        self._alone: Counter[tuple[str, str]] = Counter()

    @property
    def left_alone(self) -> Iterator[str]:
        """Say of each index that cannot be asked for its documents how many records of it were left alone, and why."""
        for (index, kind), number in sorted(self._alone.items()):
            why = _NOT_THERE if kind == _NOT_FOUND else f"does not answer ({kind}): ask again when it does"
            yield f"{number} record{'s' * (number != 1)} left alone of {index}, which {why}"

    def send_kept(self) -> Iterator[Letter]:
        """Send again what is kept here, and yield each with what has become of it; what is stored is kept no longer.

        Raises:
            StoreError: the server cannot be asked, or takes nothing at present.
        """
        for letters in chain.from_iterable(map(parts, self._kept())):
            tried = self._create(letters)
            stored = [letter for letter in tried if not letter.refused]
            if stored:
                lines = [_action("delete", f"{REJECTED}{letter.index}", letter.id) for letter in stored]
                self._bulk(lines, {404}, refresh=True)
            self._seen.update((letter.index, letter.id) for letter in tried)
            yield from tried

    def send_missing(self, records: Iterable[Record]) -> Iterator[Letter]:
        """Send again those records that are not stored, and yield each with what has become of it.

        What is refused is kept. A record of an index that is not there is left alone: somebody may have removed it.

        Raises:
            StoreError: the server cannot be asked, or takes nothing at present.
        """
        for part in parts(records):
            new = {(record.index, record.id): record for record in part}
            missing = self._missing([new[name] for name in new.keys() - self._seen])
            letters = [Letter(one.index, one.id, one.moment, one.document()) for one in missing]
            tried = self._create(letters) if letters else []
            refused = [letter for letter in tried if letter.refused]
            if refused:
                self._bulk([line for letter in refused for line in _keep(letter)], {_CONFLICT}, refresh=True)
            self._seen.update((letter.index, letter.id) for letter in tried)
            yield from tried

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def _missing(self, records: Sequence[Record]) -> list[Record]:
        if not records:
            return []
        docs = [{"_index": record.index, "_id": record.id, "_source": False} for record in records]
        found = self._session.ask_for("docs", lambda client: client.mget(docs=docs))
        missing = []
        for record, doc in zip(records, found, strict=True):
            kind = doc.get("error", {}).get("type", "")
            if kind and not (kind == _NOT_FOUND and self._create_indices):
                self._alone[record.index, kind] += 1
            elif not doc.get("found"):
                missing.append(record)
        return missing

    def _create(self, letters: Sequence[Letter]) -> list[Letter]:
        lines = [line for one in letters for line in (_action("create", one.index, one.id), one.document)]
        answers = self._bulk(lines, {_CONFLICT}, refusals=True)
        return [
            Letter(
                one.index,
                one.id,
                one.moment,
                one.document,
                answer["status"],
                answer.get("error", {}).get("type", ""),
                _reason(answer.get("error", {})),
            )
            for one, answer in zip(letters, answers, strict=True)
        ]

    def _bulk(
        self, lines: Sequence[str], fine: set[int], *, refusals: bool = False, refresh: bool = False
    ) -> list[dict[str, Any]]:
        """Return the answer to each action; with `refresh` the next search finds what it has done.

        Raises:
            StoreError: one has failed in a way that is not `fine` and, with `refusals`, is none of its document's.
        """
        items = self._session.ask_for("items", lambda client: client.bulk(operations=lines, refresh=refresh))
        answers = [answer for item in items for answer in item.values()]
        for answer in answers:
            status = answer["status"]
            final = refusals and 400 <= status < 500 and status not in _LATER
            if status >= 300 and status not in fine and not final:
                where, why = answer["_index"], _reason(answer.get("error", {}))
                raise StoreError(
                    f"{self._session.address.url} does not take a document into {where} at present ({status}): {why}"
                )
        return answers

    def _kept(self) -> Iterator[list[Letter]]:
        """Yield every letter that is kept, page by page, as of the moment of the first."""
        opened = self._session.ask_for(
            "id",
            lambda client: client.open_point_in_time(
                index=self._session.index, keep_alive="5m", allow_partial_search_results=False
            ),
        )
        after: dict[str, Any] = {}
        size = _FIRST_PAGE
        try:
            while True:
                pit = {"id": opened, "keep_alive": "5m"}
                answer = self._session.search(pit=pit, sort=["_shard_doc"], size=size, **after)
                hits = answer["hits"]["hits"]
                if not hits:
                    return
                yield [_letter(hit) for hit in hits]
                after = {"search_after": hits[-1]["sort"]}
                size = fitting(len(hits), answer[SIZE], _LONGEST_PAGE)
        finally:
            self._session.ask(lambda client: client.close_point_in_time(id=opened))


def parts(records: Iterable[_Sized]) -> Iterator[list[_Sized]]:
    """Yield records or letters in parts that fit into one request."""
    part: list[_Sized] = []
    size = 0
    for record in records:
        if part and (len(part) >= _RECORDS_A_REQUEST or size + record.size > _BYTES_A_REQUEST):
            yield part
            part, size = [], 0
        part.append(record)
        size += record.size
    if part:
        yield part


def _action(name: str, index: str, id: str) -> str:  # noqa: A002 -- as Elasticsearch calls it
    return json.dumps({name: {"_index": index, "_id": id}})


def _keep(letter: Letter) -> tuple[str, str]:
    """Return the lines that put a letter where it is kept; the document is a text, which no mapping can refuse."""
    kept = {
        "@timestamp": letter.moment,
        "reason": letter.reason,
        "error_type": letter.kind,
        "index": letter.index,
        "record": letter.document,
    }
    return _action("create", f"{REJECTED}{letter.index}", letter.id), json.dumps(kept)


def _letter(hit: dict[str, Any]) -> Letter:
    kept = hit["_source"]
    return Letter(kept["index"], hit["_id"], kept["@timestamp"], kept["record"])


def _reason(error: dict[str, Any]) -> str:
    """Return the server's reason with that of its cause."""
    cause = error.get("caused_by", {}).get("reason")
    reason = error.get("reason", "")
    return f"{reason}: {cause}" if cause else reason

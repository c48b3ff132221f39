"""The books of a run through the log pipeline, kept beside it: what was sent, what is owed, and what was found."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any, Final

from tests.services.elasticsearch_client import Document

Record = dict[str, Any]
_WORDS: Final = (
    "order",
    "paid",
    "refused",
    "Größe",
    "\u4e2d\u6587",
    '"quoted"',
    "a\tb",
    "\U0001f600",
    "path\\x",
    "{x}",
)
# Just before midnight, so that a run fills the indices of two days.
_BEGIN: Final = datetime(2026, 11, 23, 23, 59, 58, tzinfo=timezone.utc)


@dataclass(frozen=True)
class Outcome:
    """What the books say at the end; every name is a set of `log_id`s."""

    sent: int
    owed: int
    stored: int
    lost: frozenset[str]
    doubled: frozenset[str]
    strange: frozenset[str]
    changed: frozenset[str]

    def check(self) -> None:
        """Raise AssertionError unless everything owed is there, as it was sent, once, and nothing else is."""
        assert not self.lost, f"lost {len(self.lost)}: {sorted(self.lost)[:5]}"
        assert not self.doubled, f"doubled {len(self.doubled)}: {sorted(self.doubled)[:5]}"
        assert not self.strange, f"sent by nobody {len(self.strange)}: {sorted(self.strange)[:5]}"
        assert not self.changed, f"changed {len(self.changed)}: {sorted(self.changed)[:5]}"

    def __str__(self) -> str:
        return (
            f"sent {self.sent}, owed {self.owed}, stored {self.stored}, lost {len(self.lost)}, "
            f"doubled {len(self.doubled)}, strange {len(self.strange)}, changed {len(self.changed)}"
        )


@dataclass
class PipelineLedger:
    """Makes the records of a run and remembers them; safe for one thread a way."""

    seed: int = 4
    sent: dict[str, Record] = field(default_factory=dict)
    owed: set[str] = field(default_factory=set)

    def make(self, way: str, number: int) -> Record:
        """Return a new record of this way; from now on it may be found."""
        log_id = f"{way}-{number:06d}"
        chance = random.Random(f"{self.seed} {log_id}")
        moment = _BEGIN + timedelta(milliseconds=number)
        record: Record = {
            "timestamp": f"{moment:%Y-%m-%dT%H:%M:%S.%f}Z",
            "level": chance.choice(("DEBUG", "INFO", "WARNING", "ERROR")),
            "message": " ".join(chance.choices(_WORDS, k=chance.randrange(5, 40))),
            "logger": "shop.orders",
            "line": chance.randrange(1000),
            "trace_id": f"{chance.getrandbits(128) | 1:032x}",
            "span_id": f"{chance.getrandbits(64) | 1:016x}",
            "service": "shop",
            "environment": "test",
            "log_id": log_id,
            "amount": chance.randrange(10**6) / 100 + 0.001,
        }
        if chance.random() < 0.5:  # else a flat line, which agent.yaml reads by a shorter way
            record["nested"] = {"list": [chance.getrandbits(62), "x", None, True], "empty": {}}
        if chance.random() < 0.5:
            record["user_id"] = f"u-{chance.randrange(100)}"
        self.sent[log_id] = record
        return record

    def owe(self, records: Sequence[Record]) -> None:
        """Remember that these were acknowledged."""
        self.owed.update(record["log_id"] for record in records)

    def compare(self, documents: Iterable[Document]) -> Outcome:
        """Hold what is stored against the books."""
        found = list(documents)
        by_log_id = Counter(str(document.source.get("log_id")) for document in found)
        by_id = Counter(document.id for document in found)
        return Outcome(
            sent=len(self.sent),
            owed=len(self.owed),
            stored=len(found),
            lost=frozenset(self.owed - by_log_id.keys()),
            doubled=frozenset(name for counts in (by_log_id, by_id) for name, count in counts.items() if count > 1),
            strange=frozenset(by_log_id.keys() - self.sent.keys()),
            changed=frozenset(filter(None, map(self._changed, found))),
        )

    def _changed(self, document: Document) -> str | None:
        log_id = str(document.source.get("log_id"))
        record = self.sent.get(log_id)
        if record is None or _text(document.source) == _text(expected(record)):
            return None
        return log_id


def expected(record: Record) -> Record:
    """Return the document that a complete record becomes."""
    document = {("@timestamp" if name == "timestamp" else name): value for name, value in record.items()}
    tags = ["user_action"] * ("user_id" in record) + ["error"] * (record["level"] in ("ERROR", "CRITICAL"))
    return {**document, "tags": tags} if tags else document


def _text(document: Record) -> str:
    return json.dumps(document, sort_keys=True)

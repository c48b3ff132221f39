"""What a log store must answer, worked out in plain Python: the ledger that every store is held to."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from otel_distro.analyzer.analyzer import LogAnalyzer

NOW = datetime(2025, 3, 2, 0, 30, tzinfo=timezone.utc)
"""The clock of the tests: half past midnight, so that a window of an hour crosses the day."""

Document = dict[str, Any]


def log_document(moment: datetime, number: int, **fields: Any) -> Document:
    """Return a document with every field of the log document; fields given are added or replace the usual ones."""
    return {
        "timestamp": moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "level": "INFO",
        "message": f"message {number}",
        "logger": "shop.orders",
        "module": "orders",
        "function": "create",
        "line": 42,
        "request_id": None,
        "user_id": None,
        "service": "shop",
        "environment": "production",
        "log_id": f"{number:08d}",
        **fields,
    }


def write_log(path: Path, documents: Iterable[Mapping[str, Any]]) -> Path:
    """Write the documents as a log file of JSON lines, without spaces as the package writes them."""
    path.write_text(
        "".join(json.dumps(document, separators=(",", ":")) + "\n" for document in documents), encoding="utf-8"
    )
    return path


def analyzer_of(where: object, now: datetime = NOW) -> LogAnalyzer:
    """Return an analyzer whose clock stands still."""
    return LogAnalyzer(str(where), now=lambda: now)


def moment_of(document: Mapping[str, Any]) -> datetime:
    """Return when a document was logged."""
    return datetime.strptime(document["timestamp"], "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc)


def inside(documents: Iterable[Document], hours: float, now: datetime = NOW) -> list[Document]:
    """Return the documents of the window, newest first."""
    kept = [document for document in documents if now - timedelta(hours=hours) <= moment_of(document) < now]
    return sorted(kept, key=lambda document: (moment_of(document), document["log_id"]), reverse=True)


def is_error(document: Mapping[str, Any]) -> bool:
    """Return whether the document is an error."""
    return document.get("level") in ("ERROR", "CRITICAL")


def expected_hours(documents: Iterable[Document], hours: float, now: datetime = NOW) -> list[tuple[str, int, int]]:
    """Return the hour, the total and the errors of every hour that the window touches."""
    kept = inside(documents, hours, now)
    totals = Counter(document["timestamp"][:13] for document in kept)
    errors = Counter(document["timestamp"][:13] for document in kept if is_error(document))
    start = (now - timedelta(hours=hours)).replace(minute=0, second=0, microsecond=0)
    count = -(-int((now - start).total_seconds() * 1_000_000) // 3_600_000_000)
    names = [(start + timedelta(hours=n)).strftime("%Y-%m-%dT%H") for n in range(count)]
    return [(f"{name}:00:00Z", totals[name], errors[name]) for name in names]


def expected_groups(documents: Iterable[Document], hours: float, now: datetime = NOW) -> dict[tuple[Any, ...], Any]:
    """Return count, first and last time, message and log_id of every group of errors, by type and place."""
    groups: dict[tuple[Any, ...], list[Document]] = {}
    for document in inside(documents, hours, now):
        if is_error(document):
            key = tuple(document.get(name) for name in ("error_type", "logger", "module", "function", "line"))
            groups.setdefault(key, []).append(document)
    return {
        key: (len(kept), kept[-1]["timestamp"], kept[0]["timestamp"], kept[0]["message"], kept[0]["log_id"])
        for key, kept in groups.items()
    }

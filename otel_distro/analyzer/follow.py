"""What is the same in a live tail of files and of Elasticsearch."""

from __future__ import annotations

from typing import Any, Final

from otel_distro.analyzer.model import Document, Where

PAUSE: Final = 0.5  # seconds between two looks


def holds(document: Document, where: Where) -> bool:
    """Return whether a document has the values that a query wants; a number counts as its text."""
    return all(_text(document.get(field)) in texts for field, texts in where)


def _text(value: Any) -> str | None:
    if isinstance(value, bool) or value is None:
        return None
    return value if isinstance(value, str) else str(value) if isinstance(value, (int, float)) else None

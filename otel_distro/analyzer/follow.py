"""What is the same in a live tail of files and of Elasticsearch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from otel_distro.analyzer.model import Document, Where

PAUSE: Final = 0.5  # seconds between two looks


def holds(document: Document, where: Where) -> bool:
    """Return whether a document has what a query wants; a number counts as its text, a list as each of its values."""
    return all(any(text in texts for text in _texts(document.get(field))) for field, texts in where)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for one in value:
            yield from _texts(one)
    elif isinstance(value, str):
        yield value
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield str(value)

"""What `LogAnalyzer` needs of a place that keeps log documents; each such place is one implementation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Protocol

from otel_distro.analyzer.model import Count, Document, ErrorGroup, Query, Where, Window


class LogStore(Protocol):
    """Log documents that can be asked; every implementation gives the same answers to the same documents.

    Arguments are already checked. Every method raises `StoreError` with one sentence where the store cannot answer in
    full. Methods may be called from several threads; then `skipped` belongs to whichever question ended last.
    """

    @property
    def skipped(self) -> int:
        """Lines or documents that the last question could not use: no object, or no timestamp that can be read.

        A search cannot use what is nested deeper than Python goes either; counts and groups can.
        """

    def search(self, query: Query) -> Iterator[Document]:
        """Yield the documents that match, in order, in bounded memory however many there are.

        Closing the iterator early frees what it holds. The question is put when the first document is asked for.
        """

    def follow(self, where: Where, last: int) -> Iterator[Document | None]:
        """Yield the `last` documents that match, oldest first, then each new one, for ever; None where nothing is new.

        Closing the iterator frees what it holds.
        """

    def count_by_hour(self, window: Window) -> Mapping[datetime, Count]:
        """Return counts by the start of the hour (UTC); hours without a document may be absent."""

    def top_errors(self, window: Window, limit: int) -> list[ErrorGroup]:
        """Return the largest groups of errors: by count, then by the latest one, then by type and place."""

    def extent(self) -> str:
        """Return what there is to search, for people: `12,000 lines of 3 files`."""

    def close(self) -> None:
        """Give back connections; calling it again does nothing."""

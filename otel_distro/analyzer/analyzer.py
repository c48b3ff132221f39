"""`LogAnalyzer`: questions to the logs of a service, wherever they are kept."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from types import TracebackType
from typing import TYPE_CHECKING, Final

from otel_distro.analyzer.address import is_local
from otel_distro.analyzer.elastic_address import Address
from otel_distro.analyzer.elasticsearch import ElasticsearchStore
from otel_distro.analyzer.local import LocalStore
from otel_distro.analyzer.model import (
    ERROR_LEVELS,
    Count,
    Document,
    ErrorGroup,
    ErrorRate,
    HourCount,
    Query,
    Window,
    hour_label,
)
from otel_distro.analyzer.store import LogStore
from otel_distro.errors import InputError

if TYPE_CHECKING:
    from typing_extensions import Self

_MOST_HOURS: Final = 876_000  # a hundred years
_MOST_DOCUMENTS: Final = 1_000_000_000


def _utc_now() -> datetime:
    return datetime.now(timezone.utc)


class LogAnalyzer:
    """Answers questions about the logs in files or in Elasticsearch.

    `es_host` is a path or glob of JSON log files, or the `host:port` or URL of an Elasticsearch; `is_local` has the
    rule that tells them apart. `index` is the index pattern; it, `api_key`, `basic_auth` (name and password) and
    `ca_certs` (path) are for Elasticsearch only. `now` is the clock: it returns a moment with a zone. `store` takes the
    place of both.

    `hours` is a number above 0: the window is from that long ago up to now, its start included, its end not. Errors are
    the levels ERROR and CRITICAL. Documents are dicts with every field and extra, as they were logged. The `iter_`
    methods give the same documents one by one in bounded memory; the others return them all in a list.

    One object may be used from several threads; `skipped` is then that of the question that ended last.

    Raises:
        InputError: an argument cannot be used; every method checks its own when it is called.
        StoreError: the store cannot answer in full.
    """

    def __init__(  # noqa: PLR0913 -- the public signature: one argument for each thing Elasticsearch needs
        self,
        es_host: str | os.PathLike[str] = "localhost:9200",
        *,
        index: str = "python-app-*",
        api_key: str | None = None,
        ca_certs: str | os.PathLike[str] | None = None,
        basic_auth: tuple[str, str] | None = None,
        now: Callable[[], datetime] = _utc_now,
        store: LogStore | None = None,
    ) -> None:
        self._now = now
        self._store = store or _open_store(es_host, index, api_key, ca_certs, basic_auth)

    @property
    def skipped(self) -> int:
        """Lines that the last question could not use: no JSON object, or no timestamp that can be read.

        A search cannot use what is nested deeper than Python goes either; rates and groups of errors count it.
        """
        return self._store.skipped

    def search_errors(self, hours: float = 1, size: int = 100) -> list[Document]:
        """Return the latest errors of the last hours, newest first, at most `size`."""
        return list(self.iter_errors(hours, size))

    def iter_errors(self, hours: float = 1, size: int | None = None) -> Iterator[Document]:
        """Yield the errors of the last hours, newest first; all of them unless `size` says how many."""
        limit = None if size is None else _checked_size(size)
        return self._store.search(Query((("level", ERROR_LEVELS),), self._window(hours), limit=limit))

    def get_error_rate(self, hours: float = 1) -> ErrorRate:
        """Return how many documents and errors the last hours have, in all and hour by hour (UTC).

        `rate` is a fraction from 0 to 1. Every hour that the window touches is there; the first and the last hold only
        what lies inside the window.
        """
        window = self._window(hours)
        counts = self._store.count_by_hour(window)
        hourly = [_hour_count(hour, counts.get(hour, Count(0, 0))) for hour in window.hours()]
        total, errors = sum(row["total"] for row in hourly), sum(row["errors"] for row in hourly)
        return ErrorRate(total=total, errors=errors, rate=errors / total if total else 0.0, hourly=hourly)

    def search_by_user(self, user_id: str, hours: float = 24) -> list[Document]:
        """Return every document of one user in the last hours, newest first."""
        return list(self.iter_by_user(user_id, hours))

    def iter_by_user(self, user_id: str, hours: float = 24) -> Iterator[Document]:
        """Yield every document of one user in the last hours, newest first."""
        return self._store.search(Query((("user_id", (_checked_id("user_id", user_id),)),), self._window(hours)))

    def search_by_request(self, request_id: str, hours: float | None = None) -> list[Document]:
        """Return every document of one request, oldest first, a story to read; of all time unless `hours` is given."""
        return list(self.iter_by_request(request_id, hours))

    def iter_by_request(self, request_id: str, hours: float | None = None) -> Iterator[Document]:
        """Yield every document of one request, oldest first; of all time unless `hours` is given."""
        return self._story("request_id", request_id, hours)

    def search_by_trace(self, trace_id: str, hours: float | None = None) -> list[Document]:
        """Return every document of one trace, oldest first, a story to read; of all time unless `hours` is given."""
        return list(self.iter_by_trace(trace_id, hours))

    def iter_by_trace(self, trace_id: str, hours: float | None = None) -> Iterator[Document]:
        """Yield every document of one trace, oldest first; of all time unless `hours` is given."""
        return self._story("trace_id", trace_id, hours)

    def top_errors(self, hours: float = 24, size: int = 10) -> list[ErrorGroup]:
        """Return the most frequent errors of the last hours, grouped by type, logger, module, function and line."""
        return self._store.top_errors(self._window(hours), _checked_size(size))

    def follow(self, last: int = 10, *, errors: bool = False) -> Iterator[Document | None]:
        """Yield the `last` documents, oldest first, then each new one for ever; with `errors` errors alone.

        None comes twice a second or so when nothing is new, so that the reader can do something else or end. Files are
        followed through rotation; from Elasticsearch a document counts that is searchable 30 s after a newer one.
        """
        if isinstance(last, bool) or not isinstance(last, int) or not 0 <= last <= _MOST_DOCUMENTS:
            wanted = f"a whole number from 0 to {_MOST_DOCUMENTS}"
            raise InputError(f"last={last!r} is no number of documents; give {wanted}")
        return self._store.follow((("level", ERROR_LEVELS),) if errors else (), last)

    def extent(self) -> str:
        """Return what there is to search, for people: `12,000 lines of 3 files`."""
        return self._store.extent()

    def close(self) -> None:
        """Give back the store's connections; calling it again does nothing."""
        self._store.close()

    def __enter__(self) -> Self:
        """Return itself; the store is closed at the end of the `with` block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the store."""
        self.close()

    def _story(self, field: str, value: str, hours: float | None) -> Iterator[Document]:
        window = None if hours is None else self._window(hours)
        return self._store.search(Query(((field, (_checked_id(field, value),)),), window, newest_first=False))

    def _window(self, hours: float) -> Window:
        if isinstance(hours, bool) or not isinstance(hours, (int, float)) or not 0 < hours <= _MOST_HOURS:
            raise InputError(f"hours={hours!r} is no span of time; give a number above 0 and up to {_MOST_HOURS}")
        end = self._now().astimezone(timezone.utc)
        return Window(end - timedelta(hours=hours), end)


def _open_store(
    es_host: str | os.PathLike[str],
    index: str,
    api_key: str | None,
    ca_certs: str | os.PathLike[str] | None,
    basic_auth: tuple[str, str] | None,
) -> LogStore:
    if is_local(es_host):
        return LocalStore(os.fspath(es_host))
    address = Address.of(os.fspath(es_host), api_key=api_key, basic_auth=basic_auth, ca_certs=ca_certs)
    return ElasticsearchStore(address, index)


def _hour_count(hour: datetime, count: Count) -> HourCount:
    rate = count.errors / count.total if count.total else 0.0
    return HourCount(hour=hour_label(hour), total=count.total, errors=count.errors, rate=rate)


def _checked_size(size: int) -> int:
    if isinstance(size, bool) or not isinstance(size, int) or not 1 <= size <= _MOST_DOCUMENTS:
        raise InputError(f"size={size!r} is no number of results; give a whole number from 1 to {_MOST_DOCUMENTS}")
    return size


def _checked_id(name: str, value: object) -> str:
    """Return an id as text; a whole number is one too, because applications often have such user ids."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str) or not value.strip():
        raise InputError(f"{name}={value!r} is no id; give a text that is not empty")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise InputError(f"{name}={value!r} is no id; give a text that can be written in UTF-8") from None
    return value

"""Traffic that counts its answers, and a scraper beside it that no counter may go down before."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from typing import Final
from urllib.parse import urlsplit

from prometheus_client.parser import text_string_to_metric_families

from tests.support import request, wait_until

SampleKey = tuple[str, tuple[tuple[str, str], ...]]

_GROWING: Final = ("counter", "histogram", "summary")
# Of prometheus_client's own collectors, which speak of the one process that serves the page.
_OF_ONE_PROCESS: Final = ("python_", "process_")


@dataclass
class Tally:
    """What came of a number of requests."""

    answers: Counter[int] = field(default_factory=Counter)
    broken: int = 0
    """Connections that ended without an answer: the application may have handled the request or not."""
    refused: int = 0
    """Connections that nobody took: no application has seen the request."""

    @property
    def answered(self) -> int:
        """How many answers came, of any status."""
        return sum(self.answers.values())


def send(url: str, number: int, threads: int = 4) -> Tally:
    """Send so many requests, each on a connection of its own, and count; after 60 s none is begun any more."""
    tally = Tally()
    lock = threading.Lock()
    left = iter(range(number))
    deadline = time.monotonic() + 60

    def work() -> None:
        while time.monotonic() < deadline:
            with lock:
                if next(left, None) is None:
                    return
            _send_one(url, tally, lock)

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(150)
    return tally


def _send_one(url: str, tally: Tally, lock: threading.Lock) -> None:
    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=60)
    try:
        try:
            connection.connect()
        except OSError:
            with lock:
                tally.refused += 1
            time.sleep(0.02)
            return
        try:
            connection.request("GET", parts.path, headers={"Connection": "close"})
            answer = connection.getresponse()
            answer.read()
        except (OSError, HTTPException):
            with lock:
                tally.broken += 1
            return
        with lock:
            tally.answers[answer.status] += 1
    finally:
        connection.close()


class Page:
    """The metrics page at a URL, read as numbers."""

    def __init__(self, url: str) -> None:
        self.url = url

    def samples(self) -> dict[SampleKey, float]:
        """Return the value of each sample; raises OSError where nobody serves the page."""
        return {key: value for key, value, _ in _samples(request(self.url).text)}

    def total(self, name: str, **labels: str) -> float:
        """Return the sum over the series of this name that have these labels, among others; 0 where there is none.

        Where the process that served the page has just ended, the next one is waited for.
        """
        found: list[dict[SampleKey, float]] = []

        def read() -> bool:
            with suppress(OSError, HTTPException):
                found.append(self.samples())
            return bool(found)

        wait_until(read, what=self.url)
        wanted = labels.items()
        return sum(value for (known, given), value in found[0].items() if known == name and wanted <= set(given))

    def wait_for(self, name: str, expected: float, seconds: float = 30.0, **labels: str) -> None:
        """Wait until the total is there, and make sure that it is not passed; raises AssertionError.

        A server may hand the last byte to the client a moment before it closes the response, which is counted then.
        """

        def reached() -> bool:
            return self.total(name, **labels) >= expected

        def found() -> str:
            return f"{name} to be {expected:g}; it is {self.total(name, **labels):g}"

        wait_until(reached, seconds, what=found)
        time.sleep(0.1)
        assert self.total(name, **labels) == expected


class Scraper:
    """What a scraper beside the traffic has seen."""

    def __init__(self, page: Page, every: float) -> None:
        self.scrapes = 0
        self.failed = 0
        self.decreases: list[str] = []
        self._page = page
        self._every = every
        self._last: dict[SampleKey, float] = {}

    def run(self, stop: threading.Event) -> None:
        """Scrape until told to stop, and once more then; where the page was never there, until it is."""
        while not stop.wait(self._every if self.scrapes else 0):
            self._scrape()
        self._scrape()
        # Short traffic may lie between the end of the process that served the page and the next one.
        deadline = time.monotonic() + 30
        while not self.scrapes and time.monotonic() < deadline:
            time.sleep(self._every)
            self._scrape()

    def _scrape(self) -> None:
        try:
            text = request(self._page.url, seconds=5).text
        except (OSError, HTTPException):
            self.failed += 1
            return
        self.scrapes += 1
        for key, value, kind in _samples(text):
            if kind not in _GROWING or key[0].startswith(_OF_ONE_PROCESS):
                continue
            before = self._last.get(key, 0.0)
            if value < before:
                self.decreases.append(f"{key} from {before:g} to {value:g}")
            self._last[key] = value


@contextmanager
def scraped(page: Page, every: float = 0.1) -> Iterator[Scraper]:
    """Scrape the page while the block runs; at its end no counter may have gone down between two scrapes."""
    scraper = Scraper(page, every)
    stop = threading.Event()
    thread = threading.Thread(target=scraper.run, args=(stop,))
    thread.start()
    try:
        yield scraper
    finally:
        stop.set()
        thread.join(60)
    assert not scraper.decreases, scraper.decreases[:5]
    assert scraper.scrapes, "the page was never there"


def _samples(text: str) -> Iterator[tuple[SampleKey, float, str]]:
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            yield (sample.name, tuple(sorted(sample.labels.items()))), sample.value, family.type

"""Where the demo reads its figures: who has counted and who keeps the log, and whether they agree with the ledger."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from examples.shop.ledger import Ledger, Series, expected_series
from examples.shop.page import Values, compare_settled
from examples.shop.summary import Counted, LogFigures, final_report, logs_match
from otel_distro import LogAnalyzer

SETTLE_SECONDS: Final = 30.0  # a line is in a file at once, in Elasticsearch when its index is refreshed


@dataclass(frozen=True)
class Source:
    """One place of metrics and one of logs, each with the name of its column in the comparison."""

    counted: str
    logged: str
    read_metrics: Callable[[], Values]
    open_log: Callable[[], LogAnalyzer]


def ask_log(source: Source, seconds: float, *, users: Sequence[str] = (), errors: int = 1) -> LogFigures:
    """Ask `LogAnalyzer` for the figures of the whole demo, which has lasted so many seconds.

    `errors` is how many error lines to fetch, the newest first, `users` for whom to fetch all lines.
    """
    hours = math.ceil(seconds / 3600) + 1
    with source.open_log() as analyzer:
        rate = analyzer.get_error_rate(hours=hours)
        found = analyzer.search_errors(hours=hours, size=errors)
        by_user = {user: len(analyzer.search_by_user(user, hours=hours)) for user in users}
    newest = " ".join(str(found[0]["message"]).split()) if found else ""
    return LogFigures(rate["total"], rate["errors"], by_user, newest, frozenset(str(line["log_id"]) for line in found))


def compare_all(sources: Sequence[Source], ledger: Ledger, started: float) -> bool:
    """Print what was sent, counted and logged, and return whether all of it agrees in every source."""
    expected = expected_series(ledger)
    counted = {}
    for source in sources:
        counted[source.counted] = _settled_metrics(source, expected)
    report, agrees = final_report(ledger, counted, _settled_logs(sources, ledger, started))
    print("\n" + report, flush=True)
    return agrees


def _settled_metrics(source: Source, expected: Mapping[Series, Decimal]) -> Counted:
    """Return what was compared last: read once more, a Prometheus that missed a scrape has nothing to say."""
    read: list[Values] = []

    def read_again() -> Values:
        read.append(source.read_metrics())
        return read[-1]

    rows = compare_settled(expected, read_again)
    return Counted(read[-1], rows)


def _settled_logs(sources: Sequence[Source], ledger: Ledger, started: float) -> dict[str, LogFigures]:
    """Ask until all logs agree or the time is over."""
    users, errors = sorted(ledger.lines_by_user), ledger.errors + 1  # one more than there should be
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        seconds = time.monotonic() - started
        logs = {source.logged: ask_log(source, seconds, users=users, errors=errors) for source in sources}
        if logs_match(ledger, logs.values()) or time.monotonic() > deadline:
            return logs
        time.sleep(0.2)

"""What the demo shows: pure functions from the metrics page, the ledger and the log's answers to lines of text."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from examples.shop.ledger import Ledger
from examples.shop.page import Row, Values, table


@dataclass(frozen=True)
class LogFigures:
    """What `LogAnalyzer` answered: lines and error lines in its window, lines of the traffic's users, newest error.

    `error_ids` are the `log_id` of the error lines that it was asked to find.
    """

    lines: int
    errors: int
    lines_by_user: Mapping[str, int]
    newest_error: str = ""
    error_ids: frozenset[str] = frozenset()


class Counted(NamedTuple):
    """What a metrics page or a Prometheus said: its values, and how each compares with the ledger."""

    values: Values
    rows: list[Row]


def by_label(values: Values, name: str, label: str) -> dict[str, Decimal]:
    """Return one metric's values added up by one of its labels, sorted by that."""
    sums: dict[str, Decimal] = {}
    for key, value in values.items():
        if key.name == name:
            text = dict(key.labels)[label]
            sums[text] = sums.get(text, Decimal(0)) + value
    return dict(sorted(sums.items()))


def quantile(values: Values, share: float) -> float | None:
    """Estimate the duration in seconds below which this share of all requests stayed; None where there were none.

    Linear inside of a bucket, as Prometheus' `histogram_quantile`; beyond the last bound it is that bound.
    """
    buckets = by_label(values, "http_request_duration_seconds_bucket", "le")
    bounds = sorted((float(bound), float(count)) for bound, count in buckets.items())
    if not bounds or bounds[-1][1] == 0:
        return None
    rank = share * bounds[-1][1]
    low, below = 0.0, 0.0
    for bound, count in bounds:
        if count >= rank:
            return low if math.isinf(bound) else low + (bound - low) * (rank - below) / max(count - below, 1.0)
        low, below = bound, count
    return low


def block(seconds: float, page: Values, log: LogFigures, width: int) -> list[str]:
    """Return the live summary as a few lines that fit the terminal's width."""
    statuses = by_label(page, "http_requests_total", "status")
    rate = float(sum(statuses.values())) / max(seconds, 1.0)
    classes: dict[str, Decimal] = {}
    for status, count in statuses.items():
        classes[f"{status[0]}xx"] = classes.get(f"{status[0]}xx", Decimal(0)) + count
    lines = [
        f"shop, {seconds:.0f} s of traffic, {rate:.0f} requests/s",
        f"  requests  {_pairs(classes)}",
        f"  statuses  {_pairs(dict(reversed(statuses.items())))}",  # errors first: a narrow terminal cuts the end
        f"  duration  {', '.join(f'p{share} {_milliseconds(quantile(page, share / 100))}' for share in (50, 95, 99))}",
        f"  orders    {_pairs(by_label(page, 'orders_total', 'status'))}",
        f"  revenue   {_pairs(by_label(page, 'revenue_total', 'currency'))}",
        f"  users     {_pairs(by_label(page, 'active_users', 'time_window'))}",
        f"  log       {log.lines} lines, {log.errors} errors ({_percent(log)})",
        f"  newest    {log.newest_error or '-'}",
    ]
    return [line if len(line) <= width else line[: max(width - 1, 0)] + "…" for line in lines]


def one_line(seconds: float, page: Values, log: LogFigures) -> str:
    """Return the live summary for where nothing can be redrawn."""
    statuses = by_label(page, "http_requests_total", "status")
    orders = sum(by_label(page, "orders_total", "status").values())
    return (
        f"{seconds:4.0f} s: requests {_pairs(statuses)}; p95 {_milliseconds(quantile(page, 0.95))}; "
        f"{orders:.0f} orders; {log.lines} log lines, {log.errors} errors ({_percent(log)})"
    )


def final_report(ledger: Ledger, counted: Mapping[str, Counted], logged: Mapping[str, LogFigures]) -> tuple[str, bool]:
    """Return the comparison of what was sent, counted and logged, and whether all of it agrees.

    Who counted and who logged stand under the names of their columns.
    """
    lines = [_line("", "sent", *counted, *logged), *_counts(ledger, [one.values for one in counted.values()])]
    nobody = [""] * len(counted)
    logs = logged.values()
    lines.append(_line("log lines", "", *nobody, *(log.lines for log in logs)))
    lines.append(_line("error lines", ledger.errors, *nobody, *(log.errors for log in logs)))
    users = (log.lines_by_user.values() for log in logs)
    lines.append(_line("lines with a user", ledger.lines_by_user.total(), *nobody, *map(sum, users)))
    rows = [row for one in counted.values() for row in one.rows]
    wrong = [row for row in rows if not row.agrees]
    logs_agree = logs_match(ledger, logs)
    agrees = not wrong and logs_agree and not ledger.surprises
    lines += ["", f"{len(rows)} series compared, {len(wrong)} differ; the log {'agrees' if logs_agree else 'DIFFERS'}"]
    if wrong:
        lines += [table(wrong), "(Who else called the shop during the demo was counted, too.)"]
    lines += [f"surprise: {surprise}" for surprise in ledger.surprises[:10]]
    return "\n".join(lines), agrees


def _counts(ledger: Ledger, pages: list[Values]) -> list[str]:
    """Return the lines of requests, orders and revenue."""

    def line(title: str, sent: object, name: str, label: str, value: str) -> str:
        return _line(title, sent, *(by_label(page, name, label).get(value, Decimal(0)) for page in pages))

    sent: dict[str, int] = {}
    for (_, _, status), count in ledger.requests.items():
        sent[str(status)] = sent.get(str(status), 0) + count
    statuses = {*sent, *(status for page in pages for status in by_label(page, "http_requests_total", "status"))}
    lines = [
        line(f"requests with {status}", sent.get(status, 0), "http_requests_total", "status", status)
        for status in sorted(statuses)
    ]
    for outcome in ("completed", "pending", "failed"):
        made = sum(count for (name, _), count in ledger.orders.items() if name == outcome)
        lines.append(line(f"orders {outcome}", made, "orders_total", "status", outcome))
    for currency, amount in sorted(ledger.revenue.items()):
        lines.append(line(f"revenue in {currency}", amount, "revenue_total", "currency", currency))
    return lines


def logs_match(ledger: Ledger, logs: Collection[LogFigures]) -> bool:
    """Say whether each log has the errors and the users' lines that the ledger expects, and all have the same lines."""
    return len({(log.lines, log.error_ids) for log in logs}) == 1 and all(
        log.errors == len(log.error_ids) == ledger.errors and dict(log.lines_by_user) == dict(ledger.lines_by_user)
        for log in logs
    )


def _line(name: str, *figures: object) -> str:
    return (f"{name:<24}" + "".join(f"{_figure(figure):>14}" for figure in figures)).rstrip()


def _figure(figure: object) -> str:
    if isinstance(figure, Decimal):
        return f"{figure:.0f}" if figure == figure.to_integral_value() else f"{figure:.2f}"
    return str(figure)


def _pairs(values: Mapping[str, Decimal]) -> str:
    return _joined(f"{name} {_figure(value)}" for name, value in values.items())


def _joined(texts: Iterable[str]) -> str:
    return ", ".join(texts) or "-"


def _milliseconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds * 1000:.0f} ms"


def _percent(log: LogFigures) -> str:
    return f"{100 * log.errors / log.lines:.1f} %" if log.lines else "-"

"""Which expectation holds for which panel: every query for Prometheus has its line here."""

from __future__ import annotations

from pathlib import Path

from tests.dashboard_expectations import (
    OBJECTIVES,
    Answered,
    Check,
    Exact,
    Key,
    Known,
    Proportional,
    Within,
    positive,
    share,
)
from tests.dashboard_stage import LOST, Stage

_HTTP = "http_request_duration_seconds"
_FUNCTION = ("module", "function_name")


def expectations(stage: Stage) -> dict[tuple[str, str], dict[str, Check]]:
    """Return what must come back, by dashboard and panel, then by the query's letter."""
    known = Known(stage.books, stage.moved)
    panels = {
        "service": service(known),
        "business": business(known),
        "functions": functions(known),
        "pipeline": pipeline(stage),
        "node": node(),
    }
    return {(name, title): checks for name, found in panels.items() for title, checks in found.items()}


def service(known: Known) -> dict[str, dict[str, Check]]:
    """Requests, from the client's books; quantiles within the page's buckets."""
    (errors,), slow = known.error_share().values(), known.slow_share()
    left = {
        "Budget of errors left": 1 - errors / OBJECTIVES.availability_budget,
        "Budget of slow requests left": 1 - slow / OBJECTIVES.latency_budget,
    }
    burning = {
        "How fast errors burn their budget": errors / OBJECTIVES.availability_budget,
        "How fast slow requests burn their budget": slow / OBJECTIVES.latency_budget,
    }
    nothing: Check = Exact((), {(): 0})
    quantiles = {"A": 0.5, "B": 0.95, "C": 0.99}
    return {
        "Requests": {"A": Proportional((), known.requests())},
        "Failing": {"A": Exact((), {(): errors})},
        "Slowest 5%": {"A": Within((), known.bucket(_HTTP, 0.95))},
        "In flight": {"A": nothing},
        **{title: {"A": Exact((), {(): value})} for title, value in left.items()},
        "Requests by endpoint": {"A": Proportional(("endpoint",), known.requests(1))},
        "Requests by method and status": {"A": Proportional(("method", "status"), known.requests(0, 2))},
        "Failing by endpoint": {"A": Exact(("endpoint",), known.error_share(1))},
        "Durations": {letter: Within((), known.bucket(_HTTP, q)) for letter, q in quantiles.items()},
        "Slowest 5% by endpoint": {"A": Within(("endpoint",), known.bucket(_HTTP, 0.95, "endpoint"))},
        "Median by endpoint": {"A": Within(("endpoint",), known.bucket(_HTTP, 0.5, "endpoint"))},
        "Mean size of answers": {"A": Exact(("endpoint",), known.mean("http_response_size_bytes", "endpoint"))},
        "Bytes sent": {"A": Proportional(("endpoint",), _sent(known))},
        "In flight by instance": {"A": nothing},
        **{title: {letter: Exact((), {(): value}) for letter in "ABCD"} for title, value in burning.items()},
        "Budgets left": dict(zip("AB", [Exact((), {(): value}) for value in left.values()], strict=True)),
    }


def _sent(known: Known) -> dict[Key, float]:
    found: dict[Key, float] = {}
    for (_, endpoint), size in known.books.response_bytes.items():
        found[endpoint,] = found.get((endpoint,), 0) + size
    return found


def business(known: Known) -> dict[str, dict[str, Check]]:
    """Orders, money, users, and the shop's own metric, from the client's books."""
    books = known.books
    by_status: dict[Key, float] = {}
    by_method: dict[Key, float] = {}
    failed: dict[Key, float] = {}
    for (status, method), count in books.orders.items():
        by_status[status,] = by_status.get((status,), 0) + count
        by_method[method,] = by_method.get((method,), 0) + count
        failed[method,] = failed.get((method,), 0) + (count if status == "failed" else 0)
    revenue: dict[Key, float] = {(currency,): float(amount) for currency, amount in books.revenue.items()}
    users = Exact(("time_window",), {("1h",): len(books.users)})
    quantiles = {"A": 0.5, "B": 0.95}
    return {
        "Orders": {"A": Proportional(("status",), by_status, unit=1)},
        "Revenue": {"A": Proportional(("currency",), revenue, unit=1)},
        "Active users": {"A": users},
        "Active users over time": {"A": users},
        "Orders by status": {"A": Proportional(("status",), by_status)},
        "Orders by payment method": {"A": Proportional(("payment_method",), by_method)},
        "Failed by payment method": {
            "A": Exact(("payment_method",), {key: failed[key] / count for key, count in by_method.items()})
        },
        "Revenue by currency": {"A": Proportional(("currency",), revenue, unit=60 / 300)},
        "Processing time": {
            letter: Within(("order_type",), known.bucket("order_processing_seconds", q, "order_type"))
            for letter, q in quantiles.items()
        },
        "shop_carts_abandoned_total": {
            "A": Proportional(("reason",), {(reason,): count for reason, count in books.carts_abandoned.items()})
        },
    }


def functions(known: Known) -> dict[str, dict[str, Check]]:
    """Functions, from the page: the client cannot see their durations."""
    family = "function_duration_seconds"
    calls = {key: count for key, count in known.series(f"{family}_count", *_FUNCTION).items() if count}
    assert sum(calls.values()) == sum(known.books.orders.values())
    return {
        "Calls": {"A": Proportional(_FUNCTION, calls)},
        "Mean duration": {"A": Exact(_FUNCTION, known.mean(family, *_FUNCTION))},
        "Slowest 5%": {"A": Within(_FUNCTION, known.bucket(family, 0.95, *_FUNCTION))},
        "Median": {"A": Within(_FUNCTION, known.bucket(family, 0.5, *_FUNCTION))},
        "Time spent": {"A": Proportional(_FUNCTION, known.series(f"{family}_sum", *_FUNCTION), unit=1)},
    }


def pipeline(stage: Stage) -> dict[str, dict[str, Check]]:
    """The Collector: what the shop logged in the second round was taken, sent and stored."""
    lines = stage.books.lines_by_level.total()
    number = Answered(positive)
    return {
        "Queues filled": {"A": Answered(share)},
        "Queues": {"A": number, "B": Answered(lambda value: value > 0)},
        "Lag": {"A": number},
        "Taken and sent": {
            "A": Proportional(("receiver",), {("otlp",): lines}),
            "B": Proportional(("exporter",), {(name,): lines for name in ("elasticsearch", "file/taken", "debug")}),
        },
        "Refused and failed": {
            "A": Proportional(("receiver",), {("otlp",): LOST}),
            "B": Proportional(("exporter",), {("otlp_http",): LOST}),
            "C": Proportional(("exporter",), {("otlp_http/queue",): LOST}),
            "D": Proportional(("processor",), {("memory_limiter",): LOST}),
        },
        "Documents by outcome": {"A": Proportional(("outcome",), {("success",): lines})},
        "Log lines dropped": {"A": Answered(lambda value: value == 0)},
        "Not delivered by OTLP": {"A": Answered(lambda value: value == 0)},
        "Values rejected": {"A": number},
        "Beyond the limit of series": {"A": number},
        "Time to read a metrics page": {"A": number},
    }


def node() -> dict[str, dict[str, Check]]:
    """The machine, which has other work to do: the memory is known, the rest must be possible."""
    number = Answered(positive)
    total = next(line for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemTotal"))
    return {
        "Processors busy": {"A": Answered(share)},
        "What processors do": {"A": Answered(share)},
        "Load by processor": {"A": number},
        "Memory available": {"A": Answered(share)},
        "Memory": {"A": number, "B": Exact((), {(): int(total.split()[1]) * 1024})},
        "Disks free": {"A": Answered(share)},
        "Network": {"A": number, "B": number},
        "Disks": {"A": number, "B": number},
    }

"""The client's own books: what it got, and what the shop's counters must then say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import chain
from typing import Any, Final, NamedTuple

from examples.shop.plan import FASTER_THAN_SLOW, SLOW_ENDPOINT, Planned

STANDARD_METHODS: Final = frozenset(("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"))
ORDER_STATUSES: Final = {201: "completed", 202: "pending", 402: "failed"}


class Series(NamedTuple):
    """One time series: the name on the metrics page and its labels, sorted by name."""

    name: str
    labels: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        inside = ",".join(f'{name}="{value}"' for name, value in self.labels)
        return f"{self.name}{{{inside}}}" if inside else self.name


def series(name: str, **labels: str) -> Series:
    """Return the series with this name and these labels."""
    return Series(name, tuple(sorted(labels.items())))


@dataclass
class Ledger:
    """Counts of what the client sent and got, never of what the shop says about itself.

    Not safe to share between threads: each keeps its own, and they are added up.
    """

    requests: Counter[tuple[str, str, int]] = field(default_factory=Counter)  # method, endpoint, status
    response_bytes: Counter[tuple[str, str]] = field(default_factory=Counter)  # method, endpoint
    orders: Counter[tuple[str, str]] = field(default_factory=Counter)  # status, payment method
    order_types: Counter[str] = field(default_factory=Counter)
    revenue: dict[str, Decimal] = field(default_factory=dict)  # by currency
    carts_abandoned: Counter[str] = field(default_factory=Counter)  # by reason
    users: set[str] = field(default_factory=set)  # who logged in
    lines_by_level: Counter[str] = field(default_factory=Counter)
    lines_by_user: Counter[str] = field(default_factory=Counter)
    lines_by_request: Counter[str] = field(default_factory=Counter)  # only ids that the client chose
    not_echoed: list[str] = field(default_factory=list)  # request ids that did not come back in the answer
    left_early: set[tuple[str, str]] = field(default_factory=set)  # method, endpoint: bytes are not known exactly
    surprises: list[str] = field(default_factory=list)  # no answer, or another one than the shop's description allows

    @property
    def sent(self) -> int:
        """How many requests were answered."""
        return self.requests.total()

    @property
    def errors(self) -> int:
        """How many log lines of level ERROR the shop must have written."""
        return self.lines_by_level["ERROR"]

    def enter(self, planned: Planned, status: int, body: bytes, echoed_id: str) -> None:
        """Book one answer: its status, the bytes of its body, the request id it carried."""
        method = planned.method if planned.method in STANDARD_METHODS else "_OTHER"
        self.requests[method, planned.endpoint, status] += 1
        self.response_bytes[method, planned.endpoint] += len(body)
        if planned.leaves_early:
            self.left_early.add((method, planned.endpoint))
        if planned.request_id and echoed_id != planned.request_id:
            self.not_echoed.append(planned.request_id)
        if status not in planned.logs:
            self.surprises.append(f"{planned.method} {planned.path} was answered with {status}")
            return
        self._enter_lines(planned, planned.logs[status])
        self._enter_business(planned, status)

    def _enter_lines(self, planned: Planned, level: str | None) -> None:
        lines = 0 if level is None else 1
        if level is not None:
            self.lines_by_level[level] += 1
        if planned.user and lines:
            self.lines_by_user[planned.user] += lines
        if planned.request_id:
            self.lines_by_request[planned.request_id] += lines

    def _enter_business(self, planned: Planned, status: int) -> None:
        fields = planned.fields
        if planned.endpoint == "/api/login":
            self.users.add(fields["user_id"])
        elif planned.endpoint == "/api/cart":
            self.carts_abandoned[fields["reason"]] += 1
        elif planned.method == "POST" and status in ORDER_STATUSES:
            self.orders[ORDER_STATUSES[status], fields["payment_method"]] += 1
            self.order_types[fields["order_type"]] += 1
            if status == 201:
                self._earn(fields["currency"], Decimal(fields["amount"]))

    def _earn(self, currency: str, amount: Decimal) -> None:
        self.revenue[currency] = self.revenue.get(currency, Decimal(0)) + amount

    def add(self, other: Ledger) -> None:
        """Take the other ledger's entries into this one."""
        self.requests.update(other.requests)
        self.response_bytes.update(other.response_bytes)
        self.orders.update(other.orders)
        self.order_types.update(other.order_types)
        self.carts_abandoned.update(other.carts_abandoned)
        self.lines_by_level.update(other.lines_by_level)
        self.lines_by_user.update(other.lines_by_user)
        self.lines_by_request.update(other.lines_by_request)
        for currency, amount in other.revenue.items():
            self._earn(currency, amount)
        self.users |= other.users
        self.left_early |= other.left_early
        self.not_echoed += other.not_echoed
        self.surprises += other.surprises

    def as_json(self) -> dict[str, Any]:
        """Return the ledger and the series it expects in JSON's types."""
        return {
            "requests": [[*key, count] for key, count in sorted(self.requests.items())],
            "series": {str(key): str(value) for key, value in sorted(expected_series(self).items())},
            "lines_by_level": dict(sorted(self.lines_by_level.items())),
            "lines_by_user": dict(sorted(self.lines_by_user.items())),
            "lines_by_request": self.lines_by_request,
            "not_echoed": self.not_echoed,
            "surprises": self.surprises,
        }


def expected_series(ledger: Ledger) -> dict[Series, Decimal]:
    """Return what the metrics page of a shop must show that got these requests and no others.

    Sizes of an endpoint that a client left early are left out: what the shop sent then is not known to the client.
    """
    expected: dict[Series, Decimal] = {series("active_connections"): Decimal(0)}
    for key, value in chain(_request_series(ledger), _business_series(ledger)):
        expected[key] = expected.get(key, Decimal(0)) + value
    return expected


def _request_series(ledger: Ledger) -> Iterator[tuple[Series, int]]:
    for (method, endpoint, status), count in ledger.requests.items():
        labels = {"method": method, "endpoint": endpoint}
        yield series("http_requests_total", **labels, status=str(status)), count
        yield series("http_request_duration_seconds_count", **labels), count
        yield series("http_response_size_bytes_count", **labels), count
        if endpoint == SLOW_ENDPOINT:
            yield series("http_request_duration_seconds_bucket", **labels, le=FASTER_THAN_SLOW), 0
    for (method, endpoint), size in ledger.response_bytes.items():
        if (method, endpoint) not in ledger.left_early:
            yield series("http_response_size_bytes_sum", method=method, endpoint=endpoint), size


def _business_series(ledger: Ledger) -> Iterator[tuple[Series, int | Decimal]]:
    for (status, payment_method), count in ledger.orders.items():
        yield series("orders_total", status=status, payment_method=payment_method), count
    for order_type, count in ledger.order_types.items():
        yield series("order_processing_seconds_count", order_type=order_type), count
        yield series("function_duration_seconds_count", function_name="process_order"), count
    for currency, amount in ledger.revenue.items():
        yield series("revenue_total", currency=currency), amount
    for reason, count in ledger.carts_abandoned.items():
        yield series("shop_carts_abandoned_total", reason=reason), count
    if ledger.users:
        yield series("active_users", time_window="1h"), len(ledger.users)

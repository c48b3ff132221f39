"""What the traffic program sends: a list of requests that a size and a seed determine wholly."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final, Literal

Level = Literal["INFO", "WARNING", "ERROR"]
Statuses = dict[int, Level | None]

PAYMENT_METHODS: Final = ("alipay", "wechat", "card", "paypal")
CURRENCIES: Final = ("CNY", "USD", "EUR")
ORDER_TYPES: Final = ("standard", "express")
ABANDON_REASONS: Final = ("price", "shipping", "payment", "other")
SLOW_ENDPOINT: Final = "/api/slow"
SLOW_SECONDS: Final = 0.3
FASTER_THAN_SLOW: Final = "0.25"  # the bucket of the duration's histogram that no slow request may fall into
ANY_ORDER: Final = "{order}"


@dataclass(frozen=True)
class Planned:
    """One request to send, and what the shop's description says of it.

    `endpoint` is the template of the route that serves it. `logs` tells for each status that the client may get the
    level of the one line that the shop then logs, or None for no line: any other status is a surprise, and so an error.
    `path` may hold `{order}`, which stands for the id of an order that the same run made. `leaves_early` breaks the
    connection off after the first bytes of the body.
    """

    method: str
    path: str
    endpoint: str
    logs: Statuses
    body: bytes = b""
    user: str = ""
    request_id: str = ""
    fields: dict[str, str] = field(default_factory=dict)
    leaves_early: bool = False


@dataclass(frozen=True)
class Plan:
    """Requests in two parts: all of `first` are answered before the `second` begins, as that asks for their orders."""

    first: tuple[Planned, ...]
    second: tuple[Planned, ...]

    def __len__(self) -> int:
        return len(self.first) + len(self.second)


def make_plan(orders: int = 50, seed: int = 1, users: int = 8, early_leavers: int = 0) -> Plan:
    """Return the requests for so many orders: log-ins and orders first, then reads, errors and oddities.

    The same arguments give the same plan. Every user logs in once; the others scale with `orders`, at least one of each
    kind. Every third request brings its own `X-Request-ID`. Raises ValueError when there are no orders or no users.
    """
    if orders < 1 or users < 1:
        raise ValueError(f"a plan needs at least one order and one user, not {orders} and {users}")
    dice = random.Random(seed)
    names = [f"user-{number:03d}" for number in range(1, users + 1)]
    first = [*_log_ins(names), *_orders(orders, names, dice)]
    second = list(_others(max(1, orders // 10), names, dice))
    second += [_get("/api/export", logs={200: "INFO"}, leaves_early=True)] * early_leavers
    dice.shuffle(first)
    dice.shuffle(second)
    numbered = _with_request_ids([*first, *second], seed)
    return Plan(numbered[: len(first)], numbered[len(first) :])


def _get(path: str, endpoint: str = "", *, logs: Statuses, user: str = "", leaves_early: bool = False) -> Planned:
    return Planned("GET", path, endpoint or path.partition("?")[0], logs, user=user, leaves_early=leaves_early)


def _post(path: str, fields: dict[str, str], logs: Statuses, user: str = "") -> Planned:
    return Planned("POST", path, path, logs, body=json.dumps(fields).encode(), user=user, fields=fields)


def _log_ins(names: list[str]) -> Iterator[Planned]:
    for name in names:
        yield _post("/api/login", {"user_id": name}, {200: "INFO"}, user=name)


def _orders(count: int, names: list[str], dice: random.Random) -> Iterator[Planned]:
    logs: Statuses = {201: "INFO", 202: "WARNING", 402: "ERROR"}
    for _ in range(count):
        # Most are small; some wait for review, a few are refused.
        highest = dice.choices((500_00, 9_999_99, 60_000_00), weights=(7, 2, 2))[0]
        cents = dice.randint(1, highest)
        fields = {
            "amount": f"{cents // 100}.{cents % 100:02d}",
            "currency": dice.choice(CURRENCIES),
            "payment_method": dice.choice(PAYMENT_METHODS),
            "order_type": dice.choice(ORDER_TYPES),
        }
        yield _post("/api/orders", fields, logs, user=dice.choice(names))


def _others(tenth: int, names: list[str], dice: random.Random) -> Iterator[Planned]:
    for _ in range(tenth * 3):
        user = dice.choice(names)
        yield _get("/api/orders", logs={200: None}, user=user)
        yield _get(f"/api/orders/{ANY_ORDER}", "/api/orders/<id>", logs={200: None}, user=user)
    for number in range(tenth):
        yield _get("/api/export", logs={200: "INFO"}, user=dice.choice(names))
        yield _get(f"{SLOW_ENDPOINT}?seconds={SLOW_SECONDS}", logs={200: "WARNING"})
        yield _get("/api/fail", logs={500: "ERROR"}, user=dice.choice(names))
        yield _get("/api/orders/none", "/api/orders/<id>", logs={404: None})
        yield _get(f"/no/such/page/{number}", "(unmatched)", logs={404: None})
        yield Planned("POST", "/api/orders", "/api/orders", {400: "WARNING"}, body=b"{no json")
        yield _post("/api/orders", {"amount": "-1"}, {400: "WARNING"})
        yield Planned("HEAD", "/api/orders", "/api/orders", {200: None})
        yield Planned("HEAD", "/api/export", "/api/export", {200: None})
        yield Planned("OPTIONS", "/api/orders", "/api/orders", {200: None})
        yield Planned("DELETE", "/health", "/health", {405: None})
        yield Planned("BREW", "/health", "/health", {405: None})
        reason = dice.choice(ABANDON_REASONS)
        yield Planned("DELETE", f"/api/cart?reason={reason}", "/api/cart", {204: None}, fields={"reason": reason})
        yield _get("/health", logs={200: None})


def _with_request_ids(requests: list[Planned], seed: int) -> tuple[Planned, ...]:
    return tuple(
        replace(request, request_id=f"traffic-{seed}-{number}") if number % 3 == 0 else request
        for number, request in enumerate(requests)
    )

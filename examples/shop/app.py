"""A small shop in Flask, and what a service has to say to be monitored: a few helpers, and plain `logging`.

Run it alone (`python examples/shop/app.py`) or with metrics and logs (see the README beside it); the code is the same.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import time
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from decimal import Decimal, InvalidOperation
from threading import Lock
from typing import Any, Final

from flask import Blueprint, Flask, Response, current_app, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import BadRequest

from otel_distro import BusinessMetrics, counter, set_user, track_performance

PAYMENT_METHODS: Final = ("alipay", "wechat", "card", "paypal")
CURRENCIES: Final = ("CNY", "USD", "EUR")
ORDER_TYPES: Final = ("standard", "express")
REVIEW_ABOVE: Final = Decimal(5_000)  # a person looks at these first: the order stays pending
DECLINE_ABOVE: Final = Decimal(20_000)  # the payment fails
ABANDON_REASONS: Final = ("price", "shipping", "payment")
STORE_LIMIT: Final = 10_000  # orders and users; the oldest go first
SLOWEST: Final = 5.0  # seconds

logger = logging.getLogger("shop")
# A business metric of one's own takes two lines: this one, and the one in `abandon_cart`.
carts_abandoned = counter("shop_carts_abandoned", "Carts that were left before paying.", labels=("reason",))
api = Blueprint("api", __name__)


class PaymentDeclinedError(Exception):
    """The payment provider said no."""


@dataclass(frozen=True)
class Order:
    """One order; the amount is exact, as money is."""

    amount: Decimal
    currency: str
    payment_method: str
    order_type: str
    id: str
    status: str = "new"

    @property
    def log_fields(self) -> dict[str, str]:
        """What every log line about this order carries."""
        return {"order_id": self.id, "amount": str(self.amount), "payment_method": self.payment_method}


class Store:
    """Orders and users in memory, bounded; safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._orders: OrderedDict[str, Order] = OrderedDict()
        self._seen: OrderedDict[str, float] = OrderedDict()
        self._last_id = 0

    def new_id(self) -> str:
        """Return the next order number."""
        with self._lock:
            self._last_id += 1
            return str(self._last_id)

    def add(self, order: Order) -> None:
        """Keep an order."""
        with self._lock:
            self._orders[order.id] = order
            if len(self._orders) > STORE_LIMIT:
                self._orders.popitem(last=False)

    def get(self, order_id: str) -> Order | None:
        """Return one order, or None."""
        with self._lock:
            return self._orders.get(order_id)

    def all(self) -> list[Order]:
        """Return every order, the oldest first."""
        with self._lock:
            return list(self._orders.values())

    def log_in(self, user: str) -> None:
        """Note that the user is here; who was here within the hour is active."""
        with self._lock:
            now = time.monotonic()
            self._seen[user] = now
            self._seen.move_to_end(user)
            while len(self._seen) > STORE_LIMIT or next(iter(self._seen.values())) < now - 3600:
                self._seen.popitem(last=False)
            # Inside the lock, so that the number written last is the newest.
            BusinessMetrics.update_active_users(len(self._seen), time_window="1h")


def store() -> Store:
    """Return the store of the application that serves this request."""
    found: Store = current_app.extensions["shop"]
    return found


def json_object() -> dict[str, Any]:
    """Return the request's body as a JSON object; anything else is a bad request."""
    try:
        body = json.loads(request.get_data())
    except ValueError:
        raise BadRequest("the body must be JSON") from None
    if not isinstance(body, dict):
        raise BadRequest("the body must be a JSON object")
    return body


def one_of(body: dict[str, Any], name: str, choices: tuple[str, ...]) -> str:
    """Return a field that has a few known values, by default the first: such a value may become a label."""
    value = body.get(name, choices[0])
    if value not in choices:
        raise BadRequest(f"{name} must be one of {', '.join(choices)}")
    return str(value)


def parse_order(body: dict[str, Any]) -> Order:
    """Return the order that a client asks for."""
    try:
        amount = Decimal(str(body.get("amount")))
    except InvalidOperation:
        amount = Decimal(0)
    if not amount.is_finite() or not 0 < amount < 1_000_000 or amount != round(amount, 2):
        raise BadRequest("amount must be a number from 0.01 to 999999.99 with at most two decimals")
    return Order(
        amount=amount,
        currency=one_of(body, "currency", CURRENCIES),
        payment_method=one_of(body, "payment_method", PAYMENT_METHODS),
        order_type=one_of(body, "order_type", ORDER_TYPES),
        id=store().new_id(),
    )


def charge(order: Order) -> str:
    """Stand in for a payment provider: return the order's status by its amount."""
    if order.amount > DECLINE_ABOVE:
        raise PaymentDeclinedError(f"{order.amount} {order.currency} is over the limit of {DECLINE_ABOVE}")
    return "pending" if order.amount > REVIEW_ABOVE else "completed"


@track_performance
def process_order(order: Order) -> str:
    """Take the money, count the order, tell the log, and return the order's status."""
    with BusinessMetrics.time_order(order.order_type):
        try:
            status = charge(order)
        except PaymentDeclinedError:
            status = "failed"
            logger.exception("payment failed", extra=order.log_fields)
    if status == "pending":
        logger.warning("order %s waits for review", order.id, extra=order.log_fields)
    elif status == "completed":
        logger.info("order %s completed", order.id, extra=order.log_fields)
    BusinessMetrics.record_order(status, order.payment_method, order.amount, order.currency)
    return status


@api.before_app_request
def know_the_user() -> None:
    """Put the user into every log line of this request; a real shop would ask its session, not a header."""
    if user := request.headers.get("X-User-ID"):
        set_user(user)


@api.post("/api/login")
def log_in() -> ResponseReturnValue:
    """Log a user in."""
    user = json_object().get("user_id")
    if not isinstance(user, str) or not 0 < len(user) <= 64:
        raise BadRequest("user_id must be a text of 1 to 64 characters")
    set_user(user)
    store().log_in(user)
    logger.info("user logged in", extra={"ip": request.remote_addr})
    return {"user_id": user}


@api.post("/api/orders")
def create_order() -> ResponseReturnValue:
    """Create an order: 201 completed, 202 pending, 402 failed."""
    order = parse_order(json_object())
    order = replace(order, status=process_order(order))
    store().add(order)
    return asdict(order), {"completed": 201, "pending": 202, "failed": 402}[order.status]


@api.get("/api/orders")
def list_orders() -> ResponseReturnValue:
    """Return the newest twenty orders."""
    orders = store().all()
    return {"total": len(orders), "orders": [asdict(order) for order in orders[:-21:-1]]}


@api.get("/api/orders/<id>")
def order_detail(id: str) -> ResponseReturnValue:  # noqa: A002 -- the name of the route's parameter, which is the label
    """Return one order."""
    order = store().get(id)
    return asdict(order) if order else ({"error": f"there is no order {id}"}, 404)


@api.get("/api/export")
def export_orders() -> ResponseReturnValue:
    """Stream all orders as CSV, a piece at a time."""
    return Response(csv_of(store().all()), mimetype="text/csv")


def csv_of(orders: list[Order]) -> Iterator[str]:
    """Yield the head, then a piece for each order; the log line at the end still knows the request."""
    sent = 0
    try:
        yield "id,status,amount,currency,payment_method\n"
        for sent, order in enumerate(orders, start=1):  # noqa: B007 -- used in the log line
            yield f"{order.id},{order.status},{order.amount},{order.currency},{order.payment_method}\n"
    finally:
        logger.info("orders exported", extra={"rows": sent, "complete": sent == len(orders)})


@api.delete("/api/cart")
def abandon_cart() -> ResponseReturnValue:
    """Leave a cart behind."""
    reason = request.args.get("reason", "")
    carts_abandoned.labels(reason=reason if reason in ABANDON_REASONS else "other").inc()
    return "", 204


@api.get("/api/slow")
def slow() -> ResponseReturnValue:
    """Take as long as asked for, at most five seconds."""
    seconds = min(max(0.0, request.args.get("seconds", 1.0, type=float)), SLOWEST)
    time.sleep(seconds)
    logger.warning("slow answer", extra={"seconds": seconds})
    return {"slept": seconds}


@api.get("/api/fail")
def fail() -> ResponseReturnValue:
    """Raise; Flask answers 500 and logs the traceback."""
    raise RuntimeError("the stock database is away")


@api.get("/health")
def health() -> ResponseReturnValue:
    """Say that the shop is up."""
    return {"status": "ok"}


@api.app_errorhandler(BadRequest)
def bad_request(error: BadRequest) -> ResponseReturnValue:
    """Tell the client what was wrong."""
    logger.warning("bad request: %s", error.description)
    return {"error": error.description}, 400


def create_app() -> Flask:
    """Return a shop with an empty store; for a WSGI server such as gunicorn."""
    app = Flask("shop", static_folder=None)
    app.extensions["shop"] = Store()
    app.register_blueprint(api)
    return app


def main() -> None:
    """Serve on 127.0.0.1, port SHOP_PORT or 5000, until SIGTERM or Ctrl-C."""
    logging.basicConfig(level=logging.INFO)  # does nothing where logs are set up already
    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # its line for each request is in the metrics
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    port = int(os.environ.get("SHOP_PORT", "5000"))
    logger.info("shop started on http://127.0.0.1:%d", port, extra={"port": port})
    create_app().run("127.0.0.1", port, threaded=True)


if __name__ == "__main__":
    main()

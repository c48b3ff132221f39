"""The business metrics of a shop: orders, revenue, active users, order processing time."""

from __future__ import annotations

from functools import cache
from typing import Final

from otel_distro.metrics.bound import Amount
from otel_distro.metrics.declared import counter, gauge, histogram
from otel_distro.metrics.instruments import SCOPE
from otel_distro.metrics.labelled import Counter, Gauge, Histogram, label_text
from otel_distro.metrics.timing import Timer

COMPLETED: Final = "completed"
PROCESSING_BUCKETS: Final = (1.0, 5.0, 10.0, 30.0, 60.0, 120.0)


class BusinessMetrics:
    """Business metrics, recorded on the class or on any instance: all share one set of instruments.

    Safe in any thread and after a fork. Nothing raises: an amount that no metric can take (negative, NaN, infinite,
    text, None) is not recorded, warned of once per metric, and counted in `otel_distro_rejected_total`.
    """

    @staticmethod
    def record_order(status: str, payment_method: str, amount: Amount, currency: str = "CNY") -> None:
        """Count an order in `orders_total`, and its amount in `revenue_total` when the status is `completed`.

        `amount` is in units of `currency` (99.99, not cents). An order whose amount cannot be used is still counted.
        """
        status = label_text(status)
        _orders().labels(status, payment_method).inc()
        if status == COMPLETED:
            _revenue().labels(currency).inc(amount)

    @staticmethod
    def update_active_users(count: Amount, time_window: str = "1h") -> None:
        """Set `active_users` to the users seen in the time window, zero or more."""
        _active_users().labels(time_window).set(count)

    @staticmethod
    def record_processing_time(processing_time: Amount, order_type: str = "standard") -> None:
        """Record in `order_processing_seconds` how many seconds an order took, zero or more."""
        _processing().labels(order_type).observe(processing_time)

    @staticmethod
    def time_order(order_type: str = "standard") -> Timer:
        """Return a context manager, also a decorator, that records in `order_processing_seconds` how long it took.

        A body that raises is recorded too, and its exception goes on.
        """
        return _processing().labels(order_type).time()


@cache
def _orders() -> Counter:
    return counter("orders", "Orders received.", ("status", "payment_method"), "{order}", scope=SCOPE)


@cache
def _revenue() -> Counter:
    return counter("revenue", "Amounts of completed orders, in units of the currency.", ("currency",), scope=SCOPE)


@cache
def _active_users() -> Gauge:
    return gauge("active_users", "Users seen in the time window.", ("time_window",), "{user}", minimum=0, scope=SCOPE)


@cache
def _processing() -> Histogram:
    return histogram(
        "order_processing", "Time to process an order.", ("order_type",), PROCESSING_BUCKETS, "s", scope=SCOPE
    )

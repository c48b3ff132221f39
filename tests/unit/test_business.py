"""The business metrics: names, units, labels and buckets of the design, and no amount that stops the shop."""

from __future__ import annotations

import math
from decimal import Decimal
from enum import Enum
from threading import Thread
from typing import Any

import pytest

from otel_distro import BusinessMetrics
from tests.meters import instruments, reading


class _Status(Enum):
    COMPLETED = "completed"


def test_the_original_sample_gives_exactly_its_series() -> None:
    business_metrics = BusinessMetrics()
    with reading() as got:
        business_metrics.record_order("completed", "alipay", 99.99)
        business_metrics.update_active_users(150, "1h")
        business_metrics.record_processing_time(2.5, "standard")
    assert got.changed() == {"orders", "revenue", "active_users", "order_processing"}
    assert got.value("orders", status="completed", payment_method="alipay") == 1
    assert got.value("revenue", currency="CNY") == pytest.approx(99.99)
    assert got.gauge("active_users", time_window="1h") == 150
    assert got.count("order_processing", order_type="standard") == 1
    assert got.sum("order_processing", order_type="standard") == 2.5


def test_names_units_and_buckets_are_those_of_the_design() -> None:
    with reading() as got:
        BusinessMetrics.record_order("completed", "alipay", 1)
        BusinessMetrics.update_active_users(1)
        BusinessMetrics.record_processing_time(1)
    found = {name: kind[:2] for name, kind in instruments().items()}
    assert found["orders"] == ("otel_distro", "{order}")
    assert found["revenue"] == ("otel_distro", "")
    assert found["active_users"] == ("otel_distro", "{user}")
    assert found["order_processing"] == ("otel_distro", "s")
    assert got.bounds("order_processing", order_type="standard") == (1, 5, 10, 30, 60, 120)


def test_who_names_no_currency_window_or_type_gets_those_of_the_design() -> None:
    with reading() as got:
        BusinessMetrics.record_order("completed", "alipay", 3)
        BusinessMetrics.update_active_users(4)
        BusinessMetrics.record_processing_time(5)
        with BusinessMetrics.time_order():
            pass
    assert got.value("revenue", currency="CNY") == 3
    assert got.gauge("active_users", time_window="1h") == 4
    assert got.count("order_processing", order_type="standard") == 2


def test_the_class_and_every_instance_record_the_same_series() -> None:
    with reading() as got:
        BusinessMetrics.record_order("pending", "wechat", 5)
        BusinessMetrics().record_order(status="pending", payment_method="wechat", amount=5, currency="USD")
    assert got.value("orders", status="pending", payment_method="wechat") == 2


@pytest.mark.parametrize("status", ["pending", "failed", "refunded", "Completed", "", None])
def test_an_order_that_is_not_completed_counts_without_revenue(status: Any) -> None:
    with reading() as got:
        BusinessMetrics.record_order(status, "alipay", 10, "EUR")
    assert got.changed() == {"orders"}
    assert got.value("orders", status=str(status), payment_method="alipay") == 1


@pytest.mark.parametrize("amount", [20, 20.0, Decimal("20.00")])
def test_amounts_may_be_int_float_or_decimal(amount: Any) -> None:
    with reading() as got:
        BusinessMetrics.record_order(_Status.COMPLETED, "card", amount, "USD")  # type: ignore[arg-type]
    assert got.value("revenue", currency="USD") == 20
    assert got.value("orders", status="completed", payment_method="card") == 1


def test_zero_is_an_amount() -> None:
    with reading() as got:
        BusinessMetrics.record_order("completed", "free", 0, "XTS")
        BusinessMetrics.update_active_users(3, "night")
        BusinessMetrics.update_active_users(0, "night")
        BusinessMetrics.record_processing_time(0, "instant")
    assert got.value("orders", status="completed", payment_method="free") == 1
    assert got.gauge("active_users", time_window="night") == 0
    assert got.count("order_processing", order_type="instant") == 1
    assert "otel_distro_rejected" not in got.changed()


BAD: list[Any] = [-0.01, -1, math.nan, math.inf, Decimal("NaN"), "99.99", None, True, 10**400, object()]


@pytest.mark.parametrize("amount", BAD, ids=lambda value: type(value).__name__)
def test_an_unusable_amount_counts_the_order_and_is_rejected_as_revenue(amount: Any) -> None:
    with reading() as got:
        BusinessMetrics.record_order("completed", "alipay", amount)
    assert got.changed() == {"orders", "otel_distro_rejected"}
    assert got.value("orders", status="completed", payment_method="alipay") == 1
    assert got.value("otel_distro_rejected", instrument="revenue_total") == 1


@pytest.mark.parametrize("count", BAD, ids=lambda value: type(value).__name__)
def test_unusable_active_users_leave_the_last_ones_standing(count: Any) -> None:
    with reading() as got:
        BusinessMetrics.update_active_users(7, "1d")
        BusinessMetrics.update_active_users(count, "1d")
    assert got.gauge("active_users", time_window="1d") == 7
    assert got.value("otel_distro_rejected", instrument="active_users") == 1


@pytest.mark.parametrize("seconds", BAD, ids=lambda value: type(value).__name__)
def test_an_unusable_processing_time_is_rejected(seconds: Any) -> None:
    with reading() as got:
        BusinessMetrics.record_processing_time(seconds)
    assert got.changed() == {"otel_distro_rejected"}
    assert got.value("otel_distro_rejected", instrument="order_processing_seconds") == 1


def test_an_order_is_timed_also_when_it_fails() -> None:
    with reading() as got:
        with BusinessMetrics.time_order("express"):
            pass
        with pytest.raises(ZeroDivisionError), BusinessMetrics().time_order("express"):
            raise ZeroDivisionError
    assert got.count("order_processing", order_type="express") == 2
    assert got.changed() == {"order_processing"}


def test_time_order_decorates_a_function_that_many_threads_call() -> None:
    @BusinessMetrics.time_order("decorated")
    def process(number: int) -> int:
        return number + 1

    with reading() as got:
        threads = [Thread(target=process, args=(number,)) for number in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert process(1) == 2
    assert got.count("order_processing", order_type="decorated") == 21

"""The fixtures for users' own tests: from zero in each test, and no mistyped question answered by 0."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import metrics

from otel_distro import BusinessMetrics, counter, gauge, histogram, set_user
from otel_distro.errors import InputError
from otel_distro.testing import RecordedMetrics, otel_logs, otel_metrics
from tests.processes import ROOT

__all__ = ["otel_logs", "otel_metrics"]


@pytest.mark.parametrize("time", [1, 2])
def test_every_test_begins_at_zero(otel_metrics: RecordedMetrics, time: int) -> None:
    assert otel_metrics.names() == set()
    assert otel_metrics.value("orders_total", status="completed") == 0
    assert otel_metrics.count("order_processing_seconds") == 0
    BusinessMetrics.record_order("completed", "alipay", 10)
    assert otel_metrics.value("orders_total", status="completed") == 1


def test_labels_choose_among_the_series(otel_metrics: RecordedMetrics) -> None:
    BusinessMetrics.record_order("completed", "alipay", 10)
    BusinessMetrics.record_order("completed", "wechat", 5.5)
    BusinessMetrics.record_order("failed", "alipay", 1)
    assert otel_metrics.value("orders_total") == 3
    assert otel_metrics.value("orders_total", status="completed") == 2
    assert otel_metrics.value("orders_total", status="completed", payment_method="alipay") == 1
    assert otel_metrics.value("orders_total", status="lost") == 0
    assert otel_metrics.value("orders", status="failed") == 1
    assert otel_metrics.value("revenue_total", currency="CNY") == 15.5
    assert otel_metrics.names() == {"orders_total", "revenue_total"}
    assert otel_metrics.series("revenue_total") == [{"currency": "CNY"}]
    assert otel_metrics.series("nothing") == []


def test_histograms_tell_count_and_sum(otel_metrics: RecordedMetrics) -> None:
    BusinessMetrics.record_processing_time(2, "express")
    BusinessMetrics.record_processing_time(3)
    sizes = histogram("t_sizes_bytes", buckets=())
    sizes.observe(7)
    assert otel_metrics.count("order_processing_seconds") == 2
    assert otel_metrics.sum("order_processing_seconds", order_type="express") == 2
    assert otel_metrics.value("order_processing_seconds_count", order_type="standard") == 1
    assert otel_metrics.value("order_processing_seconds_sum") == 5
    assert otel_metrics.sum("t_sizes_bytes") == 7


def test_gauges_tell_what_they_stand_at_however_often_they_are_asked(otel_metrics: RecordedMetrics) -> None:
    depth = gauge("t_depth", labels=("queue",))
    depth.labels("mail").set(-3)
    assert otel_metrics.value("t_depth") == -3
    assert otel_metrics.value("t_depth") == -3
    in_flight = metrics.get_meter("tests").create_up_down_counter("t_in_flight")
    in_flight.add(2, {"host": "a"})
    in_flight.add(-5, {"host": "b"})
    assert otel_metrics.value("t_in_flight") == -3


def test_instruments_of_the_api_are_seen_too(otel_metrics: RecordedMetrics) -> None:
    metrics.get_meter("mine").create_counter("t_mine", "By").add(5, {"code": 200})
    assert otel_metrics.value("t_mine_bytes_total", code=200) == 5


def test_a_rejected_value_can_be_asserted(otel_metrics: RecordedMetrics) -> None:
    counter("t_rejected").inc(-1)
    assert otel_metrics.value("otel_distro_rejected_total", instrument="t_rejected_total") == 1


QUESTIONS: list[tuple[str, Any, str]] = [
    (
        "an unknown label",
        lambda m: m.value("orders_total", state="x"),
        "has the labels payment_method, status; not state",
    ),
    ("a label of none", lambda m: m.value("t_bare_total", x=1), "t_bare_total has no labels; not x"),
    ("a value of a histogram", lambda m: m.value("order_processing_seconds"), "ask for its count or its sum"),
    ("a count of a counter", lambda m: m.count("orders_total"), "orders_total is no histogram; ask for its value"),
    ("a sum of a gauge", lambda m: m.sum("active_users"), "active_users is no histogram"),
    ("one value of two gauges", lambda m: m.value("active_users"), "a gauge with 2 such series; name the labels"),
]


@pytest.mark.parametrize(("ask", "message"), [row[1:] for row in QUESTIONS], ids=[row[0] for row in QUESTIONS])
def test_a_question_without_an_answer_fails(ask: Any, message: str, otel_metrics: RecordedMetrics) -> None:
    BusinessMetrics.record_order("completed", "alipay", 10)
    BusinessMetrics.record_processing_time(2)
    BusinessMetrics.update_active_users(1, "1h")
    BusinessMetrics.update_active_users(1, "1d")
    counter("t_bare").inc()
    with pytest.raises(InputError, match=message):
        ask(otel_metrics)


def test_logs_are_the_documents_of_the_log_file(otel_logs: list[dict[str, Any]]) -> None:
    set_user("user_42")
    try:
        raise ValueError("no stock")
    except ValueError:
        logging.getLogger("shop").exception("order failed", extra={"order": 7})
    finally:
        set_user(None)
    (document,) = otel_logs
    assert document["message"] == "order failed"
    assert (document["level"], document["user_id"], document["order"]) == ("ERROR", "user_42", 7)
    assert (document["error_type"], document["error_message"]) == ("ValueError", "no stock")


def test_logs_are_collected_only_during_the_test() -> None:
    assert not [handler for handler in logging.getLogger().handlers if type(handler).__name__ == "_Collecting"]


SUITE = """
import gc, weakref

from otel_distro import BusinessMetrics
from otel_distro.testing import otel_metrics

def test_first(otel_metrics):
    BusinessMetrics.update_active_users(5)
    assert otel_metrics.value("active_users") == 5
    first.append(weakref.ref(otel_metrics._reader))

first = []

def test_second(otel_metrics):
    gc.collect()
    assert first[0]() is None, "the provider still holds the first test's reader"
    assert otel_metrics.value("active_users") == 0
"""


def _run_suite(folder: Path, suite: str, **environ: str) -> str:
    (folder / "test_users_own.py").write_text(suite)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder)]
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=60,
        cwd=folder,
        env={**environ, "PYTHONPATH": str(ROOT)},
        check=False,
    ).stdout


def test_a_users_own_suite_needs_no_more_than_the_import(tmp_path: Path) -> None:
    assert "2 passed" in _run_suite(tmp_path, SUITE)


def test_a_disabled_sdk_fails_the_test_and_says_so(tmp_path: Path) -> None:
    output = _run_suite(tmp_path, SUITE, OTEL_SDK_DISABLED="true")
    assert "2 errors" in output
    assert "OTEL_SDK_DISABLED=true, so nothing is measured; unset it for the tests" in output


def test_a_provider_that_is_not_the_sdks_fails_the_test_and_names_it(tmp_path: Path) -> None:
    setting = "from opentelemetry import metrics\nmetrics.set_meter_provider(metrics.NoOpMeterProvider())\n"
    output = _run_suite(tmp_path, setting + SUITE)
    assert "the global meter provider is a NoOpMeterProvider; the fixture needs the SDK's MeterProvider" in output

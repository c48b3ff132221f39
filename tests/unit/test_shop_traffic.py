"""The shop's traffic program: its plan, its books, and the comparison that must see every difference."""

from __future__ import annotations

import json
import logging
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.serving import make_server

from examples.shop import traffic
from examples.shop.app import Store, create_app
from examples.shop.ledger import Ledger, Series, expected_series, series
from examples.shop.page import CHECKED, Row, compare, parse_page, since, table
from examples.shop.plan import Plan, Planned, make_plan
from examples.shop.summary import Counted, LogFigures, block, final_report, logs_match, one_line, quantile
from examples.shop.traffic import run_traffic
from tests.support import free_port

ORDER = {"amount": "99.99", "currency": "CNY", "payment_method": "alipay", "order_type": "standard"}


def order(amount: str = "99.99", **planned: Any) -> Planned:
    """One planned order."""
    logs: Any = {201: "INFO", 202: "WARNING", 402: "ERROR"}
    return Planned("POST", "/api/orders", "/api/orders", logs, fields=ORDER | {"amount": amount}, **planned)


def page_of(values: Mapping[Series, Decimal]) -> str:
    """The text of a metrics page with these values."""
    return "".join(f"{key} {value}\n" for key, value in values.items())


class Shop:
    """The shop on a real port, in a thread of the test."""

    def __init__(self) -> None:
        self.app = create_app()
        self._server = make_server("127.0.0.1", 0, self.app, threaded=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    @property
    def store(self) -> Store:
        """What the shop has sold."""
        found: Store = self.app.extensions["shop"]
        return found

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def shop() -> Iterator[Shop]:
    running = Shop()
    yield running
    running.close()


class TestPlan:
    def test_the_same_arguments_give_the_same_plan(self) -> None:
        assert make_plan(30, seed=7) == make_plan(30, seed=7)

    def test_another_seed_gives_other_requests_but_as_many(self) -> None:
        one, other = make_plan(30, seed=1), make_plan(30, seed=2)
        assert one != other
        assert len(one) == len(other)

    def test_even_the_smallest_plan_has_every_kind_of_request(self) -> None:
        plan = make_plan(1)
        kinds = {(planned.method, planned.endpoint) for planned in plan.first + plan.second}
        assert kinds == {
            ("POST", "/api/login"),
            ("POST", "/api/orders"),
            ("GET", "/api/orders"),
            ("HEAD", "/api/orders"),
            ("OPTIONS", "/api/orders"),
            ("GET", "/api/orders/<id>"),
            ("GET", "/api/export"),
            ("HEAD", "/api/export"),
            ("GET", "/api/slow"),
            ("GET", "/api/fail"),
            ("DELETE", "/api/cart"),
            ("DELETE", "/health"),
            ("BREW", "/health"),
            ("GET", "/health"),
            ("GET", "(unmatched)"),
        }

    def test_a_plan_without_orders_is_refused(self) -> None:
        with pytest.raises(ValueError, match="at least one order"):
            make_plan(0)


class TestTraffic:
    def test_the_ledger_agrees_with_what_the_shop_stored_and_logged(
        self, shop: Shop, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO, logger="shop")
        plan = make_plan(40, seed=3)
        ledger = run_traffic(shop.url, plan)
        assert ledger.surprises == []
        assert ledger.sent == len(plan)
        stored = shop.store.all()
        assert ledger.orders == Counter((sold.status, sold.payment_method) for sold in stored)
        assert ledger.order_types == Counter(sold.order_type for sold in stored)
        completed = [sold for sold in stored if sold.status == "completed"]
        revenue: dict[str, Decimal] = {}
        for sold in completed:
            revenue[sold.currency] = revenue.get(sold.currency, Decimal(0)) + sold.amount
        assert ledger.revenue == revenue
        logged = Counter(record.levelname for record in caplog.records if record.name == "shop")
        assert ledger.lines_by_level == logged

    def test_every_outcome_of_an_order_occurs(self, shop: Shop) -> None:
        ledger = run_traffic(shop.url, make_plan(40, seed=3))
        assert {status for status, _ in ledger.orders} == {"completed", "pending", "failed"}

    def test_one_client_and_five_get_the_same_answers(self) -> None:
        ledgers = []
        for threads in (1, 5):
            shop = Shop()
            ledgers.append(run_traffic(shop.url, make_plan(10), threads=threads))
            shop.close()
        for ledger in ledgers:
            ledger.response_bytes.clear()  # an export is longer the more ids have two digits
            ledger.not_echoed.sort()
        assert ledgers[0] == ledgers[1]

    def test_a_client_that_leaves_early_is_counted_but_its_bytes_are_not_asserted(self, shop: Shop) -> None:
        ledger = run_traffic(shop.url, make_plan(10, early_leavers=3))
        assert ledger.surprises == []
        expected = expected_series(ledger)
        assert expected[series("http_requests_total", method="GET", endpoint="/api/export", status="200")] == 4
        assert series("http_response_size_bytes_sum", method="GET", endpoint="/api/export") not in expected
        assert series("http_response_size_bytes_sum", method="GET", endpoint="/api/orders") in expected

    def test_a_request_without_an_answer_is_a_surprise_and_counts_as_nothing(self) -> None:
        ledger = run_traffic(f"http://127.0.0.1:{free_port()}", Plan((order(),), ()), threads=1)
        assert ledger.sent == 0
        assert ledger.orders == Counter()
        assert len(ledger.surprises) == 1

    def test_another_status_than_the_description_allows_is_a_surprise(self, shop: Shop) -> None:
        ledger = run_traffic(shop.url, Plan((Planned("GET", "/api/fail", "/api/fail", {200: None}),), ()), threads=1)
        assert ledger.surprises == ["GET /api/fail was answered with 500"]
        assert ledger.requests == Counter({("GET", "/api/fail", 500): 1})


class TestLedger:
    def test_only_completed_orders_earn_and_amounts_stay_exact(self) -> None:
        ledger = Ledger()
        for amount, status in (("0.10", 201), ("0.20", 201), ("6000", 202), ("30000", 402)):
            ledger.enter(order(amount), status, b"", "")
        assert ledger.revenue == {"CNY": Decimal("0.30")}
        assert ledger.orders == Counter({("completed", "alipay"): 2, ("pending", "alipay"): 1, ("failed", "alipay"): 1})

    def test_lines_are_expected_by_level_user_and_request(self) -> None:
        ledger = Ledger()
        ledger.enter(order(user="ann", request_id="r-1"), 402, b"", "r-1")
        ledger.enter(Planned("GET", "/health", "/health", {200: None}, user="ann", request_id="r-2"), 200, b"", "r-2")
        assert ledger.errors == 1
        assert ledger.lines_by_user == Counter({"ann": 1})
        assert ledger.lines_by_request == {"r-1": 1, "r-2": 0}

    def test_a_request_id_that_does_not_come_back_is_noted(self) -> None:
        ledger = Ledger()
        ledger.enter(order(request_id="r-1"), 201, b"", "other")
        assert ledger.not_echoed == ["r-1"]

    def test_a_method_outside_of_the_standard_ones_is_expected_as_other(self) -> None:
        ledger = Ledger()
        ledger.enter(Planned("BREW", "/health", "/health", {405: None}), 405, b"no", "")
        key = series("http_response_size_bytes_sum", method="_OTHER", endpoint="/health")
        assert expected_series(ledger)[key] == 2

    @given(
        st.lists(st.tuples(st.sampled_from(["1", "0.01", "250.10"]), st.sampled_from([201, 202, 402, 500]))), st.data()
    )
    @settings(deadline=None)
    def test_books_added_up_say_the_same_as_one_book(self, answers: list[tuple[str, int]], data: st.DataObject) -> None:
        whole, parts = Ledger(), [Ledger(), Ledger(), Ledger()]
        for number, (amount, status) in enumerate(answers):
            entry = (order(amount, user=f"u{number % 2}", request_id=f"r{number}"), status, b"x" * number, "")
            whole.enter(*entry)
            parts[data.draw(st.integers(0, 2))].enter(*entry)
        total = Ledger()
        for part in parts:
            total.add(part)
        assert expected_series(total) == expected_series(whole)
        assert total.lines_by_level == whole.lines_by_level
        assert total.lines_by_user == whole.lines_by_user
        assert total.lines_by_request == whole.lines_by_request
        assert sorted(total.surprises) == sorted(whole.surprises)
        assert sorted(total.not_echoed) == sorted(whole.not_echoed)


def booked() -> Ledger:
    """Books of a few answers of several kinds."""
    ledger = Ledger()
    for planned in make_plan(5).first + make_plan(5).second:
        ledger.enter(planned, next(iter(planned.logs)), b"body", "")
    return ledger


class TestComparison:
    def test_a_page_that_says_what_was_sent_agrees(self) -> None:
        expected = expected_series(booked())
        assert all(row.agrees for row in compare(expected, parse_page(page_of(expected))))

    def test_any_one_number_that_is_off_by_one_is_seen(self) -> None:
        expected = expected_series(booked())
        for key in expected:
            wrong = {**expected, key: expected[key] + 1}
            assert [row.series for row in compare(expected, parse_page(page_of(wrong))) if not row.agrees] == [key]

    def test_any_one_series_that_is_missing_is_seen(self) -> None:
        expected = expected_series(booked())
        for key in expected:
            fewer = {other: value for other, value in expected.items() if other != key}
            wrong = [row for row in compare(expected, parse_page(page_of(fewer))) if not row.agrees]
            assert wrong == [Row(key, expected[key], None)]

    def test_a_series_that_nobody_sent_is_seen(self) -> None:
        extra = series("http_requests_total", method="GET", endpoint="/api/orders/17", status="200")
        wrong = compare({}, parse_page(page_of({extra: Decimal(1)})))
        assert wrong == [Row(extra, Decimal(0), Decimal(1))]
        assert "/api/orders/17" in table(wrong)
        assert "<-- differs" in table(wrong)

    def test_money_is_compared_to_the_cent_and_not_further(self) -> None:
        key = series("revenue_total", currency="CNY")
        assert Row(key, Decimal("0.30"), Decimal("0.30000000000000004")).agrees
        assert not Row(key, Decimal("0.30"), Decimal("0.31")).agrees

    def test_labels_that_are_not_compared_are_added_up(self) -> None:
        page = 'function_duration_seconds_count{function_name="f",module="a"} 2\n'
        page += 'function_duration_seconds_count{function_name="f",module="b"} 3\n'
        assert parse_page(page) == {series("function_duration_seconds_count", function_name="f"): Decimal(5)}

    def test_counters_are_compared_by_how_far_they_came_and_gauges_as_they_are(self) -> None:
        counter, gauge = series("orders_total", status="completed"), series("active_users", time_window="1h")
        before = {counter: Decimal(5), gauge: Decimal(8)}
        after = {counter: Decimal(7), gauge: Decimal(9)}
        assert since(before, after) == {counter: Decimal(2), gauge: Decimal(9)}

    def test_every_series_that_is_expected_is_one_that_is_read(self) -> None:
        for key in expected_series(booked()):
            assert tuple(sorted(CHECKED[key.name])) == tuple(name for name, _ in key.labels)


BUCKETS = {
    series("http_request_duration_seconds_bucket", method="GET", endpoint="/", le=bound): Decimal(count)
    for bound, count in (("0.1", 50), ("0.5", 90), ("1.0", 100), ("+Inf", 100))
}


class TestSummary:
    def test_a_quantile_is_estimated_inside_of_its_bucket(self) -> None:
        assert quantile(BUCKETS, 0.5) == pytest.approx(0.1)
        assert quantile(BUCKETS, 0.95) == pytest.approx(0.75)
        assert quantile({}, 0.95) is None

    def test_a_quantile_beyond_the_last_bound_is_that_bound(self) -> None:
        key = series("http_request_duration_seconds_bucket", method="GET", endpoint="/", le="+Inf")
        assert quantile({**BUCKETS, key: Decimal(1000)}, 0.95) == 1.0

    @given(st.integers(1, 300))
    def test_the_block_fits_every_width(self, width: int) -> None:
        log = LogFigures(120, 7, {}, "payment failed " * 30)
        assert all(len(line) <= width for line in block(12, expected_series(booked()) | BUCKETS, log, width))

    def test_one_line_has_requests_duration_orders_and_errors(self) -> None:
        line = one_line(12, expected_series(booked()) | BUCKETS, LogFigures(100, 7, {}))
        for part in ("12 s", "201 5", "p95 750 ms", "5 orders", "100 log lines, 7 errors (7.0 %)"):
            assert part in line

    def test_the_report_agrees_only_when_page_and_log_do(self) -> None:
        ledger = booked()
        expected = expected_series(ledger)
        page, log = {"counted": counted(expected, expected)}, {"logged": logged(ledger)}
        assert final_report(ledger, page, log)[1]
        text, agrees = final_report(ledger, page, {"logged": replace(log["logged"], errors=ledger.errors - 1)})
        assert not agrees
        assert "the log DIFFERS" in text
        off = {**expected, series("orders_total", status="completed", payment_method="card"): Decimal(77)}
        assert not final_report(ledger, {"counted": counted(expected, off)}, log)[1]

    def test_the_report_has_a_column_for_each_that_counted_and_logged_and_one_that_differs_is_enough(self) -> None:
        ledger = booked()
        expected = expected_series(ledger)
        right, log = counted(expected, expected), logged(ledger)
        text, agrees = final_report(ledger, {"page": right, "server": right}, {"file": log, "store": log})
        assert agrees
        assert text.splitlines()[0].split() == ["sent", "page", "server", "file", "store"]
        assert f"{2 * len(expected)} series compared, 0 differ; the log agrees" in text
        late = counted(expected, {**expected, series("orders_total", status="failed", payment_method="x"): Decimal(1)})
        assert not final_report(ledger, {"page": right, "server": late}, {"file": log, "store": log})[1]
        assert not final_report(
            ledger, {"page": right, "server": right}, {"file": log, "store": replace(log, lines=98)}
        )[1]

    def test_lines_that_went_to_the_wrong_user_are_seen(self) -> None:
        ledger = booked()
        swapped = Counter(ledger.lines_by_user)
        first, *_, last = swapped
        swapped[first] += 1
        swapped[last] -= 1
        assert logs_match(ledger, [logged(ledger)])
        assert not logs_match(ledger, [replace(logged(ledger), lines_by_user=swapped)])

    def test_an_error_that_is_counted_and_not_found_or_another_in_each_log_is_seen(self) -> None:
        ledger = booked()
        log = logged(ledger)
        assert ledger.errors
        other = replace(log, error_ids=frozenset({*list(log.error_ids)[1:], "other"}))
        assert logs_match(ledger, [other])
        assert not logs_match(ledger, [log, other])
        assert not logs_match(ledger, [replace(log, error_ids=frozenset())])


def counted(expected: Mapping[Series, Decimal], values: dict[Series, Decimal]) -> Counted:
    """What one that counted said, compared with what was expected."""
    return Counted(values, compare(expected, values))


def logged(ledger: Ledger) -> LogFigures:
    """What a log says that has every line of the ledger."""
    ids = frozenset(str(number) for number in range(ledger.errors))
    return LogFigures(99, ledger.errors, dict(ledger.lines_by_user), error_ids=ids)


class FixedPage(BaseHTTPRequestHandler):
    """A metrics page that never moves."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"http_requests_total 0\n")

    def log_message(self, format: str, *args: object) -> None:
        """Stay quiet."""


class TestCommandLine:
    def test_the_ledger_is_printed_as_json(self, shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
        assert traffic.main(["--url", shop.url, "--orders", "10", "--json"]) == 0
        printed = json.loads(capsys.readouterr().out)
        assert printed["surprises"] == []
        assert printed["series"]['active_users{time_window="1h"}'] == "8"

    def test_a_page_that_counted_nothing_gives_exit_code_1(
        self, shop: Shop, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        server = ThreadingHTTPServer(("127.0.0.1", 0), FixedPage)
        threading.Thread(target=server.serve_forever, args=(0.05,)).start()
        monkeypatch.setattr("examples.shop.page.SETTLE_SECONDS", 0.0)
        try:
            page = f"http://127.0.0.1:{server.server_port}/metrics"
            assert traffic.main(["--url", shop.url, "--orders", "1", "--check", page]) == 1
        finally:
            server.shutdown()
            server.server_close()
        assert "<-- differs" in capsys.readouterr().out

    @pytest.mark.parametrize(
        "arguments", [["--orders", "0"], ["--orders", "many"], ["--threads", "0"], ["--check", "http://127.0.0.1:1/"]]
    )
    def test_bad_input_gives_exit_code_2(self, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit) as ended:
            traffic.main(arguments)
        assert ended.value.code == 2
        assert arguments[0] in capsys.readouterr().err

"""The shop under `opentelemetry-instrument`: page, real Prometheus, LogAnalyzer and demo agree with the client."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest

from examples.shop.ledger import Ledger, expected_series, series
from examples.shop.page import CHECKED, Values, compare_settled, read_page, table
from examples.shop.plan import make_plan
from examples.shop.traffic import run_traffic
from otel_distro import LogAnalyzer
from tests.processes import ROOT, AppProcess
from tests.services.prometheus import Generation, Prometheus
from tests.support import free_port, request, wait_until

PROMETHEUS_CONFIG = """
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
  - job_name: shop
    static_configs: [{{targets: ["localhost:{port}"]}}]
"""


@dataclass(frozen=True)
class Shop:
    """The running shop, the traffic it got, and where it says what it counted."""

    process: AppProcess
    url: str
    metrics_port: int
    log_file: Path

    @property
    def metrics_url(self) -> str:
        """The metrics page."""
        return f"http://localhost:{self.metrics_port}/metrics"


@contextmanager
def running_shop(folder: Path, further: Mapping[str, str] | None = None) -> Iterator[Shop]:
    """The shop, started as the README says, with the three variables and its port, and `further` ones."""
    port, metrics_port = free_port(), free_port()
    log_file = folder / "logs" / "shop.log"
    environment = {
        "OTEL_SERVICE_NAME": "shop",
        "OTEL_EXPORTER_PROMETHEUS_PORT": str(metrics_port),
        "OTEL_DISTRO_LOG_FILE": str(log_file),
        "SHOP_PORT": str(port),
        **(further or {}),
    }
    command = ["opentelemetry-instrument", "python", "examples/shop/app.py"]
    with AppProcess(command, environment) as process:
        shop = Shop(process, f"http://127.0.0.1:{port}", metrics_port, log_file)
        process.wait_for_http(shop.metrics_url)
        # Only a connection: a request would be counted.
        wait_until(lambda: connects(port), what="the shop to listen")
        yield shop


def connects(port: int) -> bool:
    """Whether something listens on the port."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with running_shop(tmp_path_factory.mktemp("shop")) as running:
        yield running


@pytest.fixture(scope="module")
def ledger(shop: Shop) -> Ledger:
    """The books of the one traffic that the shop of this module gets."""
    books = run_traffic(shop.url, make_plan(60, seed=11))
    assert books.surprises == []
    return books


def documents(shop: Shop) -> list[dict[str, object]]:
    """Every line of the log file, each a JSON object, that the shop's own logger wrote."""
    lines = [json.loads(line) for line in shop.log_file.read_text().splitlines()]
    return [line for line in lines if line["logger"] == "shop"]


def assert_page_agrees(shop: Shop, books: Ledger) -> None:
    """Every checked series is on the page, to the unit, and no other."""
    rows = compare_settled(expected_series(books), lambda: read_page(shop.metrics_url))
    assert all(row.agrees for row in rows), "\n" + table(rows, only_wrong=True)


def test_the_page_equals_the_books_to_the_unit(shop: Shop, ledger: Ledger) -> None:
    assert_page_agrees(shop, ledger)


def test_a_real_prometheus_answers_what_the_books_say(
    shop: Shop, ledger: Ledger, each_prometheus: Generation, tmp_path: Path
) -> None:
    assert_page_agrees(shop, ledger)
    config = PROMETHEUS_CONFIG.format(port=shop.metrics_port)
    with Prometheus(each_prometheus.binary, config, tmp_path) as prometheus:
        prometheus.wait_for_scrape("shop")
        rows = compare_settled(expected_series(ledger), lambda: stored_in(prometheus))
    assert all(row.agrees for row in rows), "\n" + table(rows, only_wrong=True)


def stored_in(prometheus: Prometheus) -> Values:
    """Every checked series as Prometheus answers for it."""
    values: Values = {}
    for name, labels in CHECKED.items():
        for sample in prometheus.query(f'sum by ({", ".join(labels)}) ({name}{{job="shop"}})'):
            key = series(name, **{label: sample.labels.get(label, "") for label in labels})
            values[key] = Decimal(repr(sample.value))
    return values


def test_every_chosen_request_id_comes_back(ledger: Ledger) -> None:
    assert len(ledger.lines_by_request) > 40
    assert ledger.not_echoed == []


def test_the_log_has_the_lines_that_the_books_say(shop: Shop, ledger: Ledger) -> None:
    served = wait_until(lambda: settled_documents(shop, ledger), what="the log to have every line")
    assert Counter(str(line["level"]) for line in served) == ledger.lines_by_level
    assert Counter(str(line["user_id"]) for line in served if line.get("user_id")) == ledger.lines_by_user
    assert all(line["service"] == "shop" for line in served)


def settled_documents(shop: Shop, ledger: Ledger) -> list[dict[str, object]]:
    """The lines of requests (the start-up line has no request), or none while some are missing."""
    served = [line for line in documents(shop) if line.get("request_id")]
    return served if len(served) >= ledger.lines_by_level.total() else []


def test_the_line_after_a_stream_still_knows_its_request_and_user(shop: Shop, ledger: Ledger) -> None:
    assert ledger.sent
    exports = [line for line in documents(shop) if line["message"] == "orders exported"]
    assert len(exports) == ledger.requests["GET", "/api/export", 200]
    assert all(line["request_id"] and line["user_id"] and line["rows"] == 60 for line in exports)


def test_errors_carry_their_order_and_their_traceback(shop: Shop, ledger: Ledger) -> None:
    failed = [line for line in documents(shop) if line["message"] == "payment failed"]
    assert len(failed) == sum(count for (status, _), count in ledger.orders.items() if status == "failed")
    for line in failed:
        assert line["error_type"] == "PaymentDeclinedError"
        assert "Traceback" in str(line["exc_info"])
        assert line["order_id"]
        assert Decimal(str(line["amount"])) > 20_000
        assert line["payment_method"]


def test_the_analyzer_counts_what_the_books_say(shop: Shop, ledger: Ledger) -> None:
    wait_until(lambda: settled_documents(shop, ledger), what="the log to have every line")
    started = sum(not line.get("request_id") for line in documents(shop))
    with LogAnalyzer(shop.log_file) as analyzer:
        rate = analyzer.get_error_rate(hours=1)
        assert rate["errors"] == ledger.errors
        assert rate["total"] == ledger.lines_by_level.total() + started
        assert len(analyzer.search_errors(hours=1, size=1000)) == ledger.errors
        by_user = {user: len(analyzer.search_by_user(user)) for user in ledger.users}
        assert by_user == dict(ledger.lines_by_user)
        by_request = {chosen: len(analyzer.search_by_request(chosen)) for chosen in ledger.lines_by_request}
        assert by_request == dict(ledger.lines_by_request)


def test_clients_that_leave_early_are_counted_and_leave_nothing_in_flight(tmp_path: Path) -> None:
    with running_shop(tmp_path) as shop:
        books = run_traffic(shop.url, make_plan(40, seed=5, early_leavers=6))
        assert books.surprises == []
        assert_page_agrees(shop, books)


def test_the_traffic_program_checks_a_shop_from_the_command_line_also_one_that_has_served_before(
    tmp_path: Path,
) -> None:
    with running_shop(tmp_path) as shop:
        command = ["python", "examples/shop/traffic.py", "--url", shop.url, "--check", shop.metrics_url]
        for orders in ("3", "5"):
            with AppProcess([*command, "--orders", orders]) as program:
                assert program.wait() == 0, program.output
                assert " 0 differ" in program.stdout


def test_every_command_of_the_readme_runs(tmp_path: Path) -> None:
    by_hand = (ROOT / "examples/shop/README.md").read_text().partition("## By hand")[2]
    commands = [line.strip() for line in by_hand.splitlines() if line.startswith("    ")][
        2:
    ]  # the shop's own two lines
    assert len(commands) >= 10
    with running_shop(tmp_path) as shop:
        for written in commands:
            with AppProcess(["bash", "-c", as_run_here(written, shop)], cwd=tmp_path) as program:
                assert program.wait() == 0, program.output
                assert program.stdout, written


def as_run_here(command: str, shop: Shop) -> str:
    """A command of the README with this test's ports and folder in place of its own."""
    here = command.replace("localhost:5000", shop.url.removeprefix("http://"))
    here = here.replace("localhost:8000", f"localhost:{shop.metrics_port}")
    here = here.replace("python examples/", f"python {ROOT}/examples/")
    return f"{here} --url {shop.url}" if "traffic.py" in here else here


@pytest.mark.parametrize("seconds", ["0", "-3", "abc", "inf"])
def test_a_time_for_the_demo_that_is_none_is_said(seconds: str) -> None:
    with AppProcess(["python", "examples/shop/demo.py", f"--seconds={seconds}"]) as demo:
        assert demo.wait() == 2
        assert f"argument --seconds: {seconds!r} is no number of seconds above 0" in demo.output


def test_the_demo_ends_by_itself_with_0_and_shows_that_all_agrees(tmp_path: Path) -> None:
    with AppProcess(["python", "examples/shop/demo.py", "--folder", tmp_path, "--seconds", "8"]) as demo:
        assert demo.wait(150) == 0, demo.output
        assert " 0 differ; the log agrees" in demo.stdout
        assert "log lines" in demo.stdout


def test_the_demo_ends_the_shop_when_it_is_ended(tmp_path: Path) -> None:
    with AppProcess(["python", "examples/shop/demo.py", "--folder", tmp_path]) as demo:
        demo.wait_for_output("log lines")
        shop_url = next(word for word in demo.stdout.split() if word.endswith("/api/orders"))
        demo.signal(signal.SIGTERM)
        assert demo.wait(60) == 0, demo.output
        with pytest.raises(OSError, match="refused"):
            request(shop_url)


def test_the_demo_takes_free_ports_where_its_own_are_taken_and_says_so(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind(("127.0.0.1", 5000))
        except OSError:
            pass  # taken by another program: as well
        else:
            taken.listen()
        with AppProcess(["python", "examples/shop/demo.py", "--folder", tmp_path, "--seconds", "3"]) as demo:
            assert demo.wait(150) == 0, demo.output
            assert "port 5000 is taken: the shop is on" in demo.stdout


def test_the_demo_says_why_and_ends_with_1_when_the_shop_dies(tmp_path: Path) -> None:
    with AppProcess(["python", "examples/shop/demo.py", "--folder", tmp_path]) as demo:
        demo.wait_for_output("log lines")
        os.kill(child_of(demo.pid), signal.SIGKILL)
        assert demo.wait(60) == 1, demo.output
        assert "the shop ended with status -9" in demo.stderr


def test_two_demos_in_one_folder_do_not_spoil_each_other(tmp_path: Path) -> None:
    with AppProcess(["python", "examples/shop/demo.py", "--folder", tmp_path]) as first:
        first.wait_for_output("log lines")
        with AppProcess(["python", "examples/shop/demo.py", "--folder", tmp_path]) as second:
            assert second.wait() == 1, second.output
            assert "another demo runs in" in second.stderr
        first.signal(signal.SIGINT)
        assert first.wait(60) == 0, first.output


def child_of(pid: int) -> int:
    """The one child of a process."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    assert len(children) == 1
    return int(children[0])


def test_the_demo_refuses_seconds_that_are_none(tmp_path: Path) -> None:
    for bad in ("0", "-1", "soon", "nan"):
        with AppProcess(["python", "examples/shop/demo.py", "--folder", tmp_path, "--seconds", bad]) as demo:
            assert demo.wait() == 2, demo.output
            assert "--seconds" in demo.stderr


def test_the_shop_runs_as_it_is_without_the_prefix() -> None:
    port = free_port()
    with AppProcess(["python", "examples/shop/app.py"], {"SHOP_PORT": str(port)}, cwd=ROOT) as plain:
        wait_until(lambda: connects(port), what="the shop to listen")
        books = run_traffic(f"http://127.0.0.1:{port}", make_plan(10))
        assert books.surprises == []
        assert "shop started on" in plain.stderr
        assert "RuntimeError: the stock database is away" in plain.stderr

"""Traffic with known totals: send a planned number of each kind of request and say what the counters must then show.

python examples/shop/traffic.py --orders 50 --check http://localhost:8000/metrics
"""

from __future__ import annotations

import argparse
import json
import queue
import sys
import threading
from collections.abc import Sequence
from http.client import HTTPConnection, HTTPException
from itertools import chain
from pathlib import Path
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # so that it runs as a file, too

from examples.shop.ledger import Ledger, Series, expected_series, series
from examples.shop.page import Values, compare_settled, read_page, since, table
from examples.shop.plan import ANY_ORDER, Plan, Planned, make_plan

__all__ = ["Ledger", "Plan", "Series", "expected_series", "make_plan", "run_traffic", "series"]


def run_traffic(base_url: str, plan: Plan, *, threads: int = 4, timeout: float = 30.0) -> Ledger:
    """Send every request of the plan once, over as many connections as threads, and return what came back.

    Nothing is sent twice: a request without an answer within `timeout` seconds stands in the ledger's `surprises`.
    """
    ledger, order_ids = _send_all(base_url, plan.first, [], threads, timeout)
    later, _ = _send_all(base_url, plan.second, sorted(order_ids), threads, timeout)
    ledger.add(later)
    return ledger


def _send_all(
    base_url: str, requests: Sequence[Planned], order_ids: Sequence[str], threads: int, timeout: float
) -> tuple[Ledger, list[str]]:
    """Share the requests out to the threads; return their books added up and the ids of the orders they made."""
    waiting: queue.SimpleQueue[tuple[int, Planned]] = queue.SimpleQueue()
    for numbered in enumerate(requests):
        waiting.put(numbered)
    senders = [_Sender(base_url, waiting, order_ids, timeout) for _ in range(threads)]
    for sender in senders:
        sender.start()
    total = Ledger()
    for sender in senders:
        sender.join()
        total.add(sender.ledger)
    return total, list(chain.from_iterable(sender.made for sender in senders))


class _Sender(threading.Thread):
    """One client: a connection that is kept where the server keeps it, and books of its own."""

    def __init__(
        self,
        base_url: str,
        waiting: queue.SimpleQueue[tuple[int, Planned]],
        order_ids: Sequence[str],
        timeout: float,
    ) -> None:
        super().__init__(name="shop-traffic", daemon=True)
        self.ledger = Ledger()
        self.made: list[str] = []
        self._waiting = waiting
        self._order_ids = order_ids
        address = urlsplit(base_url)
        self._prefix = address.path.rstrip("/")
        self._connection = HTTPConnection(address.hostname or "127.0.0.1", address.port or 80, timeout=timeout)

    def run(self) -> None:
        """Send until none is waiting."""
        while True:
            try:
                number, planned = self._waiting.get_nowait()
            except queue.Empty:
                self._connection.close()
                return
            try:
                self._send(number, planned)
            except (OSError, HTTPException, ValueError) as error:
                self.ledger.surprises.append(f"{planned.method} {planned.path} had no answer: {error!r}")
                self._connection.close()

    def _send(self, number: int, planned: Planned) -> None:
        path = planned.path
        if ANY_ORDER in path:
            if not self._order_ids:
                raise ValueError("no order was made that could be asked for")
            path = path.replace(ANY_ORDER, self._order_ids[number % len(self._order_ids)])
        headers = {"X-Request-ID": planned.request_id, "X-User-ID": planned.user}
        if planned.body:
            headers["Content-Type"] = "application/json"
        self._connection.request(
            planned.method,
            self._prefix + path,
            body=planned.body or None,
            headers={name: value for name, value in headers.items() if value},
        )
        answer = self._connection.getresponse()
        body = answer.read(64) if planned.leaves_early else answer.read()
        if planned.leaves_early:
            self._connection.close()
        self.ledger.enter(planned, answer.status, body, answer.getheader("X-Request-ID", ""))
        if planned.method == "POST" and planned.endpoint == "/api/orders" and answer.status != 400:
            self.made.append(json.loads(body)["id"])


def check(ledger: Ledger, url: str, before: Values) -> bool:
    """Print the page beside what the ledger expects, and return whether they agree.

    `before` is the page as it was: counters are compared by how far they have come since.
    """
    # Who logged in before this run is not in these books.
    left_out = "active_users" if any(key.name == "active_users" for key in before) else ""

    def comparable(values: Values) -> Values:
        return {key: value for key, value in values.items() if key.name != left_out}

    rows = compare_settled(comparable(expected_series(ledger)), lambda: comparable(since(before, read_page(url))))
    print(table(rows))
    wrong = sum(not row.agrees for row in rows)
    print(f"\n{len(rows)} series compared, {wrong} differ")
    return wrong == 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line; return 1 when an answer surprised or a number differs, 2 for bad input."""
    parser = argparse.ArgumentParser(description="Send the shop a known number of each kind of request.")
    parser.add_argument("--url", default="http://127.0.0.1:5000", help="the shop (default: %(default)s)")
    parser.add_argument("--orders", type=int, default=50, help="how many orders (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same requests")
    parser.add_argument("--threads", type=int, default=4, help="clients at once (default: %(default)s)")
    parser.add_argument("--early-leavers", type=int, default=0, help="clients that break off a streamed export")
    parser.add_argument("--check", metavar="URL", help="compare with this metrics page")
    parser.add_argument("--json", action="store_true", help="print the ledger as JSON")
    options = parser.parse_args(arguments)
    if options.orders < 1 or options.threads < 1 or options.early_leavers < 0:
        parser.error("--orders and --threads start at 1, --early-leavers at 0")
    try:
        before = read_page(options.check) if options.check else {}
    except (OSError, ValueError) as error:
        parser.error(f"--check {options.check}: no metrics page there ({error})")
    plan = make_plan(options.orders, options.seed, early_leavers=options.early_leavers)
    ledger = run_traffic(options.url, plan, threads=options.threads)
    if options.json:
        print(json.dumps(ledger.as_json(), indent=2))
    elif not options.check:
        for key, value in sorted(expected_series(ledger).items()):
            print(key, value)
    agrees = check(ledger, options.check, before) if options.check else True
    for surprise in ledger.surprises[:20]:
        print(f"surprise: {surprise}", file=sys.stderr)
    return 0 if agrees and not ledger.surprises else 1


if __name__ == "__main__":
    sys.exit(main())

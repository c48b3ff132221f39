"""The demo: the shop under `opentelemetry-instrument`, traffic, and a live summary of its metrics and its log.

    python examples/shop/demo.py --seconds 20

Ends with Ctrl-C, SIGTERM or after `--seconds`, with the comparison of what was sent, counted and logged. Exit code 0
when all of it agrees, 1 when something differs or the shop ended before.
"""

from __future__ import annotations

import argparse
import math
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # so that it runs as a file, too

from examples.shop.child import METRICS_PORT, SHOP_PORT, DemoError, Files, Shop, choose_port
from examples.shop.ledger import Ledger, expected_series
from examples.shop.page import Values, compare_settled
from examples.shop.plan import make_plan
from examples.shop.summary import LogFigures, block, final_report, logs_match, one_line
from examples.shop.traffic import run_traffic
from otel_distro import LogAnalyzer
from otel_distro.errors import OtelDistroError

REPOSITORY: Final = Path(__file__).resolve().parents[2]
FOLDER: Final = Path(".demo")
REFRESH: Final = 2.0  # seconds
SEEDS: Final = 20  # plans in turn, so that the ledger stays small however long the demo runs


class Traffic(threading.Thread):
    """Rounds of traffic until stopped, with the books of all of them."""

    def __init__(self, url: str, stop: threading.Event) -> None:
        super().__init__(name="demo-traffic", daemon=True)
        self.ledger = Ledger()  # to be read when the thread has ended
        self._url = url
        self._stop_event = stop

    def run(self) -> None:
        """Send one plan after the other, each whole."""
        number = 0
        while not self._stop_event.is_set():
            self.ledger.add(run_traffic(self._url, make_plan(10, seed=number % SEEDS), threads=2))
            number += 1
            self._stop_event.wait(0.25)


class Screen:
    """Shows the live summary: redrawn in place on a terminal, else a line each time."""

    def __init__(self) -> None:
        self._redraws = sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self._drawn = 0

    def show(self, seconds: float, page: Values, log: LogFigures) -> None:
        """Show the newest figures."""
        if not self._redraws:
            print(one_line(seconds, page, log), flush=True)
            return
        lines = block(seconds, page, log, shutil.get_terminal_size().columns - 1)
        up = f"\x1b[{self._drawn}F" if self._drawn else ""
        print(up + "".join(f"\x1b[2K{line}\n" for line in lines), end="", flush=True)
        self._drawn = len(lines)


def ask_log(log: Path, users: Sequence[str], seconds: float) -> LogFigures:
    """Ask `LogAnalyzer` for the figures of the whole demo, which has lasted so many seconds."""
    hours = math.ceil(seconds / 3600) + 1
    with LogAnalyzer(log) as analyzer:
        rate = analyzer.get_error_rate(hours=hours)
        newest = analyzer.search_errors(hours=hours, size=1)
        by_user = {user: len(analyzer.search_by_user(user, hours=hours)) for user in users}
    message = str(newest[0]["message"]) if newest else ""
    return LogFigures(rate["total"], rate["errors"], by_user, " ".join(message.split()))


def watch(shop: Shop, stop: threading.Event, started: float, seconds: float | None) -> None:
    """Show the summary every two seconds until stopped or the time is over; raises DemoError when the shop ends."""
    screen = Screen()
    while not stop.is_set():
        left = math.inf if seconds is None else seconds - (time.monotonic() - started)
        if left <= 0 or stop.wait(min(REFRESH, left)):
            return
        shop.check_alive()
        elapsed = time.monotonic() - started
        screen.show(elapsed, shop.read_metrics(), ask_log(shop.log, (), elapsed))


def compare_all(shop: Shop, ledger: Ledger, started: float) -> bool:
    """Print what was sent, counted and logged, and return whether it agrees."""
    rows = compare_settled(expected_series(ledger), shop.read_metrics)
    users = sorted(ledger.lines_by_user)
    deadline = time.monotonic() + 5
    log = ask_log(shop.log, users, time.monotonic() - started)
    while not logs_match(ledger, log) and time.monotonic() < deadline:
        time.sleep(0.1)
        log = ask_log(shop.log, users, time.monotonic() - started)
    report, agrees = final_report(ledger, shop.read_metrics(), rows, log)
    print("\n" + report, flush=True)
    return agrees


def run(seconds: float | None, folder: Path) -> int:
    """Run the demo from start to end and return the exit code."""
    files = Files(folder)
    with _stopped_by_signals() as stop:
        shop = Shop(choose_port(SHOP_PORT, "shop"), choose_port(METRICS_PORT, "metrics page"), files)
        try:
            shop.wait_until_up(stop)
            if stop.is_set():
                return 0
            print(_where_to_look(shop), flush=True)
            started = time.monotonic()
            traffic = Traffic(shop.url, stop)
            traffic.start()
            try:
                watch(shop, stop, started, seconds)
            finally:
                stop.set()
            traffic.join()
            shop.check_alive()
            return 0 if compare_all(shop, traffic.ledger, started) else 1
        finally:
            shop.end()


@contextmanager
def _stopped_by_signals() -> Iterator[threading.Event]:
    """Give an event that Ctrl-C and SIGTERM set; a second signal interrupts at once."""
    stop = threading.Event()

    def handle(*_: object) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _where_to_look(shop: Shop) -> str:
    beside = Path(sys.executable).parent
    program = "otel-distro"
    if shutil.which(program) != str(beside / program):  # the environment is not activated
        program = str(Path(os.path.relpath(beside)) / program)
    return f"""\
The shop runs under opentelemetry-instrument. In another terminal, from this folder:
  app      {shop.url}/api/orders   (a request of yours is counted, too: the end will show it)
  metrics  curl {shop.metrics_url}
  logs     tail -f {shop.log}
  errors   {program} logs errors --hours 1 --logs {shop.log}
  rate     {program} logs rate --hours 1 --logs {shop.log}
  one user otel-distro logs user user-001 --logs {shop.log}
Ctrl-C ends it.
"""


def _positive(text: str) -> float:
    number = float(text)
    if not 0 < number < math.inf:
        raise ValueError
    return number


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="Run the shop with metrics, logs and traffic, and show what happens.")
    parser.add_argument("--seconds", type=_positive, help="end by itself after so many seconds (default: never)")
    parser.add_argument(
        "--folder", type=Path, default=FOLDER, help="for log and output (default: %(default)s of the repository)"
    )
    options = parser.parse_args()
    if options.folder != FOLDER:
        options.folder = options.folder.absolute()
    os.chdir(REPOSITORY)
    try:
        return run(options.seconds, options.folder)
    except (DemoError, OtelDistroError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())

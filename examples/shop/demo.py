"""The demo: the shop under `opentelemetry-instrument`, traffic, and a live summary of its metrics and its log.

    python examples/shop/demo.py --seconds 20
    python examples/shop/demo.py --seconds 20 --stack full

The full stack is the shop with a Collector that takes its log to Elasticsearch, and a Prometheus for its metrics.
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
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # so that it runs as a file, too

from examples.shop.child import METRICS_PORT, SHOP_PORT, DemoError, Files, Shop, choose_port
from examples.shop.ledger import Ledger
from examples.shop.page import Values
from examples.shop.plan import make_plan
from examples.shop.sources import Source, ask_log, compare_all
from examples.shop.summary import LogFigures, block, one_line
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


def watch(shop: Shop, source: Source, stop: threading.Event, started: float, seconds: float | None) -> None:
    """Show the summary every two seconds until stopped or the time is over; raises DemoError when the shop ends."""
    screen = Screen()
    while not stop.is_set():
        left = math.inf if seconds is None else seconds - (time.monotonic() - started)
        if left <= 0 or stop.wait(min(REFRESH, left)):
            return
        shop.check_alive()
        elapsed = time.monotonic() - started
        screen.show(elapsed, source.read_metrics(), ask_log(source, elapsed))


def run(seconds: float | None, folder: Path, *, full: bool = False) -> int:
    """Run the demo from start to end and return the exit code; `full` is with all servers of the pipeline."""
    files = Files(folder)
    ports = choose_port(SHOP_PORT, "shop"), choose_port(METRICS_PORT, "metrics page")
    with _stopped_by_signals() as stop, ExitStack() as ends:
        servers = None
        if full:
            from examples.shop.stack import Stack  # the servers come with the tests, which a plain demo does not need

            servers = ends.enter_context(Stack(folder / "stack", files.log, ports[1]))
            servers.start(stop)
        if stop.is_set():
            return 0
        shop = Shop(*ports, files)
        ends.callback(shop.end)
        shop.wait_until_up(stop)
        sources = [Source("counted", "logged", shop.read_metrics, lambda: LogAnalyzer(files.log))]
        if servers is not None:
            servers.wait_until_open(stop)
            sources.append(servers.source)
        if stop.is_set():
            return 0
        print(_where_to_look(shop, servers.where_to_look() if servers else ""), flush=True)
        return _drive(shop, sources, stop, seconds)


def _drive(shop: Shop, sources: Sequence[Source], stop: threading.Event, seconds: float | None) -> int:
    """Send traffic until the end, showing the last of the sources, and compare all of them."""
    started = time.monotonic()
    traffic = Traffic(shop.url, stop)
    traffic.start()
    try:
        watch(shop, sources[-1], stop, started, seconds)
    finally:
        stop.set()
    traffic.join()
    shop.check_alive()
    return 0 if compare_all(sources, traffic.ledger, started) else 1


@contextmanager
def _stopped_by_signals() -> Iterator[threading.Event]:
    """Give an event that Ctrl-C, SIGTERM and a closed terminal set; a second signal interrupts at once."""
    stop = threading.Event()

    def handle(*_: object) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _where_to_look(shop: Shop, more: str) -> str:
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
  one user {program} logs user user-001 --logs {shop.log}
{more.format(program=program)}Ctrl-C ends it.
"""


def _positive(text: str) -> float:
    with suppress(ValueError):
        number = float(text)
        if 0 < number < math.inf:
            return number
    raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds above 0")


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="Run the shop with metrics, logs and traffic, and show what happens.")
    parser.add_argument("--seconds", type=_positive, help="end by itself after so many seconds (default: never)")
    parser.add_argument(
        "--folder", type=Path, default=FOLDER, help="for log and output (default: %(default)s of the repository)"
    )
    parser.add_argument(
        "--stack",
        choices=("python", "full"),
        default="python",
        help="python: nothing but Python; full: with Collector, Elasticsearch and Prometheus (default: %(default)s)",
    )
    options = parser.parse_args()
    if options.folder != FOLDER:
        options.folder = options.folder.absolute()
    os.chdir(REPOSITORY)
    try:
        return run(options.seconds, options.folder, full=options.stack == "full")
    except (DemoError, OtelDistroError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())

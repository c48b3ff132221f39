"""What one log line to a file costs: ours beside a plain `FileHandler` and other JSON formatters.

    python -m tests.benchmarks.log_line_cost --rounds 60

Each variant is a process of its own that logs so many lines when it is told; the variants take turns, so that what
else the machine does hits all of them. CPU time of the process, user and system; each line is one write, as
`FileHandler` flushes each record. `plain` runs twice: the second is the control. The table in Markdown shows the least
and the median of each in microseconds, and the ratio of both to plain's; a line with extras is compared with a plain
one of such a record. It ends with 1 where a file does not hold the
lines that were logged.
"""

from __future__ import annotations

import argparse
import json
import logging
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[2]
PLAIN: Final = "%(asctime)s %(levelname)s %(name)s %(message)s"
PEERS: Final = {"python-json-logger": "python-json-logger==4.2.0", "ecs-logging": "ecs-logging==2.3.0"}


def _plain() -> logging.Formatter:
    return logging.Formatter(PLAIN)


def _by_hand() -> logging.Formatter:
    class ByHand(logging.Formatter):
        def format(self, record: logging.LogRecord) -> str:
            fields = {
                "timestamp": self.formatTime(record),
                "level": record.levelname,
                "logger": record.name,
                "message": record.getMessage(),
            }
            return json.dumps(fields)

    return ByHand()


def _python_json_logger() -> logging.Formatter:
    from pythonjsonlogger.json import JsonFormatter  # type: ignore[import-not-found]

    made: logging.Formatter = JsonFormatter(PLAIN)
    return made


def _ecs() -> logging.Formatter:
    import ecs_logging  # type: ignore[import-not-found]

    made: logging.Formatter = ecs_logging.StdlibFormatter()
    return made


FORMATTERS: Final[dict[str, Callable[[], logging.Formatter]]] = {
    "plain": _plain,
    "plain again": _plain,
    "JSON by hand": _by_hand,
    "python-json-logger": _python_json_logger,
    "ecs-logging": _ecs,
    "plain, with extras": _plain,
}
OURS: Final = ("ours", "ours and OTLP", "ours, with extras")
PLAINS: Final = ("plain", "plain, with extras")
EXTRAS: Final = " with extras"  # ends the names of variants that log three of them; compared with plain's


def _set_up(variant: str, path: str) -> None:
    logger = logging.getLogger("shop.orders")
    if variant in FORMATTERS:
        handler = logging.FileHandler(path)
        handler.setFormatter(FORMATTERS[variant]())
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        logger.propagate = False
        return
    from otel_distro.logs.setup import configure_logging
    from otel_distro.settings import Settings

    settings = Settings.from_environ({"OTEL_SERVICE_NAME": "shop", "OTEL_DISTRO_LOG_FILE": path})
    configure_logging(settings, _provider() if variant == OURS[1] else None)


class _Nowhere:
    """An exporter that encodes what it gets for OTLP, and keeps nothing of it."""

    def export(self, batch: Sequence[Any]) -> Any:
        from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
        from opentelemetry.sdk._logs.export import LogRecordExportResult

        from otel_distro.otlp_logs import faster

        assert faster(encode_logs)(batch).SerializeToString()
        return LogRecordExportResult.SUCCESS

    def shutdown(self) -> None:
        """Nothing to do."""


def _provider() -> Any:
    """Return a provider whose records are encoded and go nowhere: all but what the network costs."""
    from opentelemetry.sdk.resources import Resource

    from otel_distro import otlp_logs
    from otel_distro.delivery.outbox import Batching, LogOutbox, Outbox
    from otel_distro.delivery.sender import Sender
    from otel_distro.internals.logs import start_log_export

    sender = Sender("logs", _Nowhere())
    box = Outbox("logs", sender, Batching(1, 512, 1 << 20), otlp_logs.size_of, made_of=otlp_logs.made)
    return start_log_export(Resource({}), lambda readable: [LogOutbox(box, readable)], {})


def work(variant: str, path: str) -> None:
    """Log as many lines as each line of standard input says, and answer with the CPU microseconds of one."""
    _set_up(variant, path)
    info = logging.getLogger("shop.orders").info
    for asked in sys.stdin:
        number = int(asked)
        begun = time.process_time()
        if variant.endswith(EXTRAS):
            for order in range(number):
                info("order %s placed for %s", order, "ann", extra={"order_id": order, "amount": 9.99, "by": "card"})
        else:
            for order in range(number):
                info("order %s placed for %s", order, "ann")
        print((time.process_time() - begun) / number * 1e6, flush=True)


class Variant:
    """One variant in its process."""

    def __init__(self, name: str, python: Path, folder: Path) -> None:
        self.name = name
        self.path = folder / f"{name.replace(' ', '-')}.log"
        self.times: list[float] = []
        self.logged = 0
        self._process = subprocess.Popen(
            [python, "-m", "tests.benchmarks.log_line_cost", "--work", name, "--file", self.path],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
        )  # fmt: skip

    def log(self, number: int) -> float:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{number}\n")
        self._process.stdin.flush()
        self.logged += number
        return float(self._process.stdout.readline())

    def close(self) -> bool:
        """End it, and say whether its file holds every line whole."""
        self._process.communicate()
        lines = self.path.read_text().splitlines()
        whole = all(map(json.loads, lines)) if not self.name.startswith("plain") else all("order" in x for x in lines)
        return len(lines) == self.logged and whole


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--lines", type=int, default=500, help="lines of each variant in a round")
    parser.add_argument("--without-peers", action="store_true", help="only what this environment has")
    parser.add_argument("--work", help=argparse.SUPPRESS)
    parser.add_argument("--file", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.work:
        work(options.work, options.file)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        variants, missing = _variants(Path(folder), not options.without_peers)
        for number in range(options.rounds + 1):
            for variant in variants[number % len(variants) :] + variants[: number % len(variants)]:
                spent = variant.log(options.lines)
                if number:  # the first round warms up
                    variant.times.append(spent)
        wrong = [variant.name for variant in variants if not variant.close()]
    _print([variant for variant in variants if variant.name not in wrong])
    for name in wrong:
        missing[name] = "the file does not hold what was logged"
    for name, why in missing.items():
        print(f"| {name} | **{why}** | | | |")
    return 1 if missing else 0


def _variants(folder: Path, with_peers: bool) -> tuple[list[Variant], dict[str, str]]:
    """Return the variants, and why a peer is missing by its name."""
    from tests.benchmarks.peers import python_with

    made: list[Variant] = []
    missing: dict[str, str] = {}
    for name in (*FORMATTERS, *OURS):
        python = Path(sys.executable)
        if name in PEERS:
            if not with_peers:
                continue
            found = python_with(PEERS[name])
            if isinstance(found, str):
                missing[name] = found
                continue
            python = found
        made.append(Variant(name, python, folder))
    return made, missing


def _print(variants: list[Variant]) -> None:
    bases = {variant.name.endswith(EXTRAS): variant for variant in reversed(variants) if variant.name in PLAINS}
    print("| variant | least, µs | median, µs | least / plain | median of ratios (quartiles) |")
    print("| --- | --- | --- | --- | --- |")
    for variant in variants:
        plain = bases[variant.name.endswith(EXTRAS)]
        ratios = sorted(ours / theirs for ours, theirs in zip(variant.times, plain.times, strict=True))
        low, middle, high = statistics.quantiles(ratios, n=4) if len(ratios) > 1 else (ratios[0],) * 3
        least = min(variant.times)
        print(
            f"| {variant.name} | {least:.1f} | {statistics.median(variant.times):.1f} | {least / min(plain.times):.2f} "
            f"| {middle:.2f} ({low:.2f}-{high:.2f}) |"
        )


if __name__ == "__main__":
    sys.exit(main())

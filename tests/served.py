"""An application behind a real server under the prefix command, with nothing configured but port and service name."""

from __future__ import annotations

import os
import re
import signal
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from tests.drive import Page, Tally, scraped, send
from tests.ledger import Ledger
from tests.processes import AppProcess
from tests.support import free_port, wait_until

WSGI = "tests.data.apps.counted:app"
ASGI = "tests.data.apps.counted_asgi:app"
FASTAPI = "tests.data.apps.counted_fastapi:app"
DJANGO = "tests.data.apps.counted_django:app"
DJANGO_ASGI = "tests.data.apps.counted_django:asgi"
_LEFT_ALONE = ("Address already in use", "not served", "Traceback", "not shared", "left out", "SIGSEGV", "SIGABRT")
# Python collects log handlers when gevent's replacement of the lock has gone already; it says so and goes on.
_GEVENT_AT_ITS_END = re.compile(
    r"Exception ignored [^<]*<function _removeHandlerRef.*?'NoneType' object is not callable\n", re.DOTALL
)


class Served:
    """Ports, ledger and page of one run; `start` runs a server's command under `opentelemetry-instrument`."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/work"
        metrics_port = free_port()
        self.page = Page(f"http://127.0.0.1:{metrics_port}/metrics")
        self.ledger = Ledger(folder / "ledger")
        self.probed = 0
        """How many answers came to requests that are in no tally."""
        self.env = {
            "OTEL_SERVICE_NAME": "counted",
            "OTEL_EXPORTER_PROMETHEUS_PORT": str(metrics_port),
            "LEDGER": str(self.ledger.path),
        }

    def start(self, *command: str, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> AppProcess:
        """Start the command and return at once."""
        return AppProcess(["opentelemetry-instrument", *command], {**self.env, **(env or {})}, cwd=cwd)

    def started(self, *command: str, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> AppProcess:
        """Start the command and wait until the application answers; that answer is in no tally."""
        app = self.start(*command, env=env, cwd=cwd)
        try:
            app.wait_for_http(self.url)
            self.probed += 1
        except BaseException:
            app.close()
            raise
        return app

    def drive(self, number: int, threads: int = 4) -> Tally:
        """Send requests while the page is scraped; no counter may go down."""
        with scraped(self.page):
            return send(self.url, number, threads)

    def drive_and_kill(self, number: int) -> Tally:
        """Send requests and kill the process that answered last, amid them; return when another one answers."""
        known = len(self.ledger.by_process())
        before = len(self.ledger.entries())

        def kill_one() -> None:
            wait_until(lambda: len(self.ledger.entries()) >= before + number // 4, 60, what="a quarter of the requests")
            kill(int(self.ledger.entries()[-1].split()[0]))

        killer = threading.Thread(target=kill_one)
        killer.start()
        with scraped(self.page):
            tally = send(self.url, number)
            killer.join(60)
            self.processes(known + 1)
        return tally

    def processes(self, number: int, seconds: float = 60.0) -> set[int]:
        """Wait until so many processes have answered, and return their ids."""

        def enough() -> bool:
            # Several at once: an idle process takes everything that comes one after another.
            self.probed += send(self.url, 12, 6).answers[200]
            return len(self.ledger.by_process()) >= number

        wait_until(enough, seconds, what=f"{number} processes that answer")
        return set(self.ledger.by_process())

    def check_exact(self, app: AppProcess, *tallies: Tally, hook: bool = True) -> None:
        """Hold the page to the ledger and the client to both: for runs in which no process was killed."""
        assert sum(tally.broken for tally in tallies) == 0, app.report
        handled = len(self.ledger.entries())
        assert handled == self.probed + sum(tally.answers[200] for tally in tallies)
        self.page.wait_for("work_total", handled, kind="request")
        if hook:
            self.page.wait_for("http_requests_total", handled, status="200")
            self.page.wait_for("http_request_duration_seconds_count", handled)
        assert all(set(tally.answers) == {200} for tally in tallies)
        self.check_quiet(app)

    def check_within(self, app: AppProcess, *tallies: Tally, hook: bool = True) -> None:
        """The same where processes were killed: what a connection that broke leads to may be in the page or not.

        The application writes to the ledger first, so the page may lack what came to its end in between.
        """
        answered = self.probed + sum(tally.answers[200] for tally in tallies)
        broken = sum(tally.broken for tally in tallies)
        handled = len(self.ledger.entries())
        assert answered <= handled <= answered + broken
        names = ["work_total", "http_requests_total", "http_request_duration_seconds_count"][: 3 if hook else 1]
        totals = [self.page.total(name) for name in names]
        assert all(answered <= total <= handled for total in totals), (answered, totals, handled, broken)
        assert all(set(tally.answers) == {200} for tally in tallies)
        self.check_quiet(app)

    def check_quiet(self, app: AppProcess) -> None:
        """No warning of ours, and nothing that went wrong by us."""
        found = [
            line
            for line in _GEVENT_AT_ITS_END.sub("", app.output).splitlines()
            if any(text in line for text in _LEFT_ALONE)
        ]
        assert not found, app.report


def kill(pid: int) -> None:
    """Kill a process at once, as far as it still is there."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def is_running(pid: int) -> bool:
    """Say whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False

"""A run of requests against gunicorn during which processes are killed, and the books that must agree after it."""

from __future__ import annotations

import http.client
import re
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.processes import ROOT, AppProcess
from tests.served import kill
from tests.services.prometheus import Prometheus
from tests.support import free_port, request, wait_until

COUNTED: Final = 'http_requests_total{endpoint="/work",method="GET",status="200"} '
THREADS: Final = 4
READY: Final = str(ROOT / "tests" / "data" / "gunicorn_ready.py")


@dataclass
class Client:
    """Sends a share of the requests; keeps books of what was answered and of what broke."""

    port: int
    wanted: int
    answered: int = 0
    broken: int = 0
    allowed: int = 0
    """How many may be answered before the next kill of the server: no run is over before it, however late it comes."""
    workers: set[str] = field(default_factory=set)

    def run(self, deadline: float) -> None:
        """Send until the wanted number is answered; a connection that is refused was no request."""
        while self.answered < self.wanted and time.monotonic() < deadline:
            if self.answered >= self.allowed:
                time.sleep(0.02)
                continue
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
            try:
                connection.connect()
            except OSError:
                time.sleep(0.02)
                continue
            try:
                connection.request("GET", "/work")
                answer = connection.getresponse()
                body = answer.read()
                assert answer.status == 200
                self.workers.add(body.decode())
                self.answered += 1
            except (OSError, http.client.HTTPException):
                self.broken += 1
            finally:
                connection.close()


@dataclass
class KillRun:
    """How many requests, how often a worker is killed (seconds), how often the serving process."""

    requests: int
    kills_every: float
    server_kills: int
    kills: int = 0
    worker_kills: int = 0
    """Of those the workers of the server of this moment."""
    pages: list[int] = field(default_factory=list)
    master: AppProcess | None = None

    def check(self, folder: Path, prometheus: Path) -> None:
        """Make the run and compare the books."""
        self.port, self.metrics_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.metrics_port}/metrics"
        self.folder = folder
        config = (
            "global: {scrape_interval: 500ms}\nscrape_configs:\n"
            f"- {{job_name: app, static_configs: [{{targets: ['127.0.0.1:{self.metrics_port}']}}]}}\n"
        )
        try:
            self._start()
            with Prometheus(prometheus, config, folder / "prometheus") as server:
                server.wait_for_scrape("app")
                clients = self._drive()
                self._compare(clients)
                self._compare_prometheus(server)
        finally:
            if self.master is not None:
                self.master.close()

    def _start(self) -> None:
        """Start gunicorn; the serving process is its master, as the first of its group."""
        env = {
            "LEDGER": str(self.folder / "ledger"),
            "OTEL_SERVICE_NAME": "kills",
            "OTEL_EXPORTER_PROMETHEUS_PORT": str(self.metrics_port),
            # A folder of its own goes on counting when the whole service is started again.
            "OTEL_DISTRO_PROMETHEUS_DIR": str(self.folder / "metrics"),
            "PYTHONPATH": str(ROOT / "tests" / "data" / "apps"),
        }
        words = ["opentelemetry-instrument", "gunicorn", "-w", "4", "-c", READY, "-b", f"127.0.0.1:{self.port}"]
        master = AppProcess([*words, "--reuse-port", "--graceful-timeout", "1", "ledgered:application"], env)
        self.master = master
        self.worker_kills = 0
        # All of them: else the first one may answer everything before another one is there.
        wait_until(lambda: master.output.count("Ready: ") >= 4, 60, what="four workers")

    def _drive(self) -> list[Client]:
        clients = [Client(self.port, self.requests // THREADS) for _ in range(THREADS)]
        server_kills_at = [self.requests * (n + 1) // (self.server_kills + 1) for n in range(self.server_kills)]
        _allow(clients, server_kills_at)
        deadline = time.monotonic() + 240
        threads = [threading.Thread(target=client.run, args=(deadline,)) for client in clients]
        for thread in threads:
            thread.start()
        next_kill = time.monotonic() + self.kills_every
        while any(thread.is_alive() for thread in threads):
            self._scrape()
            if server_kills_at and sum(client.answered for client in clients) >= server_kills_at[0]:
                server_kills_at.pop(0)
                self._kill_server()
                _allow(clients, server_kills_at)
            elif time.monotonic() >= next_kill:
                next_kill = time.monotonic() + self.kills_every
                self._kill_worker()
            time.sleep(0.02)
        assert not server_kills_at, "the run was over before every kill"
        return clients

    def _scrape(self) -> None:
        try:
            page = request(self.url, seconds=5).text
        except (OSError, http.client.HTTPException):
            return  # the serving process has just been killed
        self.pages.append(counted(page))

    def _kill_worker(self) -> None:
        assert self.master is not None
        # Where they take long to be ready, all of them would be killed before.
        if self.master.output.count("Ready: ") < self.worker_kills + 2:
            return
        children = Path(f"/proc/{self.master.pid}/task/{self.master.pid}/children").read_text().split()
        if children:
            self.kills += 1
            self.worker_kills += 1
            kill(int(children[self.kills % len(children)]))

    def _kill_server(self) -> None:
        """Kill the master and so the page; its workers end with it, and the service starts again as by a supervisor."""
        assert self.master is not None
        children = Path(f"/proc/{self.master.pid}/task/{self.master.pid}/children").read_text().split()
        self.kills += 1 + len(children)
        self.master.kill()
        self.master.close()
        self._start()
        wait_until(lambda: _answers(self.url), 60, what="the page of the new process")

    def _compare(self, clients: list[Client]) -> None:
        answered = sum(client.answered for client in clients)
        broken = sum(client.broken for client in clients)
        entered = (self.folder / "ledger").stat().st_size
        page = request(self.url).text
        total = counted(page)
        assert answered == self.requests // THREADS * THREADS
        # Every answer that the client has was counted, and every answer that left the hook; a process that is killed
        # between its counting and its entry into the ledger has counted one more.
        assert answered <= entered <= total <= entered + self.kills, (answered, entered, total, self.kills)
        assert entered - answered <= broken
        assert self.pages == sorted(self.pages)
        assert len(self.pages) >= self.requests // 400
        assert len(set.union(*(client.workers for client in clients))) > 4
        jobs = re.search(r'^jobs_total\{kind="a"\} (\d+)', page, re.MULTILINE)
        assert jobs is not None
        assert total <= int(jobs.group(1)) <= total + self.kills
        print(f"answered {answered}, left the hook {entered}, on the page {total}, broken {broken}, kills {self.kills}")

    def _compare_prometheus(self, server: Prometheus) -> None:
        series = 'http_requests_total{endpoint="/work"}'
        total = counted(request(self.url).text)

        def stored() -> bool:
            # A scrape that fails, as on a machine that stands still, ends the series until the next one.
            return [sample.value for sample in server.query(f"sum({series})")] == [total]

        wait_until(stored, 60, what="the last scrape")
        assert server.value(f"sum(resets({series}[10m]))") == 0
        first = server.value(f"sum(min_over_time({series}[10m]))")
        scrapes = server.value(f"sum(count_over_time({series}[10m]))")
        # increase() extrapolates beyond the first scrape by half of the mean interval, beyond the last by at most 1.1.
        increase = server.value(f"sum(increase({series}[10m]))")
        assert abs(increase - (total - first)) <= (total - first) * 1.6 / (scrapes - 1)


def _allow(clients: list[Client], server_kills_at: list[int]) -> None:
    """Let the clients go on to halfway between the next kill of the server and what comes after it."""
    for client in clients:
        client.allowed = client.wanted
        if server_kills_at:
            until = server_kills_at[0] // THREADS
            then = server_kills_at[1] // THREADS if len(server_kills_at) > 1 else client.wanted
            client.allowed = (until + then) // 2


def counted(page: str) -> int:
    """Return how many requests the page counts."""
    return next((int(line.removeprefix(COUNTED)) for line in page.splitlines() if line.startswith(COUNTED)), 0)


def _answers(url: str) -> bool:
    try:
        return request(url, seconds=2).status == 200
    except (OSError, http.client.HTTPException):
        return False

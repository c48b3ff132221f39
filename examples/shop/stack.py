"""The servers of the demo with everything: Elasticsearch, a Prometheus and the Collector with `agent.yaml`.

They are those of `tests/services`, which finds or fetches each with progress, starts it on a free port of this machine,
and ends it with all its processes: what the tests hold to account is what the demo shows.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from decimal import Decimal
from http.client import HTTPException
from pathlib import Path
from types import TracebackType
from typing import Final

from typing_extensions import Self

from examples.shop.child import DemoError
from examples.shop.ledger import series
from examples.shop.page import CHECKED, Values
from examples.shop.sources import Source
from otel_distro import LogAnalyzer
from tests.agent import AGENT, SYNCHRONOUS
from tests.services import collector, elasticsearch, prometheus
from tests.services.collector import Collector
from tests.services.elasticsearch import Elasticsearch
from tests.services.errors import ServiceError
from tests.services.prometheus import Prometheus, Sample

_INDEX: Final = "python-app-*"
_JOB: Final = "shop"
_PROMETHEUS: Final = """\
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
  - job_name: {job}
    static_configs: [{{targets: ["localhost:{page}"]}}]
  - job_name: otel-collector
    static_configs: [{{targets: ["localhost:{collector}"]}}]
"""


class Stack:
    """The three servers; as a context manager they are gone after the block, whatever happened in it.

    `log` is the shop's log file, `page` the port of its metrics page; `folder` is made anew for what the servers keep.
    """

    def __init__(self, folder: Path, log: Path, page: int) -> None:
        """Empty the folder; nothing runs yet."""
        self._folder = folder.absolute()
        self._log = log.absolute()
        self._page = page
        self._ends = ExitStack()
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)

    def start(self, stop: threading.Event) -> None:
        """Find, fetch or build the servers, start them and install the index templates; give up when `stop` is set.

        Raises DemoError where one cannot be had or does not start.
        """
        try:
            home, otelcol = elasticsearch.find()["elasticsearch"], collector.find()["otelcol"]
            binary = prometheus.find()["prometheus"]
            self._elasticsearch = self._ends.enter_context(closing(Elasticsearch(home)))
            self._collector = self._ends.enter_context(closing(self._new_collector(otelcol)))
            self._ends.callback(self._keep_log)
            _say("Elasticsearch starts")
            self._start(self._elasticsearch, stop)
            if not stop.is_set():
                self._install_templates()
                _say("the Collector starts")
                self._start(self._collector, stop)
            if not stop.is_set():
                _say("Prometheus starts")
                config = _PROMETHEUS.format(job=_JOB, page=self._page, collector=self._collector.env["TELEMETRY_PORT"])
                self._prometheus = self._ends.enter_context(Prometheus(binary, config, self._folder / "prometheus"))
        except ServiceError as error:
            raise DemoError(str(error)) from None

    def wait_until_open(self, stop: threading.Event) -> None:
        """Wait until the shop's first line is in Elasticsearch and its page was scraped; raises DemoError in vain."""
        _say("the shop's first line is on its way, and the first scrape of its page")
        self._wait(lambda: self._elasticsearch.count(_INDEX) > 0, stop, "a line of the shop in Elasticsearch")
        # Before the first request the page has none of the checked series.
        self._wait(lambda: bool(self._query(f'up{{job="{_JOB}"}} == 1')), stop, "a scrape of the shop's page")

    @property
    def source(self) -> Source:
        """Prometheus and Elasticsearch."""
        return Source("Prometheus", "Elasticsearch", self.read_metrics, self._open_log)

    def read_metrics(self) -> Values:
        """Return the checked series as Prometheus answers for them; raises DemoError when it does not answer."""
        values: Values = {}
        for name, labels in CHECKED.items():
            for sample in self._query(f'sum by ({", ".join(labels)}) ({name}{{job="{_JOB}"}})'):
                key = series(name, **{label: sample.labels.get(label, "") for label in labels})
                values[key] = Decimal(repr(sample.value))
        return values

    def where_to_look(self) -> str:
        """Return lines for people; `{program}` stands for the command of otel-distro."""
        url = self._elasticsearch.url
        return f"""\
  the same questions of Elasticsearch, with --es instead of --logs:
           {{program}} logs errors --hours 1 --es {url}
  stored   curl '{url}/{_INDEX}/_search?q=level:ERROR&size=1&pretty'
  queries  {self._prometheus.url}/graph?g0.expr=sum%20by%20(status)%20(rate(http_requests_total[1m]))&g0.tab=0
  pipeline curl http://localhost:{self._collector.env["TELEMETRY_PORT"]}/metrics   (the Collector's own metrics)
"""

    def close(self) -> None:
        """End all that runs; the Collector's log stays in the folder."""
        self._ends.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _query(self, expression: str) -> list[Sample]:
        try:
            return self._prometheus.query(expression)
        except (OSError, HTTPException, AssertionError) as error:
            raise DemoError(f"Prometheus does not answer any more: {error}\n{self._prometheus.log[-2000:]}") from None

    def _open_log(self) -> LogAnalyzer:
        return LogAnalyzer(self._elasticsearch.url, index=_INDEX)

    def _new_collector(self, otelcol: Path) -> Collector:
        env = {"LOG_GLOB": str(self._log), "ELASTICSEARCH_URL": self._elasticsearch.url}
        return Collector(otelcol, [AGENT], self._folder, env, flags=[SYNCHRONOUS])

    def _keep_log(self) -> None:
        (self._folder / "collector.log").write_text(self._collector.log)

    def _install_templates(self) -> None:
        program = Path(sys.executable).with_name("otel-distro")
        command = [str(program), "elasticsearch", "setup", "--url", self._elasticsearch.url, "--replicas", "0"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise DemoError(f"{' '.join(command)}: {done.stderr.strip()}")
        print(done.stdout, end="", flush=True)

    def _start(self, server: Collector | Elasticsearch, stop: threading.Event) -> None:
        def ready_or_ended() -> bool:
            if not server.running:
                raise DemoError(f"{server.name} does not start:\n{server.log[-2000:]}")
            return server.ready()

        server.start(wait=False)
        self._wait(ready_or_ended, stop, f"{server.name} to be ready", server.start_seconds)

    @staticmethod
    def _wait(condition: Callable[[], bool], stop: threading.Event, what: str, seconds: float = 60.0) -> None:
        """Wait for the condition, or until `stop` is set; raises DemoError when the time is over."""
        deadline = time.monotonic() + seconds
        while not stop.is_set() and not condition():
            if time.monotonic() > deadline:
                raise DemoError(f"waited {seconds:.0f} s in vain for {what}")
            stop.wait(0.2)


def _say(what: str) -> None:
    print(f"== {what} ...", flush=True)

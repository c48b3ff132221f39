"""A real Prometheus starts here, scrapes a page over a real socket and answers with the page's values to the unit."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.services import prometheus
from tests.services.errors import ServiceError
from tests.services.prometheus import Prometheus, Sample
from tests.support import wait_until

CONFIG = """
global: {{scrape_interval: 200ms, scrape_timeout: 200ms}}
scrape_configs:
  - {{job_name: page, static_configs: [{{targets: ["127.0.0.1:{page}"]}}]}}
  - {{job_name: gone, static_configs: [{{targets: ["127.0.0.1:{gone}"]}}]}}
"""


class Page:
    """A metrics page whose text a test can change."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.port = 0
        self.asked = 0

    @contextmanager
    def served(self) -> Iterator[Page]:
        page = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                page.asked += 1
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.end_headers()
                self.wfile.write(page.text.encode())

            def log_message(self, format: str, *args: object) -> None:
                pass

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            self.port = server.server_port
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
            thread.start()
            try:
                yield self
            finally:
                server.shutdown()
                thread.join()


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with Page('# TYPE orders_total counter\norders_total{status="completed"} 9007199254740991\n').served() as page:
        yield page


@pytest.fixture(scope="module")
def server(page: Page, prometheus_binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    config = CONFIG.format(page=page.port, gone=1)  # a port that no program gets by chance
    with Prometheus(prometheus_binary, config, tmp_path_factory.mktemp("prometheus")) as server:
        yield server


def test_a_scraped_page_is_answered_to_the_unit(page: Page, server: Prometheus) -> None:
    at = server.wait_for_scrape("page")
    assert server.value('orders_total{status="completed"}', at=at) == 9007199254740991

    page.text = 'orders_total{status="completed"} 7\norders_total{status="failed"} 3\n'
    at = server.wait_for_scrape("page")
    assert server.query("sort(sum by (status) (orders_total))", at=at) == [
        Sample({"status": "failed"}, 3.0),
        Sample({"status": "completed"}, 7.0),
    ]
    assert server.value("scalar(sum(orders_total))", at=at) == 10


def test_waiting_for_several_scrapes_waits_for_as_many(page: Page, server: Prometheus) -> None:
    before = page.asked
    server.wait_for_scrape("page", 3)
    assert page.asked - before >= 3


def test_a_target_that_is_down_is_named_in_the_failure(server: Prometheus) -> None:
    wait_until(lambda: server.query('up{job="gone"}'), what="the first try")
    with pytest.raises(AssertionError, match=r"job 'gone'.*(down.*connection refused)"):
        server.wait_for_scrape("gone", timeout=1)


def test_a_wrong_expression_fails_with_prometheus_own_words(server: Prometheus) -> None:
    with pytest.raises(AssertionError, match="parse error"):
        server.query("sum(")


def test_a_wrong_configuration_fails_at_once_with_the_log(prometheus_binary: Path, tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match=r"(?s)ended with status.*scrape_configurations"):
        Prometheus(prometheus_binary, "scrape_configurations: []", tmp_path)


def test_promtool_judges_a_configuration(prometheus_binary: Path, tmp_path: Path) -> None:
    (tmp_path / "good.yml").write_text(CONFIG.format(page=1, gone=2))
    (tmp_path / "bad.yml").write_text("rule_files: 7")
    assert "SUCCESS" in prometheus.promtool("check", "config", tmp_path / "good.yml")
    with pytest.raises(AssertionError, match="cannot unmarshal"):
        prometheus.promtool("check", "config", tmp_path / "bad.yml")


@pytest.mark.parametrize("program", ["nothing", "prometheus"])
def test_a_named_program_that_cannot_run_is_an_error_that_names_it(
    program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "prometheus").touch(mode=0o755)
    monkeypatch.setenv(prometheus.VARIABLE, str(tmp_path / program))
    missing = "nothing" if program == "nothing" else "promtool"
    with pytest.raises(ServiceError, match=f"{prometheus.VARIABLE}=.*{missing} is not a program"):
        prometheus.find()

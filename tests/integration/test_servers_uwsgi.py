"""uWSGI with several processes: the totals are what the client got, to the unit, however the application is loaded."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.drive import send
from tests.processes import ROOT, AppProcess
from tests.served import WSGI, Served
from tests.support import free_port, request, wait_for_http, wait_until

# uWSGI embeds Python, so `opentelemetry-instrument` reaches it by PYTHONPATH alone. With --enable-threads it sets up
# Python's lock: without it no thread but a request's own ever runs, neither the page's nor an exporter's.
# --die-on-term: uWSGI takes SIGTERM as a reload otherwise.
LOADED = {"before the fork": [], "each process by itself": ["--lazy-apps"]}


@pytest.fixture
def served(tmp_path: Path) -> Served:
    return Served(tmp_path)


def uwsgi(served: Served, *options: str, app: str = WSGI, env: Mapping[str, str] | None = None) -> AppProcess:
    module, _, name = app.partition(":")
    return served.started(
        *("uwsgi", "--http-socket", f"127.0.0.1:{served.port}", "--module", module, "--callable", name),
        *("--master", "--processes", "3", "--enable-threads", "--die-on-term", "--need-app", "--disable-logging"),
        *("--pythonpath", str(ROOT), *options),
        env=env,
    )


def threads(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/task"))


def without_signals(pid: int) -> bool:
    """Say whether a process has threads beside the main one, and all of them block what ends a worker."""
    others = [task for task in Path(f"/proc/{pid}/task").iterdir() if task.name != str(pid)]
    masks = [int((task / "status").read_text().partition("SigBlk:")[2].split()[0], 16) for task in others]
    wanted = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
    # The watcher, what sends spans and logs; one serves the page besides.
    return len(masks) > 2 and all(mask >> (number - 1) & 1 for mask in masks for number in wanted)


@pytest.fixture(params=LOADED, ids=list(LOADED))
def loaded(request: pytest.FixtureRequest) -> list[str]:
    return LOADED[request.param]


def test_all_processes_are_counted_together(served: Served, loaded: list[str]) -> None:
    with uwsgi(served, *loaded) as app:
        served.processes(3)
        served.check_exact(app, served.drive(800))


def test_the_master_runs_no_thread_that_a_fork_could_stop_halfway(served: Served, loaded: list[str]) -> None:
    with uwsgi(served, *loaded) as app:
        workers = served.processes(3)
        assert threads(app.pid) == 1
        # The page's watcher, beside the thread for requests.
        assert all(threads(worker) > 1 for worker in workers)


def test_the_signals_that_end_a_worker_come_to_the_thread_that_can_end_it(served: Served, loaded: list[str]) -> None:
    """As systemd sends one to each process, a worker gets two, the master's besides; another thread takes one."""
    with uwsgi(served, *loaded, env={"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}):
        workers = served.processes(3)
        for worker in workers:
            wait_until(lambda: without_signals(worker), what="threads that take no signals")  # noqa: B023 -- called at once


@pytest.mark.parametrize("asked", ["a page inside of it", "a page on a port of its own"])
def test_what_an_application_asks_for_when_it_is_loaded_is_done_in_each_process(
    served: Served, loaded: list[str], asked: str
) -> None:
    """Done before the fork, the processes would share one file, and each would write over what another has counted."""
    app, port = "tests.data.apps.counted_pages:app", free_port()
    env = {"PAGE_PORT": str(port)} if asked.endswith("own") else {}
    with uwsgi(served, *loaded, app=app, env=env) as run:
        workers = served.processes(3)
        for worker in workers:
            maps = Path(f"/proc/{worker}/maps").read_text().splitlines()
            (mapped,) = {line.split("/")[-1] for line in maps if ".cells" in line}
            assert mapped.startswith(f"{worker}-")
        served.check_exact(run, served.drive(400))
        page = f"http://127.0.0.1:{port}/metrics" if env else served.url.replace("/work", "/metrics")
        assert f'work_total{{kind="request"}} {len(served.ledger.entries())}' in wait_for_http(page).text
        assert "did not start" not in run.output, run.report


def test_one_process_without_a_master_is_counted(served: Served) -> None:
    module, _, name = WSGI.partition(":")
    with served.started(
        *("uwsgi", "--http-socket", f"127.0.0.1:{served.port}", "--module", module, "--callable", name),
        *("--enable-threads", "--die-on-term", "--pythonpath", str(ROOT)),
    ) as app:
        served.check_exact(app, served.drive(300))


def test_threads_within_processes_are_counted(served: Served, loaded: list[str]) -> None:
    with uwsgi(served, "--threads", "3", *loaded) as app:
        served.processes(3)
        served.check_exact(app, served.drive(800))


def test_processes_that_end_after_so_many_requests_keep_their_counts(served: Served, loaded: list[str]) -> None:
    # Workers that end at the same time: the counts must not go with the last of them.
    with uwsgi(served, "--max-requests", "90", "--min-worker-lifetime", "0", *loaded) as app:
        first = served.drive(200)
        served.processes(4)
        second = served.drive(150)
        served.check_within(app, first, second)


def test_processes_that_are_killed_keep_their_counts(served: Served, loaded: list[str]) -> None:
    with uwsgi(served, *loaded) as app:
        served.processes(3)
        tallies = [served.drive_and_kill(250) for _ in range(2)]
        served.check_within(app, *tallies)


_LOGGING = """
import logging
import os

import otel_distro

logging.basicConfig(format="process %(process)d")
otel_distro.setup_logging(log_file="x.log")
log = logging.getLogger("app")
log.warning("loaded")


def application(environ, start_response):
    log.warning("answers", extra={"pid": os.getpid()})
    start_response("200 OK", [])
    return [otel_distro.context.new_request_id().encode()]


otel_distro.context.new_request_id()
"""


def test_what_workers_log_after_a_set_up_before_the_fork_has_ids_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(_LOGGING, encoding="utf-8")
    port = free_port()
    url = f"http://127.0.0.1:{port}/"
    command = ("uwsgi", "--http-socket", f"127.0.0.1:{port}", "--module", "app", "--master", "--processes", "3")
    with AppProcess([*command, "--die-on-term", "--disable-logging"], {}, cwd=tmp_path) as app:
        app.wait_for_http(url)

        def documents() -> list[dict[str, Any]]:
            return [json.loads(line) for line in (tmp_path / "x.log").read_bytes().splitlines()]

        def all_have_answered() -> bool:
            send(url, 12, 6)
            return len({document.get("pid") for document in documents()} - {None}) == 3

        wait_until(all_have_answered, what="an answer of each worker")
        # Each of its workers had drawn the same ones: Elasticsearch would have kept one of three.
        ids = [document["log_id"] for document in documents()]
        assert len(set(ids)) == len(ids)
        requests = [request(url).text for _ in range(30)]
        assert len(set(requests)) == len(requests)
        told = {int(line.split()[1]) for line in app.output.splitlines() if line.startswith("process ")}
        assert told >= {document["pid"] for document in documents() if "pid" in document}

"""gunicorn with each kind of worker: the totals are what the client got, to the unit, whatever workers come and go.

Nothing is configured but the port and the service's name.
"""

from __future__ import annotations

import signal
import threading
import time
from pathlib import Path

import pytest

from tests.processes import AppProcess
from tests.served import ASGI, FASTAPI, WSGI, Served

UVICORN = "uvicorn_worker.UvicornWorker"
WORKERS = ["sync", "gthread", "gevent", UVICORN]


@pytest.fixture
def served(tmp_path: Path) -> Served:
    return Served(tmp_path)


def gunicorn(served: Served, kind: str, *options: str, workers: int = 3) -> AppProcess:
    words = ["gunicorn", "-w", str(workers), "-k", kind, "-b", f"127.0.0.1:{served.port}", *options]
    if kind == "gthread":
        words += ["--threads", "3"]
    app = served.started(*words, FASTAPI if kind == UVICORN else WSGI)
    served.processes(workers)
    return app


@pytest.mark.parametrize("preload", [[], ["--preload"]], ids=["each worker loads", "preload"])
@pytest.mark.parametrize("kind", WORKERS)
def test_the_page_has_every_request(served: Served, kind: str, preload: list[str]) -> None:
    with gunicorn(served, kind, *preload) as app:
        tally = served.drive(600)
        assert tally.answers == {200: 600}
        served.check_exact(app, tally)


def test_an_application_without_a_framework_is_counted_by_its_own_metrics(served: Served) -> None:
    with served.started("gunicorn", "-w", "2", "-k", UVICORN, "-b", f"127.0.0.1:{served.port}", ASGI) as app:
        served.processes(2)
        served.check_exact(app, served.drive(200), hook=False)


@pytest.mark.parametrize("kind", WORKERS)
def test_workers_that_end_after_so_many_requests_keep_their_counts(served: Served, kind: str) -> None:
    with gunicorn(served, kind, "--max-requests", "60", "--max-requests-jitter", "20", workers=2) as app:
        first = served.drive(300)
        served.processes(4)  # gevent's looks once a second whether it is to end
        second = served.drive(200)
        # A server may close a connection that a worker took as it ended.
        served.check_within(app, first, second)


@pytest.mark.parametrize("preload", [[], ["--preload"]], ids=["each worker loads", "preload"])
def test_a_reload_keeps_the_counts(served: Served, preload: list[str]) -> None:
    with gunicorn(served, "sync", *preload, workers=2) as app:
        before = set(served.ledger.by_process())
        reload = threading.Timer(0.3, app.signal, [signal.SIGHUP])
        reload.start()
        tally = served.drive(800)
        reload.join(10)
        served.processes(len(before) + 2)
        assert set(served.ledger.by_process()) > before
        served.check_exact(app, tally)


def test_more_and_fewer_workers_keep_the_counts(served: Served) -> None:
    with gunicorn(served, "gthread", workers=2) as app:
        for number in (3, 4):
            app.signal(signal.SIGTTIN)
            served.processes(number)
        first = served.drive(300)
        for _ in range(3):
            app.signal(signal.SIGTTOU)
            time.sleep(0.2)  # signals of one kind that are pending together are delivered once
        second = served.drive(300)
        served.check_exact(app, first, second)


@pytest.mark.parametrize("preload", [[], ["--preload"]], ids=["each worker loads", "preload"])
@pytest.mark.parametrize("kind", WORKERS)
def test_workers_that_are_killed_keep_their_counts(served: Served, kind: str, preload: list[str]) -> None:
    with gunicorn(served, kind, *preload, workers=2) as app:
        tallies = [served.drive_and_kill(200) for _ in range(3)]
        served.check_within(app, *tallies)

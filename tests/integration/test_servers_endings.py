"""Spans and logs at a fork and at the end of a process: each one arrives, and once.

The batches are long, so that whatever arrives was sent because its process ended.
"""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from tests.drive import send
from tests.otlp import Kept, Receiver, attributes
from tests.processes import ROOT, AppProcess
from tests.served import ASGI, WSGI, Served
from tests.support import wait_until

# The time for an end is long as well: whether all of it arrives is not to hang on how long the machine stands still.
EXIT = {"OTEL_DISTRO_EXIT_TIMEOUT": "60"}
LONG = {"OTEL_BSP_SCHEDULE_DELAY": "600000", "OTEL_BLRP_SCHEDULE_DELAY": "600000"}
READY = str(ROOT / "tests" / "data" / "gunicorn_ready.py")
FAMILY = str(ROOT / "tests" / "data" / "apps" / "counted_family.py")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def served(tmp_path: Path, receiver: Receiver) -> Served:
    served = Served(tmp_path)
    served.env.update(LONG | EXIT, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.endpoint)
    return served


def spans(receiver: Kept) -> list[tuple[str, str, str]]:
    """Return instance, name and span id of every span that arrived."""
    return [
        (attributes(resource.resource)["service.instance.id"], span.name, span.span_id.hex())
        for resource in list(receiver.spans)
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def logs(receiver: Kept) -> list[tuple[str, str, str]]:
    """Return instance, message and log id of every log record that arrived."""
    return [
        (attributes(resource.resource)["service.instance.id"], record.body.string_value, attributes(record)["log_id"])
        for resource in list(receiver.logs)
        for scope in resource.scope_logs
        for record in scope.log_records
    ]


def end(app: AppProcess) -> None:
    app.signal(signal.SIGTERM)
    app.wait(90)


def gunicorn(served: Served, *words: str) -> AppProcess:
    """Start gunicorn with two workers and wait until it answers."""
    return served.started("gunicorn", "-w", "2", "-c", READY, "-b", f"127.0.0.1:{served.port}", *words)


def end_gunicorn(app: AppProcess) -> None:
    """End it when both workers are ready.

    A worker that was forked just now still has the handlers of gunicorn's master: a signal that comes then is lost, and
    gunicorn waits 30 s for that worker (it does so without any instrumentation too).
    """

    def both_ready() -> bool:
        count = app.output.count
        ready, left = count("Ready: "), count("Worker exiting")
        return ready == count("Booting worker") == left + 2 and left == count("Autorestarting worker")

    wait_until(both_ready, 60, what="two workers that are ready")
    end(app)


def check_spans(receiver: Receiver, served: Served) -> None:
    """As many spans as entries in the ledger, each by its own id, from as many instances as processes."""
    arrived = spans(receiver)
    assert len(arrived) == len(served.ledger.entries())
    assert len({span_id for _, _, span_id in arrived}) == len(arrived)
    assert len({instance for instance, _, _ in arrived}) == len(served.ledger.by_process())


@pytest.mark.parametrize("preload", [[], ["--preload"]], ids=["each worker loads", "preload"])
@pytest.mark.parametrize("kind", ["sync", "gthread", "gevent"])
def test_gunicorn_sends_every_span_and_log_record_once(
    served: Served, receiver: Receiver, kind: str, preload: list[str]
) -> None:
    served.url = served.url.replace("/work", "/logged/it")
    with gunicorn(served, "-k", kind, *preload, WSGI) as app:
        served.processes(2)
        assert send(served.url, 300).answers == {200: 300}
        end_gunicorn(app)
    check_spans(receiver, served)
    records = [record for record in logs(receiver) if record[1] == "handled it"]
    assert len(records) == len(served.ledger.entries())
    assert max(Counter(log_id for _, _, log_id in logs(receiver)).values()) == 1


def test_workers_that_gunicorn_recycles_send_their_last_spans(served: Served, receiver: Receiver) -> None:
    with gunicorn(served, "--max-requests", "40", WSGI) as app:
        send(served.url, 200)
        end_gunicorn(app)
    check_spans(receiver, served)


@pytest.mark.parametrize("options", [[], ["--workers", "2"]], ids=["one process", "two workers"])
def test_uvicorn_sends_every_span(served: Served, receiver: Receiver, options: list[str]) -> None:
    with served.started("uvicorn", "--port", str(served.port), *options, ASGI) as app:
        send(served.url, 200)
        end(app)
    check_spans(receiver, served)


def test_uvicorn_workers_of_gunicorn_send_every_span(served: Served, receiver: Receiver) -> None:
    with gunicorn(served, "-k", "uvicorn_worker.UvicornWorker", ASGI) as app:
        send(served.url, 200)
        end_gunicorn(app)
    check_spans(receiver, served)


@pytest.mark.parametrize("options", [[], ["--lazy-apps"]], ids=["loaded before the fork", "each process by itself"])
def test_uwsgi_sends_every_span(served: Served, receiver: Receiver, options: list[str]) -> None:
    module, _, name = WSGI.partition(":")
    words = [
        *("uwsgi", "--http-socket", f"127.0.0.1:{served.port}", "--module", module, "--callable", name, "--master"),
        *("--processes", "2", "--enable-threads", "--pythonpath", str(ROOT), *options),
        # With --die-on-term a worker that is busy ends without atexit: uWSGI's own rule.
        *("--hook-master-start", "unix_signal:15 gracefully_kill_them_all"),
    ]
    with served.started(*words) as app:
        served.processes(2)
        send(served.url, 200)
        end(app)
    check_spans(receiver, served)


def test_flasks_own_server_sends_every_span_when_it_is_terminated(served: Served, receiver: Receiver) -> None:
    with served.started("flask", "--app", WSGI, "run", "--port", str(served.port)) as app:
        send(served.url, 100)
        app.signal(signal.SIGTERM)
        assert app.wait(90) == -signal.SIGTERM
    check_spans(receiver, served)


@pytest.mark.parametrize("way", ["fork", "spawn", "forkserver", "pool", "subprocess"])
def test_children_of_a_program_send_every_span(served: Served, receiver: Receiver, way: str) -> None:
    with served.start("python", FAMILY, way, "3", "50", env={"PYTHONPATH": str(ROOT)}) as app:
        app.wait_for_output("done\n")
        end(app)
    check_spans(receiver, served)


def test_children_do_not_talk_over_their_parents_connections(
    served: Served, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Connections that stay open, and a parent that sends by them all the time that it forks.
    monkeypatch.setattr(BaseHTTPRequestHandler, "protocol_version", "HTTP/1.1")
    quick = {"OTEL_BSP_SCHEDULE_DELAY": "5", "PYTHONPATH": str(ROOT)}
    with served.start("python", FAMILY, "busy fork", "12", "60", env=quick) as app:
        app.wait_for_output("done\n")
        end(app)
        served.check_quiet(app)
    check_spans(receiver, served)


def test_celerys_processes_send_every_span(served: Served, receiver: Receiver, tmp_path: Path) -> None:
    from tests.integration.test_servers_celery import send as put
    from tests.integration.test_servers_celery import worker

    served.env["QUEUE"] = str(tmp_path / "queue")
    with served.start(*worker(served, "--max-tasks-per-child", "10")) as app:
        put(served, 30)
        wait_until(lambda: len(served.ledger.entries()) == 30, 60, what="all tasks")
        end(app)
    check_spans(receiver, served)


def test_a_users_own_instance_id_is_kept_in_every_process(served: Served, receiver: Receiver) -> None:
    served.env["OTEL_RESOURCE_ATTRIBUTES"] = "service.instance.id=mine"
    with gunicorn(served, WSGI) as app:
        served.processes(2)
        end_gunicorn(app)
    assert {instance for instance, _, _ in spans(receiver)} == {"mine"}

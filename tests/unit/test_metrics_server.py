"""Who serves the page of this process."""

from __future__ import annotations

import errno
import os
import re
import socket
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from otel_distro.errors import InputError
from otel_distro.metrics.by_hand import start_metrics_server
from otel_distro.metrics.server import PageService, page_service, serve_page, warn_not_served
from otel_distro.settings import Settings
from tests.processes import AppProcess
from tests.shared_metrics import in_child
from tests.support import free_port, request


@pytest.fixture(autouse=True)
def _stopped() -> Iterator[None]:
    yield
    page_service.close()


def test_a_seat_that_cannot_be_written_is_named(caplog: pytest.LogCaptureFixture) -> None:
    warn_not_served("localhost", 9464, PermissionError(errno.EACCES, "Permission denied", "/run/shop/port-9464.seat"))
    assert "Permission denied; let this process write to /run/shop/port-9464.seat" in caplog.text


def test_an_address_of_one_link_without_its_zone_is_named_not_the_port(caplog: pytest.LogCaptureFixture) -> None:
    warn_not_served("fe80::1", 9464, OSError(errno.EINVAL, "Invalid argument"))
    assert "name an address of this machine" in caplog.text


def test_files_that_cannot_guard_the_page_are_what_is_told(caplog: pytest.LogCaptureFixture) -> None:
    warn_not_served("localhost", 9464, InputError("A=b holds nothing; mend"))
    assert "localhost:9464: A=b holds nothing; mend; the application runs on" in caplog.text


def test_who_takes_over_and_cannot_have_the_port_warns_once(caplog: pytest.LogCaptureFixture) -> None:
    service, settings = PageService(), Settings.from_environ({})
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        port = stranger.getsockname()[1]
        assert service.serve(settings, "localhost", port) is None
        start_metrics_server(0)
        service._reader = page_service._reader
        for _ in range(2):
            service.tick()
    service.close()
    assert caplog.text.count(f"metrics are not served on localhost:{port}") == 1


def test_a_child_that_was_forked_while_a_thread_tended_the_page_tends_it_as_well() -> None:
    start_metrics_server(0)
    held, over = threading.Event(), threading.Event()

    def tend() -> None:
        with page_service._lock:
            held.set()
            over.wait(60)

    thread = threading.Thread(target=tend)
    thread.start()
    held.wait(60)
    try:
        in_child(page_service.tick, timeout=30)
    finally:
        over.set()
        thread.join()


def test_a_child_that_shares_no_values_does_not_ask_for_the_page(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    program = textwrap.dedent(
        """
        import os
        from otel_distro import start_metrics_server
        from otel_distro.metrics.server import page_service
        start_metrics_server(int(os.environ["PORT"]))
        if not os.fork():
            page_service.tick()
            os._exit(0)
        os.wait()
        """
    )
    variables = {"PORT": str(free_port()), "OTEL_DISTRO_PROMETHEUS_DIR": str(tmp_path / "file")}
    with AppProcess([sys.executable, "-c", program], variables) as app:
        assert app.wait() == 0
        assert "metrics are not shared" in app.output
        assert "metrics are not served" not in app.output


def test_a_server_that_was_closed_stays_so_until_it_is_asked_for_again(capsys: pytest.CaptureFixture[str]) -> None:
    server = start_metrics_server(free_port())
    assert server is not None
    server.close()
    page_service.tick()
    with pytest.raises(OSError, match="refused"):
        request(server.url)
    again = start_metrics_server(server.port)
    assert again is not None
    assert request(again.url).status == 200
    assert "already" not in capsys.readouterr().out


def test_another_process_takes_the_port_of_a_server_that_was_closed(tmp_path: object) -> None:
    program = textwrap.dedent(
        """
        import os
        import time
        import otel_distro
        server = otel_distro.start_metrics_server(int(os.environ["PORT"]))
        if os.fork():
            server.close()
            print("closed", flush=True)
        time.sleep(300)
        """
    )
    port = free_port()
    with AppProcess([sys.executable, "-c", program], {"PORT": str(port)}) as app:
        app.wait_for_output("closed")
        app.wait_for_http(f"http://127.0.0.1:{port}/metrics")


def test_without_a_reader_there_is_nothing_to_serve() -> None:
    service = PageService()
    assert service.serve(Settings.from_environ({}), "localhost", 0) is None
    service.close()


def test_the_default_host_is_this_machine_alone() -> None:
    server = serve_page(Settings.from_environ({"OTEL_EXPORTER_PROMETHEUS_PORT": "0"}))
    assert server is not None
    assert server._server.server_address[0] == "127.0.0.1"


def test_a_forked_child_does_not_hold_the_port_open() -> None:
    server = start_metrics_server(free_port())
    assert server is not None
    reader, writer = os.pipe()
    forked, say_forked = os.pipe()
    child = os.fork()
    if child == 0:
        page_service.close()  # else it would take over
        os.write(say_forked, b"x")
        os.read(reader, 1)
        os._exit(0)
    try:
        os.read(forked, 1)  # until then it has the sockets that it was forked with
        page_service.close()
        with pytest.raises(OSError, match="refused"):
            request(server.url)
    finally:
        os.write(writer, b"x")
        os.waitpid(child, 0)
        for descriptor in (reader, writer, forked, say_forked):
            os.close(descriptor)


def test_a_child_of_root_that_becomes_another_user_is_on_the_page_as_gunicorns_workers_are() -> None:
    """Where root does not run the tests, the child stays who it is."""
    program = textwrap.dedent(
        """
        import os, time, urllib.request
        import gunicorn.arbiter
        from opentelemetry.metrics import get_meter
        from otel_distro import start_metrics_server
        from otel_distro.metrics.server import page_service
        server = start_metrics_server(int(os.environ["PORT"]))
        jobs = get_meter("a").create_counter("jobs")
        jobs.add(1)
        if not os.fork():
            os.setuid(os.getuid() or 65534)
            jobs.add(41)
            page_service.tick()
            time.sleep(1.5)  # its own clock ticks as well
            os._exit(0)
        os.wait()
        print(urllib.request.urlopen(server.url).read().decode())
        """
    )
    with AppProcess([sys.executable, "-c", program], {"PORT": str(free_port())}) as app:
        assert app.wait() == 0
        assert "jobs_total 42" in app.stdout, app.report
        assert app.output.count("metrics") == app.stdout.count("metrics"), app.report


def test_a_limit_of_series_holds_for_children_of_root_that_become_another_user() -> None:
    """Where root does not run the tests, the children stay who they are."""
    program = textwrap.dedent(
        """
        import os, urllib.request
        import gunicorn.arbiter
        from opentelemetry.metrics import get_meter
        from otel_distro import start_metrics_server
        server = start_metrics_server(0)
        jobs = get_meter("a").create_counter("jobs")
        for child in range(3):
            if not os.fork():
                os.setuid(os.getuid() or 65534)
                jobs.add(1, {"of": f"{child}-a"})
                jobs.add(1, {"of": f"{child}-b"})
                os._exit(0)
            os.wait()
            page = urllib.request.urlopen(server.url).read().decode()
        print(page)
        """
    )
    with AppProcess([sys.executable, "-c", program], {"OTEL_DISTRO_SERIES_LIMIT": "2"}) as app:
        assert app.wait() == 0, app.report
        assert 'jobs_total{otel_metric_overflow="true"} 4' in app.stdout, app.report


def test_what_an_ended_process_has_used_and_lost_is_counted_to_its_end_and_no_foreign_callback_is_asked_there() -> None:
    program = textwrap.dedent(
        """
        import os, sys, time, urllib.request
        from opentelemetry.metrics import get_meter
        from otel_distro import start_metrics_server
        from otel_distro.metrics.server import page_service
        server = start_metrics_server(0)
        meter = get_meter("a")
        jobs = meter.create_counter("jobs")
        if not os.fork():
            page_service._ticker.end(30)
            meter.create_observable_counter("foreign", [lambda _: print("asked", flush=True) or []])
            for number in range(9):
                jobs.add(1, {"of": str(number)})
            while time.process_time() < 0.2:
                pass
            sys.exit()
        os.wait()
        print("parent:", time.process_time())
        print(urllib.request.urlopen(server.url).read().decode())
        """
    )
    with AppProcess([sys.executable, "-c", program], {"OTEL_DISTRO_SERIES_LIMIT": "1"}) as app:
        assert app.wait() == 0
        assert 'jobs_total{otel_metric_overflow="true"} 8\n' in app.stdout
        assert 'otel_distro_series_overflows_total{instrument="jobs"} 8\n' in app.stdout, app.report
        parent, both = re.findall(r"^(?:parent:|process_cpu_seconds_total) (\S+)$", app.stdout, re.MULTILINE)
        assert float(both) > float(parent) + 0.1
        assert "asked" not in app.stdout


@pytest.mark.parametrize(("server", "value", "files"), [("gunicorn.arbiter", "3", 2), ("os", "0", 1)])
def test_a_child_of_root_has_its_file_from_the_fork_under_gunicorn_alone(server: str, value: str, files: int) -> None:
    """Whoever runs the tests: to the program it is root."""
    program = textwrap.dedent(
        f"""
        import glob, os, urllib.request
        import {server}
        os.geteuid = lambda: 0
        import otel_distro
        from otel_distro.metrics.server import page_service
        metrics, jobs, folder = otel_distro.start_metrics_server(0), otel_distro.counter("jobs"), page_service.folder
        jobs.inc(0)
        if not os.fork():
            print("files:", len(glob.glob(folder + "/*.cells")), flush=True)
            if {files} == 2:
                os.rename(folder, folder + "-away")  # as for one who may not make a file there any more
                jobs.inc(3)
                os.rename(folder + "-away", folder)
            os._exit(0)
        os.wait()
        print(urllib.request.urlopen(metrics.url, timeout=30).read().decode())
        """
    )
    with AppProcess([sys.executable, "-c", program]) as app:
        assert app.wait() == 0, app.report
        assert f"files: {files}\n" in app.stdout, app.report
        assert f"\njobs_total {value}\n" in app.stdout, app.report


def test_the_files_of_ended_processes_are_folded_where_a_stranger_has_the_port() -> None:
    program = textwrap.dedent(
        """
        import os, time
        from opentelemetry.metrics import get_meter
        from otel_distro import start_metrics_server
        from otel_distro.metrics.server import page_service
        assert start_metrics_server(int(os.environ["PORT"])) is None
        jobs = get_meter("a").create_counter("jobs")
        for _ in range(20):
            if not os.fork():
                jobs.add(1)
                os._exit(0)
            os.wait()
        end = time.monotonic() + 60
        while True:
            found = sorted(name.partition("-")[0] for name in os.listdir(page_service.folder) if "cells" in name)
            if found == [str(os.getpid()), "folded.cells"] or time.monotonic() > end:
                break
            time.sleep(0.1)
        print("files", found)
        print("own", os.getpid())
        """
    )
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", 0))
        stranger.listen()
        with AppProcess([sys.executable, "-c", program], {"PORT": str(stranger.getsockname()[1])}) as app:
            assert app.wait() == 0
            own = app.stdout.split()[-1]
            assert f"files ['{own}', 'folded.cells']" in app.stdout, app.report


def test_no_thread_is_left_at_the_end_of_a_process_that_gevent_may_have_taken_over() -> None:
    program = textwrap.dedent(
        """
        import atexit, threading
        import otel_distro
        atexit.register(lambda: print("left:", [thread.name for thread in threading.enumerate()]))
        otel_distro.start_metrics_server(0)
        """
    )
    with AppProcess([sys.executable, "-c", program]) as app:
        assert app.wait() == 0, app.report
        assert "left: ['MainThread']\n" in app.stdout, app.report


@pytest.mark.parametrize("text", ["", "always_ON", "nonsense"])
def test_an_exemplar_filter_that_the_sdk_does_not_take_costs_no_page(text: str) -> None:
    program = textwrap.dedent(
        """
        import urllib.request
        from otel_distro import counter, start_metrics_server
        server = start_metrics_server(0)
        counter("jobs", "Jobs.").inc()
        print(urllib.request.urlopen(server.url).read().decode())
        """
    )
    with AppProcess([sys.executable, "-c", program], {"OTEL_METRICS_EXEMPLAR_FILTER": text}) as app:
        assert app.wait() == 0, app.output
        assert "jobs_total 1" in app.stdout

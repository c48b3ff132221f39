"""The helper that starts programs under test does what the other tests trust it for."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.processes import AppProcess
from tests.support import free_port, wait_until

_ECHO = "import os, sys; print(sorted(n for n in os.environ if n.startswith('OTEL_'))); print('oh', file=sys.stderr)"


def test_a_program_sees_only_the_otel_variables_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "from the shell")
    with AppProcess.start(["python", "-c", _ECHO], {"OTEL_DISTRO_LOG_FILE": "x"}) as app:
        assert app.wait() == 0
        assert app.stdout == "['OTEL_DISTRO_LOG_FILE']\n"
        assert app.stderr == "oh\n"


def test_waiting_for_http_answers_with_the_page(tmp_path: Path) -> None:
    (tmp_path / "page.txt").write_text("hello")
    port = free_port()
    with AppProcess(["python", "-m", "http.server", str(port), "--bind", "127.0.0.1"], cwd=tmp_path) as app:
        assert app.wait_for_http(f"http://127.0.0.1:{port}/page.txt").text == "hello"
        assert app.running


def test_a_program_that_ends_early_fails_the_wait_at_once_with_its_output() -> None:
    program = ["python", "-c", "import sys; print('no luck'); sys.exit(3)"]
    with AppProcess(program) as app, pytest.raises(AssertionError, match=r"status 3(.|\n)*no luck"):
        app.wait_for_http(f"http://127.0.0.1:{free_port()}/")


def test_output_written_just_before_the_end_is_still_found() -> None:
    with AppProcess(["python", "-c", "print('done')"]) as app:
        app.wait()
        assert "done" in app.wait_for_output("done", 0)


def test_a_text_in_the_command_itself_is_no_output() -> None:
    with AppProcess(["python", "-c", "'done'"]) as app, pytest.raises(AssertionError, match="ended with status 0"):
        app.wait_for_output("done")


def test_children_do_not_outlive_the_program() -> None:
    program = "import subprocess, time; c = subprocess.Popen(['sleep', '600']); print(c.pid); time.sleep(600)"
    with AppProcess(["python", "-c", program]) as app:
        wait_until(lambda: app.stdout.endswith("\n"), what="the child's id")
        child = int(app.stdout)
        assert app.terminate() == -signal.SIGTERM
        wait_until(lambda: not _alive(child), what=f"the end of process {child}")


def _alive(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    try:
        # A zombie that nobody has reaped yet is dead.
        return stat.read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        pass
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return not Path("/proc/self").exists()

"""The cache of fetched servers: whole entries only, one fetch at a time, and a killed one is gone on with."""

from __future__ import annotations

import inspect
import sys
import threading
from pathlib import Path

import pytest

from tests.processes import AppProcess
from tests.services import __main__ as services
from tests.services import cache, debian
from tests.services.errors import ServiceError


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "cache"))


def test_the_folder_follows_the_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cache.root() == tmp_path / "cache"
    monkeypatch.delenv(cache.VARIABLE)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache.root() == tmp_path / "otel-distro"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache.root() == Path.home() / ".cache" / "otel-distro"


def test_an_entry_is_filled_once() -> None:
    fills = []

    def fill(folder: Path) -> None:
        fills.append(folder)
        (folder / "program").write_text("1.0")

    first, second = cache.obtain("server", "1.0", fill), cache.obtain("server", "1.0", fill)
    assert first == second == cache.newest("server")
    assert (first / "program").read_text() == "1.0"
    assert len(fills) == 1


def test_a_fill_that_fails_leaves_no_entry_and_the_next_one_goes_on_where_it_was() -> None:
    def broken(folder: Path) -> None:
        (folder / "half").write_text("downloaded")
        raise ServiceError("the network went away")

    with pytest.raises(ServiceError):
        cache.obtain("server", "1.0", broken)
    assert cache.newest("server") is None
    entry = cache.obtain("server", "1.0", lambda folder: (folder / "whole").touch())
    assert sorted(path.name for path in entry.iterdir()) == ["half", "whole"]


def test_the_remains_of_another_version_are_cleared_away() -> None:
    remains = cache.root() / "server" / ".partial-0.9"
    remains.mkdir(parents=True)
    cache.obtain("server", "1.0", lambda folder: (folder / "program").touch())
    assert not remains.exists()


def test_two_processes_at_once_fetch_once(tmp_path: Path) -> None:
    program = (
        "import pathlib, time\n"
        "from tests.services import cache\n"
        "def fill(folder):\n"
        "    print('filling', flush=True)\n"
        f"    while not pathlib.Path({str(tmp_path / 'go')!r}).exists(): time.sleep(0.01)\n"
        "    (folder / 'done').touch()\n"
        "print((cache.obtain('server', '1.0', fill) / 'done').exists())\n"
    )
    here = {cache.VARIABLE: str(cache.root())}
    with AppProcess(["python", "-c", program], here) as one:
        one.wait_for_output("filling")
        with AppProcess(["python", "-c", program], here) as other:
            other.wait_for_output("waiting")
            (tmp_path / "go").touch()
            assert (one.wait(), other.wait()) == (0, 0)
            assert (one.stdout, other.stdout) == ("filling\nTrue\n", "True\n")


def test_without_apt_get_the_error_says_what_was_tried_and_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("OTEL_DISTRO_PROMETHEUS", raising=False)
    assert services.main(["prometheus"]) == 1
    said = capsys.readouterr().err
    assert str(cache.root()) in said
    assert "apt-get and dpkg not found" in said
    assert "set OTEL_DISTRO_PROMETHEUS" in said


def test_when_apt_get_fails_its_own_words_are_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for program in ("apt-get", "dpkg"):
        (tmp_path / program).write_text("#!/bin/sh\necho 'E: no network for '$1 >&2\nexit 100\n")
        (tmp_path / program).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ServiceError, match=r"E: no network for download.*E: no network for update"):
        debian.fetch("prometheus")


def test_an_unknown_server_is_bad_input(capsys: pytest.CaptureFixture[str]) -> None:
    assert services.main(["nothing"]) == 2
    assert "no such server: nothing; known: " in capsys.readouterr().err


def test_every_server_of_the_tests_is_found_by_its_module_alone() -> None:
    expected = {"alertmanager", "collector", "elasticsearch", "node_exporter", "prometheus", "prometheus3"}
    expected |= {"grafana_schema"}  # no server, but fetched in the same way
    assert set(services.servers()) == expected
    for content in services.servers().values():
        find = content["find"]
        assert callable(find)
        assert not inspect.signature(find).parameters


def test_the_command_ends_with_one_line_a_program(tmp_path: Path) -> None:
    for program in ("prometheus", "promtool"):
        (tmp_path / program).touch(mode=0o755)
    here = {"OTEL_DISTRO_PROMETHEUS": str(tmp_path / "prometheus")}
    with AppProcess([sys.executable, "-m", "tests.services", "prometheus"], here) as command:
        assert command.wait() == 0
        assert command.stdout == f"prometheus={tmp_path}/prometheus\npromtool={tmp_path}/promtool\n"


def test_threads_of_one_process_wait_for_each_other_too() -> None:
    fills: list[Path] = []
    threads = [threading.Thread(target=cache.obtain, args=("server", "1.0", fills.append)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(fills) == 1

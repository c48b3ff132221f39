"""A thread that works when it is rung, asked or its time has come; in a forked child, another one."""

from __future__ import annotations

import os
import signal
import sys
import threading
from importlib import import_module
from pathlib import Path

import pytest

from otel_distro.delivery.worker import Worker, loading
from tests.support import wait_until


def test_it_works_when_its_time_has_come() -> None:
    calls: list[tuple[bool, bool]] = []
    worker = Worker("test", 0.01, lambda rung, everything: calls.append((rung, everything)))
    wait_until(lambda: len(calls) > 2)
    assert set(calls) == {(False, False)}
    worker.stop()


def test_a_ring_during_the_work_is_followed_by_more_work() -> None:
    go, calls = threading.Event(), list[bool]()

    def work(rung: bool, everything: bool) -> None:
        calls.append(rung)
        go.wait(10)

    worker = Worker("test", 600, work)
    worker.ring()
    wait_until(lambda: calls)
    worker.ring()
    worker.ring()
    go.set()
    wait_until(lambda: len(calls) == 2)
    worker.stop()


def test_a_question_is_answered_when_all_is_done_though_the_work_raises() -> None:
    asked: list[bool] = []

    def work(rung: bool, everything: bool) -> None:
        asked.append(everything)
        raise RuntimeError("wanted")

    worker = Worker("test", 600, work)
    assert worker.ask().acquire(timeout=10)
    assert asked == [True]
    assert worker.ask().acquire(timeout=10)
    worker.stop()
    worker.join(10)
    assert not any(thread.name == "test" and thread.is_alive() for thread in [worker._thread])


def test_a_fork_waits_for_what_a_thread_that_sends_is_loading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "import sys, time; sys.begun.set(); time.sleep(0.2)"
    tmp_path.joinpath("loaded_by_the_first_request.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    begun = threading.Event()
    monkeypatch.setattr(sys, "begun", begun, raising=False)

    def load() -> None:
        with loading():
            import_module("loaded_by_the_first_request")

    thread = threading.Thread(target=load)
    thread.start()
    assert begun.wait(10)
    child = os.fork()
    if child == 0:
        signal.alarm(10)
        load()
        other = threading.Thread(target=load)
        other.start()
        other.join()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    thread.join()


def test_a_forked_child_has_a_worker_of_its_own_and_no_question_of_its_parent() -> None:
    go = threading.Event()
    parent = os.getpid()

    def work(rung: bool, everything: bool) -> None:
        if os.getpid() == parent:
            go.wait(10)

    worker = Worker("test", 600, work)
    worker.ring()
    waiting = worker.ask()
    child = os.fork()
    if child == 0:
        os._exit(0 if worker.ask().acquire(timeout=10) and not worker._waiters else 1)
    assert os.waitpid(child, 0)[1] == 0
    go.set()
    assert waiting.acquire(timeout=10)
    worker.stop()

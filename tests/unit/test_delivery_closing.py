"""The end of a sender with a thread: all is done by its deadline, or given up once."""

from __future__ import annotations

import os
import signal
import threading
import time
from time import monotonic

import pytest

from otel_distro.delivery.closing import Closing
from otel_distro.delivery.sender import Sender


class Exporter:
    def __init__(self) -> None:
        self.shutdowns = 0

    def shutdown(self) -> None:
        self.shutdowns += 1


class Work(Closing):
    """Does one thing when it is asked, which `gate` holds up."""

    def __init__(self, exporter: Exporter, limit: float) -> None:
        self.gate = threading.Event()
        self.done: list[bool] = []
        self.given_up = self.forgotten = 0
        self._open("test", Sender("logs", exporter), 600, limit)

    def _forget(self) -> None:
        self.forgotten += 1

    def _work(self, rung: bool, everything: bool) -> None:
        assert not (rung and everything)
        if everything:
            self.gate.wait(20)
            self.done.append(True)

    def _give_up(self) -> None:
        self.given_up += not self.done


def test_an_end_waits_for_the_work_and_gives_nothing_up() -> None:
    exporter = Exporter()
    work = Work(exporter, limit=20)
    work.gate.set()
    work.end()
    assert (work.done, work.given_up, work.forgotten, exporter.shutdowns) == ([True], 0, 1, 1)


def test_an_end_is_over_at_the_limit_and_gives_up_what_is_not_done() -> None:
    exporter = Exporter()
    work = Work(exporter, limit=0.05)
    work.end()
    assert work.done == []
    assert work.given_up > 0
    assert exporter.shutdowns == 1
    work.gate.set()


def test_a_ctrl_c_that_another_thread_is_given_ends_the_wait_too() -> None:
    work = Work(Exporter(), limit=1000)

    def press() -> None:
        time.sleep(0.1)  # most likely it waits by then; before that, the wait ends as well
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)

    deadline = monotonic() + 15
    work.hurry(deadline)
    thread = threading.Thread(target=press)
    with pytest.raises(KeyboardInterrupt):
        thread.start()
        work.wait(deadline)
    assert monotonic() < deadline
    thread.join()
    work.gate.set()
    work.close()


def test_who_ends_it_may_ask_for_less_time_than_the_limit() -> None:
    work = Work(Exporter(), limit=1000)
    work.end(0.05)
    assert work.given_up > 0
    work.gate.set()


def test_a_second_end_does_nothing() -> None:
    exporter = Exporter()
    work = Work(exporter, limit=20)
    work.gate.set()
    work.end()
    work.end()
    work.close()
    assert (work.done, exporter.shutdowns) == ([True], 1)


def test_the_end_of_a_process_waits_for_nothing_that_the_application_has_ended() -> None:
    exporter = Exporter()
    work = Work(exporter, limit=20)
    work.gate.set()
    work.end()
    begin = monotonic()
    assert work.flush(30)
    work.hurry(begin + 30)
    work.wait(begin + 30)
    work.close()
    assert monotonic() - begin < 20
    assert (work.done, work.given_up, exporter.shutdowns) == ([True], 0, 1)


def test_an_end_that_is_none_gives_up_what_was_not_done_and_leaves_no_deadline_behind() -> None:
    work = Work(Exporter(), limit=20)
    work.hurry(monotonic())
    child = os.fork()
    if child == 0:
        os._exit(work.sender._attempts.ending)
    assert os.waitpid(child, 0)[1] == 0, "a child is in no hurry for its parent"
    assert work.sender._attempts.ending
    work.wait(monotonic())
    assert (work.done, work.given_up, work.sender._attempts.ending) == ([], 1, False)
    work.gate.set()
    work.end()


def test_a_flush_says_whether_all_is_done() -> None:
    work = Work(Exporter(), limit=0.05)
    assert not work.flush(0.05)
    work.gate.set()
    assert work.flush(20)
    work.end()

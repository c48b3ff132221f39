"""What is queued is sent at the end of a process, within a time."""

from __future__ import annotations

import threading

from otel_distro.ending import Ending


class Provider:
    """Has a queue that is sent by `force_flush`, or does not answer until it is let go."""

    def __init__(self, *, hangs: bool = False, raises: bool = False) -> None:
        self.sent = 0
        self.given = 0
        self.let_go = threading.Event()
        self._hangs, self._raises = hangs, raises

    def force_flush(self, milliseconds: int) -> bool:
        self.given = milliseconds
        if self._hangs:
            self.let_go.wait(60)
        if self._raises:
            raise RuntimeError("the Collector is down")
        self.sent += 1
        return True


def test_every_provider_is_flushed_within_the_time_it_is_given() -> None:
    providers = [Provider(), Provider()]
    Ending(providers, seconds=3).flush()
    assert [(provider.sent, provider.given) for provider in providers] == [(1, 3000), (1, 3000)]


def test_what_cannot_be_flushed_is_left_out() -> None:
    provider = Provider()
    Ending([None, object(), provider]).flush()
    assert provider.sent == 1


def test_a_provider_that_raises_keeps_no_other_from_sending() -> None:
    provider = Provider()
    Ending([Provider(raises=True), provider]).flush()
    assert provider.sent == 1


def test_providers_that_do_not_answer_are_waited_for_together_and_not_for_ever() -> None:
    silent = [Provider(hangs=True) for _ in range(3)]
    provider = Provider()
    Ending([*silent, provider], seconds=0.2).flush()
    assert provider.sent == 1
    assert [one.sent for one in silent] == [0, 0, 0]
    for one in silent:
        one.let_go.set()


def test_watching_outside_of_the_main_thread_leaves_the_signal_alone() -> None:
    thread = threading.Thread(target=Ending([Provider()]).watch)
    thread.start()
    thread.join(10)
    assert not thread.is_alive()

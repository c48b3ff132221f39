"""Places and deadlines of a server's clients, over real socket pairs and a clock that stands still."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator

import pytest

from otel_distro.metrics.clients import Clients


class Clock:
    """A clock that a test moves."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def clients(clock: Clock) -> Clients:
    return Clients(2, 10.0, clock)


@pytest.fixture
def pairs() -> Iterator[list[tuple[socket.socket, socket.socket]]]:
    made = [socket.socketpair() for _ in range(3)]
    yield made
    for pair in made:
        for end in pair:
            end.close()


Pairs = list[tuple[socket.socket, socket.socket]]


def cut(theirs: socket.socket) -> bool:
    theirs.setblocking(False)
    try:
        return theirs.recv(1) == b""
    except BlockingIOError:
        return False


def test_who_leaves_makes_place_for_the_next(clients: Clients, pairs: Pairs) -> None:
    first = clients.enter(pairs[0][0])
    assert first is not None
    assert clients.enter(pairs[1][0]) is not None
    assert clients.enter(pairs[2][0]) is None
    clients.leave(first)
    clients.leave(first)  # a second time changes nothing
    assert clients.enter(pairs[2][0]) is not None
    assert clients.enter(pairs[0][0]) is None


def test_only_the_late_are_hung_up_on(clients: Clients, clock: Clock, pairs: Pairs) -> None:
    clients.enter(pairs[0][0])
    clock.now += 9
    clients.enter(pairs[1][0])
    clients.hang_up()
    assert [cut(pair[1]) for pair in pairs[:2]] == [False, False]
    clock.now += 1
    clients.hang_up()
    assert [cut(pair[1]) for pair in pairs[:2]] == [True, False]


def test_a_client_that_waits_for_us_is_never_late_until_its_time_runs_anew(
    clients: Clients, clock: Clock, pairs: Pairs
) -> None:
    client = clients.enter(pairs[0][0])
    assert client is not None
    client.pause()
    clock.now += 1000
    clients.hang_up()
    client.renew()
    clock.now += 9.9
    clients.hang_up()
    assert not cut(pairs[0][1])
    clock.now += 0.1
    clients.hang_up()
    assert cut(pairs[0][1])


def test_everybody_is_hung_up_on_at_the_end_and_a_closed_connection_is_no_error(clients: Clients, pairs: Pairs) -> None:
    clients.enter(pairs[0][0])
    clients.enter(pairs[1][0])
    pairs[0][0].close()
    clients.hang_up(late_only=False)
    assert cut(pairs[1][1])


def test_a_forked_child_forgets_the_clients_while_the_parent_serves_on(clients: Clients, pairs: Pairs) -> None:
    ours, theirs = pairs[0]
    clients.enter(ours)
    clients._lock.acquire()  # as another thread may hold it at the fork
    child = os.fork()
    if child == 0:
        status = 1
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(10)  # where it waits for the lock, it ends and the test fails
        try:
            descriptor = ours.fileno()
            clients.forget()
            entered = clients.enter(pairs[1][0]) is not None and clients.enter(pairs[2][0]) is not None
            try:
                os.fstat(descriptor)
            except OSError:
                status = 0 if entered else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert not cut(theirs)
    ours.send(b"x")
    assert theirs.recv(1) == b"x"

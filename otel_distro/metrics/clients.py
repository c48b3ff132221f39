"""The open connections of a small server: at most so many at once, and none for longer than it is allowed."""

from __future__ import annotations

import math
import os
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress


class Client:
    """One connection and the time until which its client must have done its part.

    The owner replaces `connection` when it wraps it for TLS; `renew` and `pause` are for the thread that serves it.
    """

    def __init__(self, connection: socket.socket, seconds: float, clock: Callable[[], float]) -> None:
        self.connection = connection
        self._seconds = seconds
        self._clock = clock
        self.renew()

    def renew(self) -> None:
        """Give the client its time anew."""
        self.deadline = self._clock() + self._seconds

    def pause(self) -> None:
        """Count no time against the client until `renew`: it waits for us."""
        self.deadline = math.inf


class Clients:
    """The clients of one server; safe to use from any thread.

    A limit for each read or write is not enough: a client that sends a byte now and then would keep its place for
    ever. So whoever is late is hung up on from outside, whatever its thread is waiting for.
    """

    def __init__(self, most: int, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._seconds = seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._present: set[Client] = set()

    def enter(self, connection: socket.socket) -> Client | None:
        """Return the new client, or None where all places are taken."""
        with self._lock:
            if len(self._present) >= self._most:
                return None
            client = Client(connection, self._seconds, self._clock)
            self._present.add(client)
            return client

    def leave(self, client: Client) -> None:
        """Free the client's place; to be called before its connection is closed."""
        with self._lock:
            self._present.discard(client)

    def hang_up(self, *, late_only: bool = True) -> None:
        """Cut the connections of the late ones, or of all; their threads wake up and leave."""
        now = self._clock()
        with self._lock:
            for client in self._present:
                if not late_only or client.deadline <= now:
                    # Not SSLSocket.shutdown, which would take the encryption away from the thread that writes.
                    with suppress(OSError):
                        socket.socket.shutdown(client.connection, socket.SHUT_RDWR)

    def forget(self) -> None:
        """Close the inherited connections in a forked child, without a word to the clients; takes no lock."""
        for client in list(self._present):
            with suppress(OSError):
                os.close(client.connection.detach())
        self._present.clear()
        self._lock = threading.Lock()

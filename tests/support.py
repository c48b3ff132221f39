"""What tests of any kind share: bounded waiting, free ports, and requests over real sockets."""

from __future__ import annotations

import errno
import os
import random
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import HTTPException
from typing import Final, TypeVar

T = TypeVar("T")

# A proxy that the machine's environment names must never stand between a test and its own 127.0.0.1.
_OPENER: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))
_GIVEN: Final[deque[int]] = deque(maxlen=1_000)
# Below the ports that systems give to connections and to servers that ask for any: none of those comes in between.
# Nor does another process of the same run: each has 3,000 of its own.
_FIRST: Final = 20_000 + 3_000 * (int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 4)
_PORTS: Final = range(_FIRST, _FIRST + 3_000)
_DICE: Final = random.SystemRandom()  # hypothesis gives the module's own the same seed again and again


@dataclass(frozen=True)
class Response:
    """One HTTP answer, whatever its status; header names are lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as UTF-8 text."""
        return self.body.decode()


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that nothing listened on a moment ago; it is not kept, so use it at once."""
    return free_ports(1)[0]


def free_ports(number: int) -> list[int]:
    """Return as many different free ports, none of them among the last 1,000; not kept either."""
    probes: dict[int, socket.socket] = {}
    while len(probes) < number:
        port = _DICE.choice(_PORTS)
        if port in _GIVEN or port in probes:  # whom it was given to may not listen yet
            continue
        try:
            probes[port] = socket.create_server(("127.0.0.1", port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
    for probe in probes.values():
        probe.close()
    _GIVEN.extend(probes)
    return list(probes)


def wait_until(
    predicate: Callable[[], T],
    timeout: float = 30.0,
    *,
    what: str | Callable[[], str] = "the condition",
    every: float = 0.02,
) -> T:
    """Call the predicate until its answer is true in a condition, and return that answer.

    `timeout` and `every` are seconds; `what` names what is awaited, in the message (a callable is asked at the end).
    Raises AssertionError when the time is over; what the predicate raises goes through.
    """
    deadline = time.monotonic() + timeout
    while True:
        answer = predicate()
        if answer:
            return answer
        if time.monotonic() >= deadline:
            named = what() if callable(what) else what
            raise AssertionError(f"waited {timeout:g} s in vain for {named}; the last answer was {answer!r}")
        time.sleep(every)


def request(
    url: str,
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    seconds: float = 10.0,
    tls: ssl.SSLContext | None = None,
) -> Response:
    """Send one request and return the answer, an error status too; raises OSError where none comes, or not all of it.

    `tls` says whom to trust at an https URL (None: whom the machine trusts).
    """
    wanted = urllib.request.Request(url, data=body, headers=dict(headers or {}), method=method)  # noqa: S310 -- tests' own URLs
    try:
        with _opener(tls).open(wanted, timeout=seconds) as answer:
            return Response(answer.status, {k.lower(): v for k, v in answer.headers.items()}, answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return Response(error.code, {k.lower(): v for k, v in error.headers.items()}, error.read())
    except HTTPException as error:  # who answered has ended meanwhile
        raise ConnectionError(f"{url}: {error!r}") from error


def _opener(tls: ssl.SSLContext | None) -> urllib.request.OpenerDirector:
    if tls is None:
        return _OPENER
    return urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=tls))


def wait_for_http(url: str, timeout: float = 30.0, *, status: int | None = 200, seconds: float = 10.0) -> Response:
    """Wait until the URL answers with the status (None takes any), and return that answer.

    A request that has no answer after `seconds` is given up for another one.
    """
    seen: list[str] = ["nothing yet"]

    def answered() -> Response | None:
        try:
            response = request(url, seconds=seconds)
        except (OSError, HTTPException) as error:
            seen[0] = repr(error)
            return None
        seen[0] = f"status {response.status}"
        return response if status in (None, response.status) else None

    response = wait_until(answered, timeout, what=lambda: f"{url} (last: {seen[0]})", every=0.05)
    assert response is not None
    return response

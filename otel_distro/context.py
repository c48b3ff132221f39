"""The request under way, its id and its user, which the request hook writes and the logs read.

They are context variables: each thread, greenlet (with gevent's contextvars support) and asyncio task sees its own.
"""

from __future__ import annotations

import os
import sys
from contextvars import ContextVar
from functools import cache
from typing import Any, Final, Protocol

REQUEST_ID_LIMIT: Final = 128
USER_ID_LIMIT: Final = 256
# What an error that leaves a request takes along for the server's line about it: a list of request id, user id, trace
# id, span id and trace flags.
ERROR_IDS: Final = "_otel_distro_ids"
_AT_ONCE: Final = 128
# Fresh ones: who needs one in each request takes it from here and, with none left, calls `new_request_id`.
waiting_ids: Final[list[str]] = []

request_id: Final[ContextVar[str | None]] = ContextVar("otel_distro_request_id", default=None)
# The user, None, or a request under way: who has named nobody takes the user whom another task or thread of it named.
user_id: Final[ContextVar[Any]] = ContextVar("otel_distro_user_id", default=None)


class CurrentRequest(Protocol):
    """A request under way; belongs to the thread or task that serves it."""

    user: str | None
    """Whom `set_user` has named last, in whatever task or thread of the request."""

    @property
    def method(self) -> str:
        """The method, one of the standard's or `_OTHER`."""

    @property
    def endpoint(self) -> str | None:
        """The route template, or None while no route is known."""

    @property
    def counted(self) -> bool:
        """Whether the hook itself records this request in the classic metrics."""


# The request that the hook is serving in this context: what `monitor_request` asks before it counts.
current_request: Final[ContextVar[CurrentRequest | None]] = ContextVar("otel_distro_current_request", default=None)


def new_request_id() -> str:
    """Return a fresh request id: 32 hexadecimal digits from the system's random source.

    Asking that source is most of the cost, so it is asked for many ids at once; a forked child asks for its own.
    """
    try:
        return waiting_ids.pop()
    except IndexError:
        if forks_unseen():
            return os.urandom(16).hex()
        _follow_forks()
        digits = os.urandom(16 * _AT_ONCE).hex()
        waiting_ids.extend(digits[start : start + 32] for start in range(32, len(digits), 32))
        return digits[:32]


def forks_unseen() -> bool:
    """Say whether this process may be forked without Python's knowledge: by uWSGI, whose worker it is not yet.

    What is drawn at random here and kept would be the same in every worker.
    """
    uwsgi = sys.modules.get("uwsgi")
    # Before uWSGI has filled its module, and where another has that name, there is none.
    return uwsgi is not None and not getattr(uwsgi, "worker_id", int)()


@cache
def _follow_forks() -> None:
    os.register_at_fork(after_in_child=waiting_ids.clear)


def accepted_request_id(candidate: str | None) -> str:
    """Return the client's request id where it can be used, else a fresh one.

    Usable is what has 1 to 128 visible ASCII characters (no space, no control character): it can stand in a header and
    in a log line as it is.
    """
    if (
        candidate
        and len(candidate) <= REQUEST_ID_LIMIT
        and candidate.isascii()
        and candidate.isprintable()
        and " " not in candidate
    ):
        return candidate
    return new_request_id()


def set_user(id: object) -> None:  # noqa: A002 -- the public signature
    """Name the user that the current request, task or thread works for; it is `user_id` in every log line after it.

    The id is kept as text of at most 256 characters; None takes it away. The request hook forgets it when the request
    ends. Named in a task or thread that an ASGI server's request runs in, such as a function of FastAPI's that is no
    coroutine, it is also that of the rest of the request, as far as nobody was named there. An id that has no text is
    ignored: this never raises.
    """
    try:
        # Text of a class of its own becomes plain text.
        named = None if id is None else str.__getitem__(str(id), slice(USER_ID_LIMIT))
    except Exception:  # noqa: BLE001 -- the application's own __str__ may raise anything
        named = None
    user_id.set(named)
    request = current_request.get()
    if request is not None:
        request.user = named


def current_user() -> str | None:
    """Return the user that log lines made here and now name."""
    named = user_id.get()
    user: str | None = named if named is None or type(named) is str else named.user
    return user


def get_request_id() -> str | None:
    """Return the id of the current request, or None outside of a request."""
    return request_id.get()

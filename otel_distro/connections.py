"""Connections of exporters that a forked child does not share with its parent.

requests keeps connections open. A child that sends over one of its parent's mixes its bytes and answers with the
parent's: batches arrive broken, are lost, or are sent again although they had arrived.
"""

from __future__ import annotations

import os
from functools import cache
from typing import Any, Final

_ANSWER_LIMIT: Final = 1 << 20  # bytes; an answer of OTLP has a few


def keep_apart(exporter: Any) -> None:
    """Give an OTLP/HTTP exporter connections that belong to the process which opened them.

    An adapter that somebody else has mounted in its session, and an exporter without one, stay as they are.
    """
    session = session_of(exporter)
    adapters = getattr(session, "adapters", {})
    for prefix, adapter in list(adapters.items()):
        if type(adapter) is _adapters()[0]:
            adapters[prefix] = _adapters()[1](session)


def session_of(exporter: Any) -> Any:
    """Return the exporter's session, or None: it is private there, and an exporter may do without."""
    return getattr(getattr(getattr(exporter, "_client", None), "_transport", None), "_session", None)


@cache
def _adapters() -> tuple[type, type]:
    """Return requests' adapter and ours, which are made late: importing requests sets up log handlers."""
    from requests.adapters import HTTPAdapter

    class ForkSafeAdapter(HTTPAdapter):
        def __init__(self, session: Any) -> None:
            super().__init__()
            self._session = session
            self._process = os.getpid()
            self._inherited: list[Any] = []

        def send(self, *args: Any, **kwargs: Any) -> Any:
            if self._process != os.getpid():
                self._process = os.getpid()
                # Kept: its end would wait for a lock that a thread of the parent may have held at the fork.
                self._inherited.append(self.poolmanager)
                self.init_poolmanager(self._pool_connections, self._pool_maxsize, block=self._pool_block)
            if isinstance(self._session.verify, str):
                # The exporter's own authorities; requests would take those that REQUESTS_CA_BUNDLE names for all.
                kwargs["verify"] = self._session.verify
            answer = super().send(*args, **kwargs)
            _read_at_most(answer, _ANSWER_LIMIT)
            return answer

    return HTTPAdapter, ForkSafeAdapter


def _read_at_most(answer: Any, limit: int) -> None:
    """Read so much of an answer's body, where requests would read all of it, be it without end or packed.

    What became of the request its status has said, also where no body comes.
    """
    try:
        body = answer.raw.read(limit, decode_content=True)
    except Exception:  # noqa: BLE001 -- a server may answer anything
        body = b""
    answer._content = body  # noqa: SLF001 -- where requests itself keeps what it has read
    answer.close()

"""What the server sends from: the application's iterable, counted until its last byte.

As PEP 3333 has it, `close` of the application's iterable is called exactly once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from otel_distro.web.exchange import Exchange


class CountedBody:
    """A body that is counted as it is sent.

    The figures are recorded once: when the last byte is handed to the server, when the server closes the response, when
    the application raises, or when nobody holds the response any more.
    """

    __slots__ = ("_body", "_exchange")

    def __init__(self, exchange: Exchange, body: Iterable[bytes]) -> None:
        self._exchange = exchange
        self._body: Any = body

    def __iter__(self) -> Iterator[bytes]:
        exchange = self._exchange
        try:
            for chunk in self._body:
                exchange.size += len(chunk)
                # The last announced byte ends the request, recorded before the server has it: a client that holds
                # the whole answer finds it counted, even if the process is killed at that moment.
                if 0 <= exchange.length <= exchange.size and not exchange.recorded:
                    exchange.record()
                    if exchange.in_process:
                        exchange.leave()
                yield chunk
        except GeneratorExit:
            raise
        except BaseException as error:
            exchange.fail(error)
            raise
        exchange.record()
        if exchange.in_process:
            exchange.leave()

    def close(self) -> None:
        """Close the application's iterable, record the figures if nothing has yet, and leave the request's context."""
        body, self._body = self._body, ()
        try:
            close = body.close
        except AttributeError:
            close = None
        try:
            if close is not None:
                close()
        finally:
            self._exchange.record()
            self._exchange.leave()
            self._exchange.forget_server()

    def __del__(self) -> None:
        # A response that was dropped unread: no context is touched, as any thread may collect it.
        self._exchange.record()

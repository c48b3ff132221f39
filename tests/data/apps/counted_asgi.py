"""The ASGI counterpart of `counted`, without a framework."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from typing import Any

from opentelemetry import metrics, trace

from tests.ledger import Ledger

_ledger = Ledger(os.environ["LEDGER"])
_work = metrics.get_meter("counted").create_counter("work", description="Requests handled")
_tracer = trace.get_tracer("counted")

Message = dict[str, Any]


async def app(
    scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return
    with _tracer.start_as_current_span(scope["path"]):
        _ledger.write(f"{os.getpid()} {scope['path']}")
        _work.add(1, {"kind": "request"})
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": str(os.getpid()).encode()})

"""A server of ASGI as the specification has it, in this process: hands one request over and keeps what comes back."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from otel_distro.web.asgi import Message, Scope

Headers = Iterable[tuple[bytes, bytes]]


@dataclass
class Answer:
    """What an application has sent, and what it raised if it did."""

    messages: list[Message] = field(default_factory=list)
    error: BaseException | None = None

    @property
    def headers(self) -> dict[str, str]:
        """The headers, by lower-case name."""
        return {name.decode().lower(): value.decode() for name, value in self.messages[0]["headers"]}

    @property
    def body(self) -> bytes:
        """All of the body."""
        return b"".join(message.get("body", b"") for message in self.messages)


def scope_of(path: str, method: str = "GET", headers: Headers = (), **changes: Any) -> Scope:
    """Return what a server hands over for a request."""
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.5"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": list(headers),
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 80),
        **changes,
    }


async def answered(app: Any, scope: Scope, messages: Iterable[Message] = ()) -> Answer:
    """Serve one request; what the client sends are `messages`, or an empty body, and then nothing more."""
    coming = list(messages) or [{"type": "http.request", "body": b"", "more_body": False}]
    answer = Answer()

    async def receive() -> Message:
        if not coming:
            await asyncio.Event().wait()
        return coming.pop(0)

    async def send(message: Message) -> None:
        answer.messages.append(message)

    try:
        await app(scope, receive, send)
    except BaseException as error:  # noqa: BLE001 -- kept, as a server does
        answer.error = error
    return answer


def ask(app: Any, path: str, method: str = "GET", headers: Headers = (), **changes: Any) -> Answer:
    """Serve one request in an event loop of its own."""
    return asyncio.run(answered(app, scope_of(path, method, headers, **changes)))

"""What stands between Collector and Elasticsearch: it hands everything on, refuses, or keeps the answers to itself."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Sequence
from contextlib import suppress
from enum import Enum, auto
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, Final

from typing_extensions import Self

_ASKED: Final = ("Content-Type", "Content-Encoding", "Authorization", "Accept")
_ANSWERED: Final = ("Content-Type", "X-Elastic-Product")


class Mode(Enum):
    """What becomes of a request."""

    FORWARD = auto()
    REFUSE = auto()  # 429 for all of it
    REFUSE_HALF = auto()  # every second document is refused with 429, the others are stored
    HOLD = auto()  # stored, but the answer never comes


class BulkProxy:
    """A proxy for plain HTTP to one Elasticsearch, as a context manager; `mode` may be changed at any time."""

    def __init__(self, port: int) -> None:
        """Listen on a free port for the Elasticsearch at `port`."""
        self.mode = Mode.FORWARD
        self.refused = 0  # requests or documents
        self.held = 0  # requests that Elasticsearch has answered and the Collector does not know of
        self._port = port
        self._released = threading.Event()
        handler = type("Handler", (_Handler,), {"proxy": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        """Where the Collector finds it."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def hold(self) -> None:
        """Keep answers from now on."""
        self.held = 0
        self._released.clear()
        self.mode = Mode.HOLD

    def release(self) -> None:
        """Hand on again; what was held back is never answered."""
        self.mode = Mode.FORWARD
        self._released.set()

    def forward(self, method: str, path: str, headers: dict[str, str], body: bytes) -> http.client.HTTPResponse:
        """Ask Elasticsearch; raises OSError or HTTPException where that does not answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=120)
        connection.request(method, path, body, headers)
        return connection.getresponse()

    def wait_released(self) -> None:
        """Wait until `release`."""
        self.held += 1
        self._released.wait()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.release()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    proxy: ClassVar[BulkProxy]

    def handle(self) -> None:
        with suppress(ConnectionError):  # of a Collector that was killed
            super().handle()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        mode = self.proxy.mode
        if mode is Mode.REFUSE:
            self.proxy.refused += 1
            self._answer(429, {}, b'{"error":{"type":"es_rejected_execution_exception"},"status":429}')
            return
        documents, rest = halves(body) if mode is Mode.REFUSE_HALF else (body, [])
        headers = {name: self.headers[name] for name in _ASKED if name in self.headers}
        try:
            answer = self.proxy.forward("POST", self.path, headers, documents)
            answered = answer.read()
        except (OSError, http.client.HTTPException):
            self.close_connection = True  # as a server that is not there
            return
        if mode is Mode.HOLD:
            self.proxy.wait_released()
            self.close_connection = True
            return
        self.proxy.refused += len(rest)
        kept = {name: answer.headers[name] for name in _ANSWERED if name in answer.headers}
        self._answer(answer.status, kept, with_refused(answered, rest) if rest else answered)

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        with suppress(OSError):  # the Collector may have been killed meanwhile
            self._write(status, headers, body)

    def _write(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in {"X-Elastic-Product": "Elasticsearch", **headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the test says what it sees."""


def halves(body: bytes) -> tuple[bytes, list[dict[str, Any]]]:
    """Return a bulk request with every second document of the given one, and the actions of the others."""
    lines = body.splitlines()
    pairs = list(zip(lines[::2], lines[1::2], strict=True))
    kept = b"".join(action + b"\n" + document + b"\n" for action, document in pairs[::2])
    return kept, [json.loads(action) for action, _ in pairs[1::2]]


def with_refused(answer: bytes, actions: Sequence[dict[str, Any]]) -> bytes:
    """Return Elasticsearch's answer with those it never saw as refused with 429, each at its place."""
    told = json.loads(answer)
    items = list(told["items"])
    for place, action in enumerate(actions):
        ((kind, target),) = action.items()
        error = {"type": "es_rejected_execution_exception", "reason": "the queue is full"}
        items.insert(2 * place + 1, {kind: {**target, "status": 429, "error": error}})
    return json.dumps({**told, "errors": True, "items": items}).encode()

"""A web server that answers whatever it is asked in one way: what stands where a client of ours expects another."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import MappingProxyType
from typing import Final, NamedTuple

_NONE: Final[Mapping[str, str]] = MappingProxyType({})


class Stranger(NamedTuple):
    """Where it is, and the headers of the requests that came."""

    place: str
    requests: list[dict[str, str]]


@contextmanager
def answering(status: int, body: bytes = b"{}", headers: Mapping[str, str] = _NONE) -> Iterator[Stranger]:
    """Serve on a port of 127.0.0.1; the body is JSON unless a header says otherwise."""
    requests: list[dict[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            requests.append(dict(self.headers))
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            self.do_GET()

        def do_PUT(self) -> None:
            self.do_GET()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield Stranger(f"127.0.0.1:{server.server_port}", requests)
        finally:
            server.shutdown()

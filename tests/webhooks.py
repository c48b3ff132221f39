"""Programs at the other end of HTTP: one that takes alerts, one that answers bulk requests as Elasticsearch does."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Receiver:
    """A receiver of alerts: what came to each path, in the order of arrival; safe to read from any thread."""

    content_type = "text/plain"
    status = 200

    def __init__(self) -> None:
        self.bodies: dict[str, list[dict[str, Any]]] = {}
        self.url = ""

    def alerts(self, path: str, status: str, name: str) -> list[dict[str, Any]]:
        """Return the alerts of one name and status that the Alertmanager has sent to a path."""
        told = [alert for body in list(self.bodies.get(path, [])) for alert in body["alerts"]]
        return [alert for alert in told if alert["status"] == status and alert["labels"]["alertname"] == name]

    def take(self, path: str, body: bytes) -> bytes:
        """Keep a body; the answer is what Slack gives to an incoming webhook."""
        self.bodies.setdefault(path, []).append(json.loads(body))
        return b"ok"


class Bulk:
    """A bulk endpoint that stores the first document of a request and refuses all others for what is in them."""

    content_type = "application/json"
    status = 200
    """What it answers with; with 503 it is overloaded, and whoever sends has to try again."""

    def __init__(self) -> None:
        self.url = ""
        self.refused = 0

    def take(self, _: str, body: bytes) -> bytes:
        """Answer a bulk request."""
        if self.status != 200:
            return b"{}"
        lines = [json.loads(line) for line in body.splitlines() if line.strip()]
        actions = [line for line in lines if set(line) <= {"create", "index"} and line]
        items = []
        for number, action in enumerate(actions):
            (kind, head), *_ = action.items()
            answer = {"_index": head.get("_index"), "_id": head.get("_id"), "status": 201}
            if number:
                self.refused += 1
                error = {"type": "document_parsing_exception", "reason": "failed to parse"}
                answer |= {"status": 400, "error": error}
            items.append({kind: answer})
        return json.dumps({"took": 1, "errors": len(items) > 1, "items": items}).encode()


@contextmanager
def listening(end: Receiver | Bulk) -> Iterator[None]:
    """Let it listen on a free port of 127.0.0.1; its `url` names it."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            answer = end.take(self.path, body)
            self.send_response(end.status)
            self.send_header("Content-Type", end.content_type)
            self.send_header("X-Elastic-Product", "Elasticsearch")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        end.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()

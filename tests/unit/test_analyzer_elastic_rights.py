"""A server that is no Elasticsearch; tests/integration asks real ones, with and without security."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from otel_distro.analyzer.elastic_address import Address
from otel_distro.analyzer.elastic_rights import check_rights
from otel_distro.errors import StoreError


class NotFound(BaseHTTPRequestHandler):
    """Answers as a web service does that does not know a path."""

    def do_GET(self) -> None:
        body = b'{"detail":"Not Found"}'
        self.send_response(404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def test_a_web_service_is_not_taken_for_an_elasticsearch_without_security() -> None:
    with HTTPServer(("127.0.0.1", 0), NotFound) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        with pytest.raises(StoreError, match="is it an Elasticsearch"):
            check_rights(Address.of(f"127.0.0.1:{server.server_port}"), "python-app")
        server.shutdown()

"""The README's picture: it is there, it asks for what the service exposes, and what is missing is said in one line."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from docs import photograph
from tests.promql_lint import faults
from tests.services.errors import ServiceError


def test_the_picture_is_one_and_the_readme_shows_it() -> None:
    assert photograph.PICTURE.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    readme = (photograph.PICTURE.parents[2] / "README.md").read_text(encoding="utf-8")
    assert f"(docs/pictures/{photograph.PICTURE.name})" in readme


def test_it_asks_for_what_a_service_exposes() -> None:
    labels = frozenset({"job", "instance", "method", "endpoint", "status"})
    assert faults(photograph.EXPRESSION, {"http_requests_total": labels}) == []


def test_a_missing_browser_is_named_with_the_mend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ServiceError, match="no Chromium on PATH: apt-get install chromium"):
        photograph.browser()
    monkeypatch.setenv("CHROMIUM", "my-browser")
    with pytest.raises(ServiceError, match="no my-browser on PATH"):
        photograph.browser()


@contextmanager
def serving(*pages: str) -> Iterator[str]:
    """A server that has only these paths."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            here = self.path.partition("?")[0] in pages
            self.send_response(200 if here else 500)
            self.end_headers()
            self.wfile.write(b"<!doctype html><html>" if here else b"no such file or directory")

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_the_older_page_is_taken_where_there_is_no_newer_one() -> None:
    with serving("/classic/graph") as url:
        assert photograph.page(url).startswith(f"{url}/classic/graph?g0.expr=sum+by")
    with serving("/query", "/classic/graph") as url:
        assert photograph.page(url).startswith(f"{url}/query?")


def test_a_prometheus_without_its_page_is_told_of() -> None:
    with serving() as url, pytest.raises(ServiceError, match="no page: no such file or directory"):
        photograph.page(url)

"""Django through the hook, by WSGI and by ASGI: which route, which status, which size."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from wsgiref.util import FileWrapper, setup_testing_defaults

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.routing import Mount

from otel_distro.context import get_request_id, user_id
from otel_distro.web import django as hook
from otel_distro.web import starlette as starlette_hook
from otel_distro.web.asgi import EXCHANGE_KEY
from tests.asgi import ask, scope_of
from tests.data.apps import counted_django
from tests.meters import Reading, reading

FILE = len(Path(counted_django.__file__).read_bytes())


@pytest.fixture(autouse=True)
def _hooked() -> Iterator[None]:
    hook.install()
    user = user_id.set(None)
    yield
    user_id.reset(user)
    hook.uninstall()


def asked(path: str, wrapper: Any = None, **more: Any) -> tuple[str, dict[str, str], bytes]:
    """Serve one request as a server of WSGI does."""
    environ: dict[str, Any] = {"REQUEST_METHOD": "GET", "PATH_INFO": path, "SERVER_SOFTWARE": "test/1.0", **more}
    if wrapper is not None:
        environ["wsgi.file_wrapper"] = wrapper
    setup_testing_defaults(environ)
    said: list[Any] = []
    body = counted_django.app(environ, lambda *answer: said.extend(answer))
    try:
        content = b"".join(body)
    finally:
        getattr(body, "close", lambda: None)()
    return said[0], {name.lower(): value for name, value in said[1]}, content


def check(found: Reading, method: str, endpoint: str, status: str, size: int) -> None:
    assert found.value("http_requests", method=method, endpoint=endpoint, status=status) == 1
    assert found.count("http_request_duration", method=method, endpoint=endpoint) == 1
    assert found.sum("http_response_size", method=method, endpoint=endpoint) == size
    assert found.value("active_connections") == 0


ROUTES = pytest.mark.parametrize(
    ("path", "endpoint", "status"),
    [
        ("/api/orders/7/", "/api/orders/<int:number>/", "200"),
        ("/api/orders/7000/", "/api/orders/<int:number>/", "404"),
        ("/api/orders/old/7", "/api/orders/old/(?P<number>[0-9]+)", "200"),
        ("/later", "/later", "200"),
        ("/fail", "/fail", "500"),
        ("/stream", "/stream", "200"),
        ("/file", "/file", "200"),
        ("/around", "/around", "200"),
        ("/nothing", "(unmatched)", "404"),
        ("/api/orders/7", "/api/orders/<int:number>/", "301"),
    ],
)


@ROUTES
def test_a_request_by_wsgi_is_recorded_under_its_route(path: str, endpoint: str, status: str) -> None:
    with reading() as found:
        said, headers, body = asked(path, HTTP_X_REQUEST_ID="mine")
    assert (said[:3], headers["x-request-id"]) == (status, "mine")
    check(found, "GET", endpoint, status, len(body))


@ROUTES
def test_a_request_by_asgi_is_recorded_under_its_route(path: str, endpoint: str, status: str) -> None:
    with reading() as found, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Django, that it has to read a stream at once
        answer = ask(counted_django.asgi, path, headers=[(b"x-request-id", b"mine")])
    assert (str(answer.messages[0]["status"]), answer.headers["x-request-id"]) == (status, "mine")
    check(found, "GET", endpoint, status, len(answer.body))


@pytest.mark.parametrize(("uploads", "endpoint"), [(False, "/never"), (True, "(unmatched)")])
def test_a_client_that_goes_before_it_is_answered_is_no_error_of_the_service(uploads: bool, endpoint: str) -> None:
    scope, sent = scope_of("/never"), [{"type": "http.request", "more_body": uploads}]

    async def receive() -> Any:
        if sent:
            return sent.pop()
        while not uploads and scope[EXCHANGE_KEY].known is None:  # noqa: ASYNC110 -- nothing tells of it
            await asyncio.sleep(0.001)
        return {"type": "http.disconnect"}

    async def send(_: Any) -> None:
        pytest.fail("there is nobody to answer")

    with reading() as found:
        asyncio.run(counted_django.asgi(scope, receive, send))
    check(found, "GET", endpoint, "499", 0)


def test_a_file_that_the_server_sends_by_itself_has_its_length() -> None:
    with reading() as found:
        _, _, body = asked("/file", wrapper=FileWrapper)
    assert len(body) == FILE
    check(found, "GET", "/file", "200", FILE)


def test_the_view_knows_the_request_and_the_next_one_has_none_of_its_user(caplog: pytest.LogCaptureFixture) -> None:
    _, _, body = asked("/api/orders/7/", HTTP_X_REQUEST_ID="mine-1")
    assert b'"request": "mine-1"' in body
    assert (get_request_id(), user_id.get()) == (None, None)
    assert "order 7" in caplog.text


def test_nothing_is_left_of_the_hook_when_it_is_taken_away() -> None:
    hook.uninstall()
    with reading() as found:
        _, headers, _ = asked("/api/orders/7/")
    assert "x-request-id" not in headers
    assert found.changed() == set()


def test_none_of_the_classic_metrics_is_recorded_where_others_are_chosen() -> None:
    hook.install("semconv")
    with reading() as found:
        _, headers, _ = asked("/api/orders/7/")
        ask(counted_django.asgi, "/api/orders/7/")
    assert len(headers["x-request-id"]) == 32
    assert found.changed() == set()


def test_an_application_that_is_mounted_in_another_has_the_place_before_its_route() -> None:
    starlette_hook.install()
    try:
        app = Starlette(routes=[Mount("/shop", counted_django.asgi)])
        with reading() as found:
            answer = ask(app, "/shop/api/orders/7/")
        check(found, "GET", "/shop/api/orders/<int:number>/", "200", len(answer.body))
    finally:
        starlette_hook.uninstall()


def test_a_resolver_of_the_applications_own_is_served(monkeypatch: pytest.MonkeyPatch) -> None:
    hook.uninstall()

    class Match:
        """A match that has no route."""

        def __iter__(self) -> Iterator[Any]:
            return iter((counted_django.work, (), {}))

    monkeypatch.setattr("django.core.handlers.base.BaseHandler.resolve_request", lambda *_: Match())
    hook.install()
    with reading() as found:
        said, _, body = asked("/anything")
    assert said == "200 OK"
    check(found, "GET", "(unmatched)", "200", len(body))
    hook.uninstall()


@given(st.text())
def test_a_template_is_a_path(route: str) -> None:
    template = hook.template_of(route)
    assert template.startswith("/")
    assert "^" not in template

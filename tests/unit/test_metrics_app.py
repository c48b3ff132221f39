"""The page as an application inside of a service, WSGI and ASGI."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from opentelemetry.metrics import get_meter
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client

import otel_distro
from otel_distro.metrics.app import MetricsApp
from otel_distro.metrics.prometheus import OPENMETRICS, TEXT
from otel_distro.web import flask as hook
from tests.meters import reading
from tests.processes import AppProcess


def asgi(
    app: MetricsApp, method: str = "GET", *more: tuple[str, str], **headers: str
) -> tuple[int, dict[str, str], bytes]:
    """Call an ASGI application once; return status, headers and body."""
    sent: list[Any] = []

    async def call() -> None:
        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b""}

        async def send(message: Any) -> None:
            sent.append(message)

        given = [(name.encode(), value.encode()) for name, value in (*more, *headers.items())]
        await app({"type": "http", "method": method, "path": "/", "headers": given}, receive, send)

    asyncio.run(call())
    start, body = sent
    return start["status"], {k.decode(): v.decode() for k, v in start["headers"]}, body["body"]


def test_a_wsgi_service_shows_its_own_page() -> None:
    app = otel_distro.metrics_app()
    get_meter("app").create_counter("shown").add(3)
    answer = Client(app).get("/")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, TEXT)
    assert "shown_total 3" in answer.text


def test_an_asgi_service_shows_its_own_page() -> None:
    app = otel_distro.metrics_app()
    get_meter("app").create_counter("shown_too").add(2)
    status, headers, body = asgi(app)
    assert (status, headers["content-type"]) == (200, TEXT)
    assert b"shown_too_total 2" in body
    assert int(headers["content-length"]) == len(body)


def test_openmetrics_is_shown_to_who_asks_for_it() -> None:
    app = otel_distro.metrics_app()
    accept = "application/openmetrics-text"
    assert Client(app).get("/", headers={"Accept": accept}).headers["Content-Type"] == OPENMETRICS
    assert asgi(app, accept=accept)[1]["content-type"] == OPENMETRICS
    assert asgi(app, "GET", ("accept", accept), accept="text/plain;q=0.5")[1]["content-type"] == OPENMETRICS


def test_head_has_no_body_and_other_methods_are_refused() -> None:
    app = otel_distro.metrics_app()
    head = Client(app).head("/")
    assert (head.status_code, head.data) == (200, b"")
    assert int(head.headers["Content-Length"]) > 0
    assert asgi(app, "HEAD")[::2] == (200, b"")
    refused = Client(app).post("/")
    assert (refused.status_code, refused.headers["Allow"]) == (405, "GET, HEAD")
    assert asgi(app, "DELETE")[0] == 405


def test_a_token_opens_the_page_here_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "token").write_text("s3cret-token\n")
    monkeypatch.setenv("OTEL_DISTRO_PROMETHEUS_BEARER_TOKEN_FILE", str(tmp_path / "token"))
    app = otel_distro.metrics_app()
    refused = Client(app).get("/")
    assert refused.status_code == 401
    assert refused.headers["WWW-Authenticate"].startswith("Bearer")
    assert Client(app).get("/", headers={"Authorization": "Bearer s3cret-token"}).status_code == 200
    assert asgi(app)[0] == 401
    assert asgi(app, authorization="Bearer s3cret-token")[0] == 200


def test_a_page_that_cannot_be_protected_is_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_DISTRO_PROMETHEUS_BEARER_TOKEN_FILE", str(tmp_path / "none"))
    app = otel_distro.metrics_app()
    assert Client(app).get("/").status_code == asgi(app)[0] == 503
    assert caplog.text.count("OTEL_DISTRO_PROMETHEUS_BEARER_TOKEN_FILE") == 1


def test_mounted_in_flask_it_is_counted_under_its_own_path() -> None:
    app = Flask("shop")
    app.wsgi_app = DispatcherMiddleware(app.wsgi_app, {"/metrics": otel_distro.metrics_app()})  # type: ignore[method-assign]
    hook.install(classic_metrics=True)
    try:
        with reading() as found:
            assert app.test_client().get("/metrics").status_code == 200
    finally:
        hook.uninstall()
    assert found.value("http_requests", method="GET", endpoint="/metrics", status="200") == 1


def test_paths_below_it_that_a_client_makes_up_are_no_endpoints_of_their_own() -> None:
    app = Flask("shop")
    app.wsgi_app = DispatcherMiddleware(app.wsgi_app, {"/metrics": otel_distro.metrics_app()})  # type: ignore[method-assign]
    hook.install(classic_metrics=True)
    try:
        with reading() as found:
            for number in range(50):
                assert app.test_client().get(f"/metrics/{number}").status_code == 200
            assert app.test_client().get("/metrics").status_code == 200
    finally:
        hook.uninstall()
    endpoints = [f"/metrics/{number}" for number in range(50)]
    own = sum(found.value("http_requests", method="GET", endpoint=endpoint, status="200") for endpoint in endpoints)
    assert (own, found.value("http_requests", method="GET", endpoint="/metrics", status="200")) == (4, 1)
    assert found.value("http_requests", method="GET", endpoint="(unmatched)", status="200") == 46


@pytest.mark.parametrize(
    ("environ", "route"),
    [
        ({}, "/"),
        ({"PATH_INFO": "/"}, "/"),
        ({"SCRIPT_NAME": "/metrics"}, "/metrics"),
        ({"SCRIPT_NAME": "/metrics", "PATH_INFO": "/"}, "/metrics/"),
    ],
)
def test_it_names_its_path_where_a_server_leaves_out_what_is_empty(environ: dict[str, str], route: str) -> None:
    said: list[Any] = []
    app = otel_distro.metrics_app()
    asked: dict[str, Any] = {"REQUEST_METHOD": "GET", **environ}
    app(asked, lambda status, headers: said.extend((status, dict(headers)["Cache-Control"])))
    assert (asked["otel_distro.route"], app._paths, said) == (route, set(), ["200 OK", "no-store"])


def test_with_the_sdk_disabled_the_page_is_empty_and_nothing_is_made_or_said() -> None:
    program = (
        "import otel_distro\n"
        "from werkzeug.test import Client\n"
        "answer = Client(otel_distro.metrics_app()).get('/')\n"
        "print(answer.status_code, answer.data)\n"
        "print(Client(otel_distro.metrics_app()).get('/', headers={'Accept': 'application/openmetrics-text'}).data)\n"
        "from otel_distro.metrics.server import page_service\n"
        "print(page_service._reader)\n"
    )
    with AppProcess([sys.executable, "-c", program], {"OTEL_SDK_DISABLED": "true"}) as app:
        assert app.wait() == 0
        assert app.output.splitlines() == ["200 b''", r"b'# EOF\n'", "None"], app.report


def test_an_asgi_scope_of_another_kind_is_left_alone() -> None:
    async def never(*_: Any) -> Any:
        raise AssertionError("nothing is to be received or sent")

    async def call() -> None:
        await otel_distro.metrics_app()({"type": "lifespan"}, never, never)

    asyncio.run(call())


def test_a_provider_that_no_page_can_read_is_one_warning() -> None:
    program = (
        "from opentelemetry import metrics; metrics.set_meter_provider(metrics.NoOpMeterProvider())\n"
        "import otel_distro; otel_distro.metrics_app()"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr.count("the meter provider of this process is NoOpMeterProvider, which no page can read") == 1

"""Starlette and FastAPI through the hook: which route, status and size, however an application is put together."""

from __future__ import annotations

import asyncio
import importlib
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import fastapi
import pytest
from fastapi import APIRouter, FastAPI, HTTPException
from flask import Flask
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from starlette import applications
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Host, Match, Mount, Route, Router
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from otel_distro.context import ERROR_IDS, current_user, get_request_id, set_user, user_id
from otel_distro.decorators import monitor_request
from otel_distro.logs.capture import USER_ID, captured
from otel_distro.tracing import DormantTracerProvider
from otel_distro.web import flask as flask_hook
from otel_distro.web import starlette as hook
from tests.asgi import answered, ask, scope_of
from tests.meters import Reading, reading
from tests.processes import ROOT


@pytest.fixture(autouse=True)
def _hooked() -> Iterator[None]:
    hook.install()
    yield
    hook.uninstall()


def said(_: Request) -> Response:
    return PlainTextResponse("said")


def starlette_shop(folder: Path) -> Starlette:
    async def slow(_: Request) -> Response:
        async def parts() -> AsyncIterator[bytes]:
            for size in (10, 20, 30):
                yield b"x" * size

        return StreamingResponse(parts())

    def fail(_: Request) -> Response:
        raise ValueError("fail")

    class OwnRoute(BaseRoute):
        def matches(self, scope: Scope) -> tuple[Match, Scope]:
            return (Match.FULL, {"endpoint": said}) if scope["path"] == "/own" else (Match.NONE, {})

        async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
            await PlainTextResponse("own")(scope, receive, send)

    api = Starlette(routes=[Route("/orders/{id:int}", said), Mount("/deep/{tenant}", routes=[Route("/x/{y}", said)])])
    return Starlette(
        routes=[
            Route("/", said),
            Route("/slow", slow),
            Route("/fail", fail),
            Route("/slash/", said),
            Host("other.test", Router([Route("/there/{a}", said)])),
            Mount("/api", api),
            Mount("/files", StaticFiles(directory=folder)),
            OwnRoute(),
        ]
    )


@pytest.mark.parametrize(
    ("method", "path", "endpoint", "status", "size"),
    [
        ("GET", "/", "/", 200, 4),
        ("HEAD", "/", "/", 200, 0),
        ("POST", "/", "/", 405, 18),
        ("GET", "/slow", "/slow", 200, 60),
        ("GET", "/fail", "/fail", 500, 21),
        ("GET", "/slash", "/slash/", 307, 0),
        ("GET", "/api/orders/7", "/api/orders/{id}", 200, 4),
        ("GET", "/api/orders/seven", "(unmatched)", 404, 9),
        ("GET", "/api/orders/7/", "/api/orders/{id}", 307, 0),
        ("GET", "/api/deep/t1/x/2", "/api/deep/{tenant}/x/{y}", 200, 4),
        ("GET", "/files/a.txt", "/files", 200, 5),
        ("GET", "/files/none", "/files", 404, 9),
        ("GET", "/own", "(unmatched)", 200, 3),
        ("GET", "/nothing/of/that/kind", "(unmatched)", 404, 9),
    ],
)
def test_starlette_routes_are_the_endpoint(
    method: str, path: str, endpoint: str, status: int, size: int, tmp_path: Path
) -> None:
    (tmp_path / "a.txt").write_text("files")
    app = starlette_shop(tmp_path)
    with reading() as found:
        ask(app, path, method)
    check(found, method, endpoint, status, size)


def check(found: Reading, method: str, endpoint: str, status: int, size: int) -> None:
    assert found.value("http_requests", method=method, endpoint=endpoint, status=str(status)) == 1
    assert found.count("http_request_duration", method=method, endpoint=endpoint) == 1
    assert found.sum("http_response_size", method=method, endpoint=endpoint) == size
    assert found.value("active_connections") == 0
    assert found.changed() <= {"http_requests", "http_request_duration", "http_response_size", "active_connections"}


def test_a_route_of_another_host_has_the_path_that_it_was_declared_with(tmp_path: Path) -> None:
    with reading() as found:
        ask(starlette_shop(tmp_path), "/there/7", headers=[(b"host", b"other.test")])
    check(found, "GET", "/there/{a}", 200, 4)


def fastapi_shop() -> FastAPI:
    app = FastAPI()
    orders = APIRouter(prefix="/orders")
    items = APIRouter(prefix="/{order}/items")

    @orders.get("/{id}")
    async def order(id: int) -> int:
        return id

    @items.get("/{item}")
    def item(order: int, item: str) -> str:
        raise HTTPException(404, f"{order} {item}")

    orders.include_router(items)
    app.include_router(orders, prefix="/v1")
    app.include_router(orders, prefix="/v2")

    @app.get("/fail")
    async def fail() -> None:
        raise ValueError("fail")

    @app.get("/files/{name:path}")
    async def file(name: str) -> str:
        return name

    tenant = FastAPI()

    @tenant.get("/users/{user}")
    async def user(user: str) -> str:
        return user

    app.mount("/tenants/{tenant}", tenant)
    return app


@pytest.mark.parametrize(
    ("method", "path", "endpoint", "status", "size"),
    [
        ("GET", "/v1/orders/7", "/v1/orders/{id}", 200, 1),
        ("GET", "/v2/orders/7", "/v2/orders/{id}", 200, 1),
        ("DELETE", "/v2/orders/7", "/v2/orders/{id}", 405, 31),
        ("GET", "/v2/orders/7/items/x", "/v2/orders/{order}/items/{item}", 404, 16),
        ("GET", "/v2/orders/7/", "/v2/orders/{id}", 307, 0),
        ("GET", "/fail", "/fail", 500, 21),
        ("GET", "/files/a/b", "/files/{name}", 200, 5),
        ("GET", "/tenants/t1/users/ann", "/tenants/{tenant}/users/{user}", 200, 5),
        ("GET", "/tenants/t1/nobody", "(unmatched)", 404, 22),
        ("GET", "/docs", "/docs", 200, None),
        ("GET", "/nothing", "(unmatched)", 404, 22),
    ],
)
def test_fastapi_routes_are_the_endpoint(method: str, path: str, endpoint: str, status: int, size: int | None) -> None:
    with reading() as found:
        answer = ask(fastapi_shop(), path, method)
    check(found, method, endpoint, status, len(answer.body) if size is None else size)


@pytest.mark.parametrize(
    ("path", "endpoint", "status"),
    [
        ("/st/deep/none", "(unmatched)", 404),
        ("/st/deep/x/", "/st/deep/x", 307),
        ("/st", "/st/", 307),
        ("/files", "/files", 307),
        ("/tenant", "(unmatched)", 307),
        ("/none", "(unmatched)", 404),
        ("/users/ann", "/users/{user}", 200),
    ],
)
def test_what_fastapi_tells_its_own_spans_of_a_mounted_application_is_no_route(
    path: str, endpoint: str, status: int, tmp_path: Path
) -> None:
    app = FastAPI(telemetry={"tracer_provider": DormantTracerProvider(shutdown_on_exit=False)})
    app.mount("/st", Starlette(routes=[Route("/", said), Mount("/deep", routes=[Route("/x", said)])]))
    app.mount("/files", StaticFiles(directory=tmp_path))
    users = FastAPI()
    users.add_api_route("/users/{user}", lambda user: user)
    app.mount("/tenant", users)
    if path in ("/none", "/users/ann"):  # takes whatever comes, the slash of the others' places too
        app.mount("/", users)
    with reading() as found:
        answer = ask(app, path)
    check(found, "GET", endpoint, status, len(answer.body))


def test_applications_that_were_made_before_are_served_through_the_hook() -> None:
    hook.uninstall()
    before = fastapi_shop()
    ask(before, "/v1/orders/7")
    hook.install()
    with reading() as found:
        ask(before, "/v1/orders/7")
        ask(before, "/tenants/t1/users/ann")
    assert found.value("http_requests", method="GET", endpoint="/v1/orders/{id}", status="200") == 1
    assert found.value("http_requests", method="GET", endpoint="/tenants/{tenant}/users/{user}", status="200") == 1


def test_a_second_installation_takes_the_place_of_the_first() -> None:
    hook.install()
    with reading() as found:
        ask(fastapi_shop(), "/v1/orders/7")
    check(found, "GET", "/v1/orders/{id}", 200, 1)


def test_nothing_is_left_of_the_hook_when_it_is_taken_away() -> None:
    hook.uninstall()
    with reading() as found:
        answer = ask(fastapi_shop(), "/v1/orders/7")
    assert found.value("http_requests", method="GET", endpoint="/v1/orders/{id}", status="200") == 0
    assert "x-request-id" not in answer.headers


def test_the_ids_of_a_request_are_there_in_endpoints_that_run_in_threads_and_in_background_tasks() -> None:
    app, seen = FastAPI(), []

    @app.get("/thread")
    def thread(tasks: fastapi.BackgroundTasks) -> None:
        set_user("ann")
        seen.append((get_request_id(), user_id.get()))
        tasks.add_task(lambda: seen.append((get_request_id(), None)))

    ask(app, "/thread", headers=[(b"x-request-id", b"my-first")])
    assert seen == [("my-first", "ann"), ("my-first", None)]


def test_whom_a_thread_or_a_task_of_a_request_names_is_the_user_of_the_rest_of_the_request() -> None:
    app, seen = FastAPI(), {}

    def note(place: str) -> None:
        seen[place] = (current_user(), captured()[USER_ID])

    @app.middleware("http")
    async def around(request: Request, call_next: Any) -> Any:
        note("before")
        try:
            return await call_next(request)
        finally:
            note("after")

    def known() -> None:
        set_user("ann")

    @app.get("/who", dependencies=[fastapi.Depends(known)])
    async def who() -> None:
        note("endpoint")
        set_user("eve")
        await run_in_threadpool(known)
        note("endpoint that names another")
        raise ValueError("who")

    async def receive() -> Any:
        return {"type": "http.request"}

    async def send(_: Any) -> None:
        note("access line")

    async def serve() -> ValueError:
        user_id.set("around")
        with pytest.raises(ValueError, match="who") as error:
            await app(scope_of("/who"), receive, send)
        note("gone")
        return error.value

    error = asyncio.run(serve())
    both = {place: names[0] for place, names in seen.items() if names[0] == names[1]}
    assert both == {
        "before": None,
        "endpoint": "ann",
        "endpoint that names another": "eve",
        "after": "ann",
        "access line": "ann",
        "gone": "around",
    }
    assert vars(error)[ERROR_IDS][1] == "ann"


def test_a_handler_with_monitor_request_is_counted_once() -> None:
    app = FastAPI()

    @app.get("/both/{id}")
    @monitor_request
    def both(id: int) -> int:
        return id

    with reading() as found:
        ask(app, "/both/7")
    check(found, "GET", "/both/{id}", 200, 1)


@pytest.mark.filterwarnings("ignore:starlette.middleware.wsgi is deprecated")
@pytest.mark.parametrize("by", ["starlette.middleware.wsgi.WSGIMiddleware", "asgiref.wsgi.WsgiToAsgi"])
def test_a_flask_application_that_is_mounted_is_counted_once(by: str) -> None:
    module, _, name = by.rpartition(".")
    adapter = getattr(importlib.import_module(module), name)
    hook.follow("classic")
    flask = Flask(__name__)
    flask.add_url_rule("/old/<int:number>", "old", lambda number: {"id": number, "request": get_request_id()})
    flask_hook.install(classic_metrics=True)
    try:
        app = Starlette(routes=[Mount("/legacy", adapter(flask))])
        with reading() as found:
            answer = ask(app, "/legacy/old/7", headers=[(b"x-request-id", b"my-first")])
        assert (answer.headers["x-request-id"], b'"my-first"' in answer.body) == ("my-first", True)
        check(found, "GET", "/legacy", 200, len(answer.body))
        assert found.value("http_requests", method="GET", endpoint="/old/<int:number>", status="200") == 0
    finally:
        flask_hook.uninstall()


def test_a_route_whose_class_is_otherwise_made_is_served() -> None:
    class Odd(Route):
        def __init__(self, path: str) -> None:
            super().__init__(path, said)
            del self.path_format

    with reading() as found:
        answer = ask(Starlette(routes=[Odd("/odd")]), "/odd")
    assert answer.body == b"said"
    check(found, "GET", "(unmatched)", 200, 4)


def test_fastapi_does_not_do_by_itself_what_is_done_here_unless_it_is_told_to() -> None:
    own = vars(FastAPI())["_telemetry"]
    assert (own["metrics"], own["logs"], own["tracing"]) == (False, False, True)
    hook.install("both")
    own = vars(FastAPI())["_telemetry"]
    assert (own["metrics"], own["logs"], own["tracing"]) == (True, False, True)
    own = vars(FastAPI(telemetry={"metrics": True, "logs": True}))["_telemetry"]
    assert (own["metrics"], own["logs"]) == (True, True)


def test_what_the_readme_has_fastapi_leave_out_is_counted_and_has_no_span(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_PYTHON_EXCLUDED_URLS", "work")  # which FastAPI does not heed
    (given,) = re.findall(r"`FastAPI\(telemetry=(\{.*?\})\)`", (ROOT / "README.md").read_text(encoding="utf-8"))
    provider, spans = TracerProvider(shutdown_on_exit=False), InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    telemetry: Any = {**eval(given), "tracer_provider": provider, "operation_spans": False}  # noqa: S307 -- its words
    app = FastAPI(telemetry=telemetry)
    for path in ("/health", "/work"):
        app.add_api_route(path, lambda: "well")
    with reading() as found:
        for path in ("/health", "/work"):
            ask(app, path)
    assert [span.name for span in spans.get_finished_spans()] == ["GET /work"]
    check(found, "GET", "/health", 200, len('"well"'))


def test_a_websocket_is_no_request() -> None:
    app = FastAPI()

    @app.websocket("/ws/{room}")
    async def room(socket: fastapi.WebSocket, room: str) -> None:
        await socket.accept()
        await socket.send_text(f"{room} {get_request_id()}")
        await socket.close()

    scope: Any = scope_of("/ws/7", headers=[(b"x-request-id", b"socket")], type="websocket", subprotocols=[])
    del scope["method"]
    with reading() as found:
        answer = asyncio.run(answered(app, scope, [{"type": "websocket.connect"}]))
    assert [message.get("text") for message in answer.messages][1:2] == ["7 socket"]
    assert found.changed() == set()


def test_a_path_that_only_a_slash_keeps_from_a_route_is_unmatched_where_nobody_is_sent_there() -> None:
    app = Starlette(routes=[Route("/slash/", said)])
    app.router.redirect_slashes = False
    with reading() as found:
        ask(app, "/slash")
    check(found, "GET", "(unmatched)", 404, 9)


def test_spans_of_single_operations_are_made_only_where_spans_are_exported(monkeypatch: pytest.MonkeyPatch) -> None:
    provider = DormantTracerProvider()
    monkeypatch.setattr(hook, "get_tracer_provider", lambda: provider)
    assert vars(FastAPI())["_telemetry"]["operation_spans"] is False
    assert vars(FastAPI(telemetry={"operation_spans": True}))["_telemetry"]["operation_spans"] is True
    provider.awake = True
    assert vars(FastAPI())["_telemetry"]["operation_spans"] is True


def test_applications_are_served_where_another_has_put_a_subclass_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    hook.uninstall()
    monkeypatch.setattr(applications, "Starlette", type("Instrumented", (Starlette,), {}))
    hook.install()
    with reading() as found:
        ask(fastapi_shop(), "/v1/orders/7")
    check(found, "GET", "/v1/orders/{id}", 200, 1)
    hook.uninstall()

"""Flask through the hook: which route, which status, which size, in every way an application can be called."""

from __future__ import annotations

import contextvars
import functools
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import flask
import pytest
from flask import Blueprint, Flask, Response, request, send_file
from flask.views import MethodView
from opentelemetry.instrumentation.flask import FlaskInstrumentor
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.routing import BaseConverter
from werkzeug.test import Client, EnvironBuilder

from otel_distro.context import get_request_id, set_user, user_id
from otel_distro.web import flask as hook
from otel_distro.web import flask_instrumentation
from otel_distro.web.wsgi import SPANS_MARK
from tests.meters import Reading, reading

instrument: Any = FlaskInstrumentor.instrument_app


@pytest.fixture(autouse=True)
def _hooked() -> Iterator[None]:
    hook.install(classic_metrics=True)
    yield
    hook.uninstall()


def shop() -> Flask:
    app = Flask(__name__, static_folder=None)
    orders = Blueprint("orders", __name__, url_prefix="/api/orders")

    @orders.get("/<int:id>")
    def order(id: int) -> dict[str, int]:
        return {"id": id}

    @orders.get("/")
    def listing() -> list[int]:
        return []

    app.register_blueprint(orders)

    @app.get("/stream")
    def stream() -> Response:
        return Response(b"x" * size for size in (10, 20, 30))

    @app.get("/boom")
    def boom() -> str:
        raise ValueError("boom")

    @app.get("/teapot")
    def teapot() -> str:
        flask.abort(418)

    @app.get("/who")
    def who() -> dict[str, Any]:
        set_user("u1")
        return {"request": get_request_id(), "user": user_id.get()}

    @app.post("/echo")
    def echo() -> bytes:
        return request.get_data()

    class View(MethodView):
        def put(self, key: str) -> tuple[str, int]:
            return key, 201

    app.add_url_rule("/things/<path:key>", view_func=View.as_view("things"))
    return app


def status_of(found: Reading, method: str, endpoint: str, status: str) -> float:
    return found.value("http_requests", method=method, endpoint=endpoint, status=status)


@pytest.mark.parametrize(
    ("method", "path", "endpoint", "status", "size"),
    [
        ("GET", "/api/orders/7", "/api/orders/<int:id>", "200", None),
        ("GET", "/api/orders/", "/api/orders/", "200", None),
        ("GET", "/api/orders", "/api/orders/", "308", None),
        ("HEAD", "/api/orders/7", "/api/orders/<int:id>", "200", 0),
        ("OPTIONS", "/api/orders/7", "/api/orders/<int:id>", "200", 0),
        ("DELETE", "/api/orders/7", "/api/orders/<int:id>", "405", None),
        ("HACK", "/api/orders/7", "/api/orders/<int:id>", "405", None),
        ("GET", "/api/orders/seven", "(unmatched)", "404", None),
        ("GET", "/nowhere", "(unmatched)", "404", None),
        ("GET", "/stream", "/stream", "200", 60),
        ("GET", "/boom", "/boom", "500", None),
        ("GET", "/teapot", "/teapot", "418", None),
        ("PUT", "/things/a/b/c", "/things/<path:key>", "201", 5),
        ("POST", "/echo", "/echo", "200", 0),
    ],
)
def test_each_request_is_counted_under_its_route(
    method: str, path: str, endpoint: str, status: str, size: int | None
) -> None:
    with reading() as found:
        answer = shop().test_client().open(path, method=method)
        body = answer.data
    label = method if method != "HACK" else "_OTHER"
    assert answer.status_code == int(status)
    assert status_of(found, label, endpoint, status) == 1
    assert found.sum("http_response_size", method=label, endpoint=endpoint) == len(body)
    assert found.count("http_request_duration", method=label, endpoint=endpoint) == 1
    assert found.value("active_connections") == 0
    assert size is None or len(body) == size


@pytest.mark.parametrize("root", ["/", "/läden"])
def test_a_redirect_to_a_path_beyond_ascii_belongs_to_the_route_that_lies_there(root: str) -> None:
    app = Flask(__name__)
    app.add_url_rule("/订单/<name>/", view_func=lambda name: name)
    with reading() as found:
        answer = app.test_client().get("/订单/zoë", base_url=f"http://localhost{root}")
    assert answer.status_code == 308
    assert status_of(found, "GET", "/订单/<name>/", "308") == 1


@pytest.mark.parametrize(("method", "path", "status"), [("DELETE", "/users/ann/", 405), ("GET", "/users/ann", 308)])
def test_a_converter_that_raises_costs_a_405_or_a_redirect_its_route_alone(method: str, path: str, status: int) -> None:
    class User(BaseConverter):
        def to_python(self, value: str) -> Any:
            raise OSError("the database has gone")

    app = Flask(__name__)
    app.url_map.converters["user"] = User
    app.add_url_rule("/users/<user:name>/", view_func=lambda name: name)
    with reading() as found:
        assert app.test_client().open(path, method=method).status_code == status
    assert found.value("http_requests", method=method, status=str(status), endpoint="(unmatched)") == 1


def test_a_view_that_raises_counts_as_500_and_the_exception_goes_on() -> None:
    app = shop()
    app.config["TESTING"] = True
    with reading() as found, pytest.raises(ValueError, match="boom"):
        app.test_client().get("/boom")
    assert status_of(found, "GET", "/boom", "500") == 1
    assert found.value("active_connections") == 0


def test_middleware_that_answers_late_does_not_lose_the_route() -> None:
    app = shop()
    inner = app.wsgi_app

    def late(environ: Any, start_response: Any) -> list[bytes]:
        told: list[Any] = []
        body = b"".join(inner(environ, lambda *args: told.append(args)))  # type: ignore[arg-type]
        start_response(*told[0])
        return [body]

    app.wsgi_app = late  # type: ignore[method-assign]
    with reading() as found:
        app.test_client().get("/api/orders/1")
    assert status_of(found, "GET", "/api/orders/<int:id>", "200") == 1


def test_a_response_of_the_test_client_counts_before_anybody_reads_it() -> None:
    with reading() as found:
        kept = shop().test_client().get("/api/orders/7")
    assert kept.status_code == 200
    assert status_of(found, "GET", "/api/orders/<int:id>", "200") == 1


@pytest.mark.parametrize(
    ("method", "path", "at_once"),
    [
        ("GET", "/api/orders/7", True),
        ("GET", "/nowhere", False),
        ("PUT", "/things/a", True),
        ("HEAD", "/api/orders/7", False),
        ("GET", "/stream", False),
    ],
)
def test_a_server_gets_an_answer_that_is_counted_already_where_flask_knows_all_of_it(
    method: str, path: str, at_once: bool
) -> None:
    environ = {**EnvironBuilder(path, method=method).get_environ(), "SERVER_SOFTWARE": "a server"}
    told: list[Any] = []
    with reading() as before:
        body: Any = shop()(environ, lambda *args: told.append(args))  # type: ignore[arg-type]
    with reading() as after:
        sent = b"".join(body)
        assert str(get_request_id()) in str(told)
        body.close()
    assert ("http_requests" in before.changed(), "http_requests" in after.changed()) == (at_once, not at_once)
    found = before if at_once else after
    assert sum(found.sum(*one[:1], **dict(one[1])) for one in found.after if one[0] == "http_response_size") == len(
        sent
    )
    assert get_request_id() is None


def test_middleware_that_makes_another_body_of_the_same_length_is_counted_as_it_is_sent() -> None:
    app = shop()
    inner = app.wsgi_app

    def upper(environ: Any, start_response: Any) -> Iterator[bytes]:
        for chunk in inner(environ, start_response):
            yield chunk.upper()

    app.wsgi_app = upper  # type: ignore[method-assign]
    environ = {**EnvironBuilder("/api/orders/7").get_environ(), "SERVER_SOFTWARE": "a server"}
    with reading() as before:
        body: Any = app(environ, lambda *_: None)  # type: ignore[arg-type]
    with reading() as after:
        assert b"".join(body) == b'{"ID":7}\n'
        body.close()
    assert "http_requests" not in before.changed()
    assert status_of(after, "GET", "/api/orders/<int:id>", "200") == 1


def test_a_call_that_another_package_has_wrapped_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    hook.uninstall()
    original = Flask.__call__

    @functools.wraps(original)
    def wrapped(self: Flask, *args: Any) -> Any:
        calls.append(self)
        return original(self, *args)

    monkeypatch.setattr(Flask, "__call__", wrapped)
    hook.install(classic_metrics=True)
    app = shop()
    assert app.test_client().get("/api/orders/7").status_code == 200
    assert calls == [app]
    hook.uninstall()


def test_the_request_id_and_the_user_are_seen_by_the_view_and_gone_after_it() -> None:
    client = shop().test_client()
    answer = client.get("/who", headers={"X-Request-ID": "given-1"})
    assert answer.headers["X-Request-ID"] == "given-1"
    assert answer.json == {"request": "given-1", "user": "u1"}
    assert (get_request_id(), user_id.get()) == (None, None)
    assert client.get("/who").headers["X-Request-ID"] not in ("given-1", "")


def test_a_streamed_body_has_the_request_id_until_its_last_chunk() -> None:
    app = Flask(__name__)

    @app.get("/ids")
    def ids() -> Response:
        return Response(str(get_request_id()) for _ in range(2))

    answer = app.test_client().get("/ids", headers={"X-Request-ID": "abc"})
    assert answer.text == "abcabc"
    assert get_request_id() is None


def test_two_applications_in_one_process_are_counted_apart() -> None:
    first, second = Flask("first"), Flask("second")
    first.add_url_rule("/a/<x>", view_func=lambda x: x)
    second.add_url_rule("/b/<x>", view_func=lambda x: x)
    with reading() as found:
        first.test_client().get("/a/1")
        second.test_client().get("/b/1")
        second.test_client().get("/b/2")
    assert status_of(found, "GET", "/a/<x>", "200") == 1
    assert status_of(found, "GET", "/b/<x>", "200") == 2


def test_an_application_mounted_in_another_is_counted_once_by_its_own_route() -> None:
    outer, inner = Flask("outer"), Flask("inner")
    inner.add_url_rule("/deep/<x>", view_func=lambda x: x)
    outer.wsgi_app = DispatcherMiddleware(outer.wsgi_app, {"/inner": inner})  # type: ignore[method-assign]
    with reading() as found:
        assert outer.test_client().get("/inner/deep/1").text == "1"
    assert status_of(found, "GET", "/deep/<x>", "200") == 1
    assert found.value("active_connections") == 0


@pytest.mark.parametrize("spans", [False, True])
def test_an_application_that_is_served_by_its_wsgi_app_alone_is_counted_once(spans: bool) -> None:
    applications = shop(), shop()
    if spans:
        flask_instrumentation.install()
        for each in applications:
            instrument(each)
        flask_instrumentation.uninstall()
    first, second = applications
    client = Client(ProxyFix(DispatcherMiddleware(first.wsgi_app, {"/second": second.wsgi_app})))
    with reading() as found:
        answer = client.get("/who", headers={"X-Request-ID": "given-1"})
        assert client.get("/second/api/orders/7").status_code == 200
        assert first.test_client().get("/teapot").status_code == 418
    assert (answer.headers["X-Request-ID"], answer.json["request"]) == ("given-1", "given-1")  # type: ignore[index]
    assert [
        status_of(found, "GET", *what)
        for what in (("/who", "200"), ("/api/orders/<int:id>", "200"), ("/teapot", "418"))
    ] == [1, 1, 1]
    assert found.value("active_connections") == 0


def test_middleware_of_the_application_is_inside_of_the_measurement() -> None:
    app = shop()
    app.wsgi_app = ProxyFix(app.wsgi_app)  # type: ignore[method-assign]
    with reading() as found:
        app.test_client().get("/api/orders/1")
    assert status_of(found, "GET", "/api/orders/<int:id>", "200") == 1


def test_an_application_of_wsgi_in_the_place_of_a_response_answers_and_is_counted() -> None:
    app = shop()
    app.config["PROPAGATE_EXCEPTIONS"] = True

    @app.after_request
    def replaced(_: Response) -> Any:
        def plain(environ: dict[str, Any], start_response: Any) -> list[bytes]:
            start_response("202 ACCEPTED", [("Content-Type", "text/plain")])
            return [b"later"]

        return plain

    with reading() as found:
        answer = app.test_client().get("/teapot")
        assert (answer.status_code, answer.data) == (202, b"later")
    assert status_of(found, "GET", "/teapot", "202") == 1
    assert found.sum("http_response_size", method="GET", endpoint="/teapot") == 5


def test_a_file_is_counted_with_its_size(tmp_path: Path) -> None:
    path = tmp_path / "report.csv"
    path.write_bytes(b"x" * 5000)
    app = Flask(__name__)
    app.add_url_rule("/file", view_func=lambda: send_file(path))
    with reading() as found:
        answer = app.test_client().get("/file")
        assert len(answer.data) == 5000
        answer.close()
    assert found.sum("http_response_size", method="GET", endpoint="/file") == 5000


def test_an_application_that_was_there_before_gets_its_spans_at_the_first_request() -> None:
    app = shop()
    instrumented = []

    def instrument(found: Flask) -> None:
        instrumented.append(found)
        found._is_instrumented_by_opentelemetry = True  # type: ignore[attr-defined]

    hook.install(classic_metrics=True, instrument_app=instrument)
    for _ in range(3):
        app.test_client().get("/who")
    assert instrumented == [app]


def test_a_request_that_comes_while_its_application_gets_its_spans_waits_and_has_one(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    app, came = shop(), threading.Event()

    class Lock:
        """Tells that somebody waits for it."""

        def __init__(self) -> None:
            self._lock = threading.Lock()

        def __enter__(self) -> None:
            if not self._lock.acquire(blocking=False):
                came.set()
                self._lock.acquire()

        def __exit__(self, *_: object) -> None:
            self._lock.release()

    class Meters(NoOpMeterProvider):
        def get_meter(self, *args: Any, **options: Any) -> Any:
            other.start()
            assert came.wait(60)
            return super().get_meter(*args, **options)

    def ask() -> None:
        app.test_client().get("/who")
        came.set()

    other, kept = threading.Thread(target=ask), InMemorySpanExporter()
    tracers = TracerProvider(shutdown_on_exit=False)
    tracers.add_span_processor(SimpleSpanProcessor(kept))
    monkeypatch.setattr(hook, "threading", SimpleNamespace(Lock=Lock))
    hook.install(
        classic_metrics=True,
        instrument_app=lambda found: instrument(found, tracer_provider=tracers, meter_provider=Meters()),
    )
    monkeypatch.undo()
    ask()
    other.join()
    assert [span.name for span in kept.get_finished_spans()] == ["GET /who"] * 2
    assert caplog.messages == []  # such as that it is instrumented already


def test_an_application_that_cannot_be_instrumented_is_served_and_named_once(caplog: pytest.LogCaptureFixture) -> None:
    def instrument(_: Flask) -> None:
        raise RuntimeError("too late")

    hook.install(classic_metrics=True, instrument_app=instrument)
    client = shop().test_client()
    assert [client.get("/who").status_code for _ in range(3)] == [200, 200, 200]
    assert caplog.text.count("gets no spans: RuntimeError: too late") == 1


def test_an_application_that_served_before_is_served_on_with_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    hook.uninstall()
    client = shop().test_client()
    client.get("/teapot")
    hook.install(classic_metrics=True, instrument_app=instrument)
    assert [client.get("/teapot").status_code for _ in range(3)] == [418] * 3
    (warning,) = caplog.messages
    assert warning.startswith(f"application {__name__!r} gets no spans: AssertionError")


def test_what_an_application_dispatches_outside_of_a_request_is_answered_and_not_counted() -> None:
    app = shop()
    with reading() as found, app.test_request_context("/teapot"):
        assert app.full_dispatch_request().status_code == 418
    assert found.changed() == set()


def test_without_classic_metrics_nothing_is_counted() -> None:
    hook.install(classic_metrics=False)
    with reading() as found:
        assert "X-Request-ID" in shop().test_client().get("/who").headers
    assert found.changed() == set()


def test_uninstall_gives_flask_back() -> None:
    hook.uninstall()
    methods = (Flask.__call__, Flask.wsgi_app, Flask.full_dispatch_request)
    assert {method.__module__ for method in methods} == {"flask.app"}
    assert SPANS_MARK not in vars(Flask)
    # Without the hook nobody gives the user back, so that it is in a context of its own.
    headers = contextvars.copy_context().run(lambda: shop().test_client().get("/who").headers)
    assert "X-Request-ID" not in headers
    hook.install(classic_metrics=True)
    hook.install(classic_metrics=True)
    hook.uninstall()
    methods = (Flask.__call__, Flask.wsgi_app, Flask.full_dispatch_request)
    assert {method.__module__ for method in methods} == {"flask.app"}
    assert SPANS_MARK not in vars(Flask)

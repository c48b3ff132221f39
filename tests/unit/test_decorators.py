"""The decorators: each call once in the right series, and the function as it was."""

from __future__ import annotations

import asyncio
import inspect
import json
import subprocess
import sys
from collections.abc import AsyncGenerator, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Thread
from typing import Any

import flask
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.trace import StatusCode
from werkzeug.exceptions import NotFound

from otel_distro import decorators, monitor_request, track_performance
from otel_distro.context import current_request
from tests.meters import Reading, instruments, reading
from tests.spans import spans


@dataclass
class _Request:
    """A request that the hook serves."""

    method: str = "POST"
    endpoint: str | None = "/api/orders/<id>"
    counted: bool = False
    user: str | None = None


@contextmanager
def _serving(request: _Request) -> Iterator[None]:
    token = current_request.set(request)
    try:
        yield
    finally:
        current_request.reset(token)


def _requests(got: Reading) -> dict[tuple[str, str, str], float]:
    """Return the requests counted, by method, endpoint and status, and check that their durations are as many."""
    counted: dict[tuple[str, str, str], float] = {}
    for name, attributes in got.after:
        labels = dict(attributes)
        if name == "http_requests" and got.value(name, **labels):
            counted[labels["method"], labels["endpoint"], labels["status"]] = got.value(name, **labels)
    for method, endpoint, _ in counted:
        total = sum(count for key, count in counted.items() if key[:2] == (method, endpoint))
        assert got.count("http_request_duration", method=method, endpoint=endpoint) == total
        assert got.count("http_response_size", method=method, endpoint=endpoint) == total
    assert got.value("active_connections") == 0
    return counted


@monitor_request
def handle_request(method: str = "GET", endpoint: str = "/api/users") -> dict[str, Any]:
    """Answer as the original sample does."""
    return {"status_code": 200, "size": 1024, "method": method, "endpoint": endpoint}


def test_the_original_sample_called_ten_times_is_ten_requests() -> None:
    with reading() as got:
        for _ in range(10):
            handle_request(method="GET", endpoint="/api/users")
    assert _requests(got) == {("GET", "/api/users", "200"): 10}
    assert got.sum("http_response_size", method="GET", endpoint="/api/users") == 10_240


def test_the_handler_gets_its_arguments_as_they_are_and_its_result_comes_back() -> None:
    result = handle_request(method="pUt", endpoint="/x")
    assert result == {"status_code": 200, "size": 1024, "method": "pUt", "endpoint": "/x"}
    assert handle_request.__name__ == "handle_request"
    assert handle_request.__doc__ == "Answer as the original sample does."
    assert list(inspect.signature(handle_request).parameters) == ["method", "endpoint"]


def test_the_result_of_an_async_handler_is_counted_and_comes_back() -> None:
    @monitor_request
    async def handler() -> tuple[str, int]:
        return "hello", 201

    with reading() as got:
        assert asyncio.run(handler()) == ("hello", 201)
    assert _requests(got) == {("GET", "/", "201"): 1}
    assert got.sum("http_response_size", method="GET", endpoint="/") == 5


LABELS: list[tuple[str, dict[str, Any], _Request | None, tuple[str, str]]] = [
    ("nothing known", {}, None, ("GET", "/")),
    ("by keyword", {"method": "post", "endpoint": "/a"}, None, ("POST", "/a")),
    ("a method of one's own", {"method": "BREW", "endpoint": "/a"}, None, ("_OTHER", "/a")),
    ("keywords of None", {"method": None, "endpoint": None}, None, ("GET", "/")),
    ("keywords that are no text", {"method": 1, "endpoint": 2}, None, ("_OTHER", "2")),
    ("a keyword that cannot be a label", {"endpoint": "\ud800" * 300}, None, ("GET", "?" * 300)),
    ("from the request", {}, _Request(), ("POST", "/api/orders/<id>")),
    ("from the request, no route", {}, _Request(endpoint=None), ("POST", "(unmatched)")),
    ("keyword before request", {"method": "PUT"}, _Request(), ("PUT", "/api/orders/<id>")),
    ("endpoint before request", {"endpoint": "/b"}, _Request(), ("POST", "/b")),
]


@pytest.mark.parametrize(("kwargs", "request_", "labels"), [row[1:] for row in LABELS], ids=[row[0] for row in LABELS])
def test_labels_come_from_keywords_then_from_the_request(
    kwargs: dict[str, Any], request_: _Request | None, labels: tuple[str, str]
) -> None:
    @monitor_request
    def handler(**_: Any) -> None: ...

    token = current_request.set(request_)
    with reading() as got:
        handler(**kwargs)
    current_request.reset(token)
    assert _requests(got) == {(*labels, "200"): 1}


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("fails", [False, True])
def test_a_request_that_the_hook_counts_is_not_counted_again(is_async: bool, fails: bool) -> None:
    @monitor_request
    def handler() -> str:
        return _fail() if fails else "ok"

    @monitor_request
    async def async_handler() -> str:
        return _fail() if fails else "ok"

    with reading() as got, _serving(_Request(counted=True)):
        try:
            assert (asyncio.run(async_handler()) if is_async else handler()) == "ok"
        except RuntimeError:
            assert fails
    assert got.changed() == set()


def _fail() -> str:
    raise RuntimeError("failed")


class _Halt(BaseException):
    pass


@pytest.mark.parametrize("error", [RuntimeError("x"), _Halt(), NotFound()], ids=lambda error: type(error).__name__)
def test_an_exception_is_counted_with_its_duration_and_goes_on(error: BaseException) -> None:
    @monitor_request
    def handler() -> None:
        raise error

    @monitor_request
    async def async_handler() -> None:
        raise error

    with reading() as got:
        with pytest.raises(type(error)) as raised:
            handler()
        assert raised.value is error
        with pytest.raises(type(error)):
            asyncio.run(async_handler())
    assert _requests(got) == {("GET", "/", "404" if isinstance(error, NotFound) else "500"): 2}
    assert got.sum("http_response_size", method="GET", endpoint="/") == 0


def test_a_cancelled_handler_counts_as_500() -> None:
    @monitor_request
    async def handler() -> None:
        await asyncio.Event().wait()

    async def cancel() -> None:
        task = asyncio.ensure_future(handler())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with reading() as got:
        asyncio.run(cancel())
    assert _requests(got) == {("GET", "/", "500"): 1}


def test_requests_in_flight_are_active() -> None:
    within: list[float] = []

    @monitor_request()
    def handler() -> None:
        with reading() as got:
            pass
        within.append(got.after["active_connections", ()].value - before.after["active_connections", ()].value)

    handle_request()
    with reading() as before:
        pass
    handler()
    assert within == [1]


class _SlowToTell(dict[str, Any]):
    """A result that takes a second of the fake clock to be looked at."""

    def __contains__(self, key: object) -> bool:
        self["clock"].append(1.0)
        return super().__contains__(key)


def test_looking_at_the_result_is_no_part_of_the_duration(monkeypatch: pytest.MonkeyPatch) -> None:
    clock: list[float] = [100.0]
    monkeypatch.setattr(decorators, "perf_counter", lambda: sum(clock))

    @monitor_request
    def handler() -> dict[str, Any]:
        clock.append(0.25)
        return _SlowToTell(clock=clock, size=1)

    with reading() as got:
        handler()
    assert len(clock) > 2
    assert got.sum("http_request_duration", method="GET", endpoint="/") == 0.25


def test_methods_of_every_kind_are_monitored() -> None:
    class Api:
        @monitor_request
        def method(self) -> str:
            return "a"

        @monitor_request
        @staticmethod
        def static() -> str:
            return "b"

        @classmethod
        @monitor_request
        def of_class(cls) -> str:
            return "c"

    with reading() as got:
        assert Api().method() + Api.static() + Api.of_class() == "abc"
    assert _requests(got) == {("GET", "/", "200"): 3}


def test_flask_views_without_the_hook_are_counted_by_their_route() -> None:
    app = flask.Flask(__name__)

    @app.route("/items/<int:number>", methods=["GET", "DELETE"])
    @monitor_request
    def item(number: int) -> Any:
        if number == 0:
            flask.abort(410)
        return {"number": number}, 203

    with reading() as got:
        client = app.test_client()
        assert client.get("/items/7").get_json() == {"number": 7}
        assert client.delete("/items/8").status_code == 203
        assert client.get("/items/0").status_code == 410
    assert _requests(got) == {
        ("GET", "/items/<int:number>", "203"): 1,
        ("DELETE", "/items/<int:number>", "203"): 1,
        ("GET", "/items/<int:number>", "410"): 1,
    }


def test_a_stream_reaches_the_client_whole() -> None:
    app = flask.Flask(__name__)

    @app.get("/")
    @monitor_request
    def stream() -> Iterator[str]:
        yield "a"
        yield "b"

    with reading() as got:
        assert app.test_client().get("/").get_data() == b"ab"
    assert _requests(got) == {("GET", "/", "200"): 1}


@pytest.mark.parametrize("decorate", [monitor_request, track_performance])
def test_what_is_no_function_stays_as_it_is(decorate: Any, caplog: pytest.LogCaptureFixture) -> None:
    class View:
        pass

    assert decorate(View) is View
    assert decorate(View) is View
    assert decorate(3) == 3
    assert [record.getMessage() for record in caplog.records] == [
        f"{decorate.__name__} is for functions and methods; an object of {kind} stays as it is" for kind in (type, int)
    ]


def _tracked(got: Reading, name: str, module: str = __name__) -> int:
    return got.count("function_duration", function_name=name, module=module)


@track_performance
def plain(number: int) -> int:
    """Add one."""
    return number + 1


def test_a_tracked_function_is_recorded_by_name_and_module() -> None:
    with reading() as got:
        assert plain(number=4) == 5
    assert got.changed() == {"function_duration"}
    assert _tracked(got, "plain") == 1
    assert got.bounds("function_duration", function_name="plain", module=__name__) == (0.001, 0.01, 0.1, 0.5, 1, 5)
    assert instruments()["function_duration"][:2] == ("otel_distro", "s")
    assert (plain.__name__, plain.__doc__) == ("plain", "Add one.")


def test_names_can_be_given() -> None:
    @track_performance(name="checkout", module="shop")
    def first() -> None: ...

    @track_performance("checkout", module="shop")
    def second() -> None: ...

    @track_performance()
    def third() -> None: ...

    with reading() as got:
        first(), second(), third()
    assert _tracked(got, "checkout", "shop") == 2
    assert _tracked(got, "third") == 1


def test_functions_of_every_kind_are_tracked() -> None:
    class Cart:
        @track_performance
        def total(self) -> int:
            return 1

        @track_performance
        @staticmethod
        def tax() -> int:
            return 2

        @classmethod
        @track_performance
        def empty(cls) -> int:
            return 3

    @track_performance
    async def fetch() -> int:
        return 4

    @track_performance
    def pages() -> Generator[int, None, None]:
        yield 5

    @track_performance
    async def events() -> AsyncGenerator[int, None]:
        yield 6

    async def listen() -> list[int]:
        return [event async for event in events()]

    with reading() as got:
        assert [Cart().total(), Cart.tax(), Cart.empty(), asyncio.run(fetch())] == [1, 2, 3, 4]
        assert [*pages(), *asyncio.run(listen())] == [5, 6]
    for name in ("Cart.total", "Cart.tax", "Cart.empty", "fetch", "pages", "events"):
        assert _tracked(got, name) == 1, name


def test_a_tracked_function_that_raises_is_recorded_and_its_exception_goes_on() -> None:
    @track_performance
    def fail() -> None:
        raise KeyError("secret")

    with reading() as got, pytest.raises(KeyError):
        fail()
    assert _tracked(got, "fail") == 1


def test_many_threads_lose_no_call() -> None:
    def run() -> None:
        for number in range(500):
            plain(number)

    with reading() as got:
        threads = [Thread(target=run) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert _tracked(got, "plain") == 3000


def test_with_tracing_on_a_call_is_a_span_below_the_current_one() -> None:
    inner_ids: list[int] = []

    @track_performance
    def work(card: str) -> str:
        inner_ids.append(trace.get_current_span().get_span_context().span_id)
        return card

    with spans() as found, trace.get_tracer("tests").start_as_current_span("outer") as outer:
        work("4111111111111111")
        assert trace.get_current_span() is outer
    span = next(span for span in found if span.name == "work")
    assert span.parent is not None
    assert span.parent.span_id == outer.get_span_context().span_id
    assert span.context is not None
    assert inner_ids == [span.context.span_id]
    assert dict(span.attributes or {}) == {"code.function.name": f"{__name__}.work"}
    assert span.status.status_code is StatusCode.UNSET


def test_a_span_tells_the_exception() -> None:
    @track_performance
    async def fail() -> None:
        raise ValueError("empty cart")

    with spans() as found, pytest.raises(ValueError, match="empty cart"):
        asyncio.run(fail())
    (span,) = found
    assert span.status.status_code is StatusCode.ERROR
    assert span.status.description == "ValueError: empty cart"
    assert [event.name for event in span.events] == ["exception"]


def _current() -> int:
    return trace.get_current_span().get_span_context().span_id


def test_the_span_of_a_generator_is_current_inside_of_it_and_nowhere_else() -> None:
    @track_performance
    def pages() -> Generator[int, None, None]:
        yield _current()
        yield _current()

    with spans() as found, trace.get_tracer("tests").start_as_current_span("outer") as outer:
        outside = [_current()]
        inside = []
        for span_id in pages():
            inside.append(span_id)
            outside.append(_current())
        abandoned = pages()
        next(abandoned)
        abandoned.close()
        outside.append(_current())
    first, second = (span for span in found if span.name == "pages")
    assert first.context is not None
    assert inside == [first.context.span_id] * 2
    assert set(outside) == {outer.get_span_context().span_id}
    assert second.status.status_code is StatusCode.UNSET


def test_the_span_of_an_async_generator_is_current_inside_of_it_and_nowhere_else() -> None:
    @track_performance
    async def events() -> AsyncGenerator[int, None]:
        for _ in range(2):
            await asyncio.sleep(0)
            yield _current()

    async def listen() -> tuple[list[int], list[int]]:
        outside = [_current()]
        inside = []
        async for span_id in events():
            inside.append(span_id)
            outside.append(_current())
        return inside, outside

    with spans() as found:
        inside, outside = asyncio.run(listen())
    (span,) = found
    assert span.context is not None
    assert inside == [span.context.span_id] * 2
    assert set(outside) == {0}


class _Breaking(SpanProcessor):
    """A user's span processor that fails."""

    def __init__(self, at: str) -> None:
        self._at = at

    def on_start(self, span: Any, parent_context: Any = None) -> None:
        if self._at == "start":
            raise RuntimeError

    def on_end(self, span: ReadableSpan) -> None:
        if self._at == "end":
            raise RuntimeError


@pytest.mark.parametrize("at", ["start", "end"])
def test_tracing_that_fails_does_not_reach_the_function(at: str, monkeypatch: pytest.MonkeyPatch) -> None:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(_Breaking(at))
    monkeypatch.setattr(decorators, "_tracer", lambda: provider.get_tracer("tests"))
    with reading() as got:
        assert plain(1) == 2
    assert _tracked(got, "plain") == 1


def test_an_exception_that_cannot_be_shown_still_goes_on() -> None:
    class Mute(Exception):  # noqa: N818 -- a test's own
        def __str__(self) -> str:
            raise RuntimeError("no text")

    @track_performance
    def fail() -> None:
        raise Mute

    with spans() as found, pytest.raises(Mute):
        fail()
    assert [span.name for span in found] == ["fail"]


def test_decorated_before_any_provider_it_is_on_as_soon_as_there_is_one() -> None:
    program = """
import json
from opentelemetry import metrics, trace
from otel_distro import monitor_request, track_performance
@track_performance
def tracked(): return trace.get_current_span().is_recording()
@monitor_request
def handler(): return "ok"
before = tracked(), handler()
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
reader = InMemoryMetricReader()
metrics.set_meter_provider(MeterProvider([reader]))
between = tracked(), handler()
trace.set_tracer_provider(TracerProvider())
after = tracked(), handler()
scopes = reader.get_metrics_data().resource_metrics[0].scope_metrics
counts = {m.name: [getattr(p, "count", None) or p.value for p in m.data.data_points] for s in scopes for m in s.metrics}
print(json.dumps([before, between, after, len(scopes), counts]))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    before, between, after, scopes, counts = json.loads(done.stdout)
    assert [before, between, after] == [[False, "ok"], [False, "ok"], [True, "ok"]]
    assert scopes == 1
    assert counts["function_duration"] == [2]
    assert counts["http_requests"] == [2]
    assert done.stderr == ""

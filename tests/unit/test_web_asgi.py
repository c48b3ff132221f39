"""One request through the ASGI hook: what the server, the client, the logs and the metrics see."""

from __future__ import annotations

import asyncio
import gc
import logging
import weakref
from collections.abc import Awaitable, Callable, Generator
from contextvars import copy_context
from dataclasses import dataclass
from typing import Any

import pytest
from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, get_current_span, use_span

from otel_distro.context import ERROR_IDS, current_request, current_user, get_request_id, request_id, set_user, user_id
from otel_distro.logs.document import Documents
from otel_distro.web.asgi import AsgiHook, Message, Receive, Scope, Send, serving
from tests.asgi import Answer, answered, ask, scope_of
from tests.unit.test_web_wsgi import Recorder

Work = Callable[[Scope, Receive, Send], Awaitable[None]]
ROUTE = "/items/{id}"


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


def hooked(recorder: Any, work: Work, route: str | None = ROUTE) -> Any:
    """Return an application whose requests go through the hook."""

    async def call(_: Any, scope: Scope, receive: Receive, send: Send) -> None:
        await work(scope, receive, send)

    serve = serving(call, AsgiHook(lambda _: route, recorder))
    return lambda scope, receive, send: serve(None, scope, receive, send)


def answer(*parts: bytes, status: int = 200, headers: Any = ()) -> Work:
    """Return an application that sends these parts of a body."""

    async def work(_: Scope, __: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": status, "headers": headers})
        for part in parts[:-1]:
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": parts[-1]})

    return work


def test_a_request_is_recorded_with_status_and_bytes(recorder: Recorder) -> None:
    found = ask(hooked(recorder, answer(b"abc", b"de", b"", status=201)), "/items/7", "POST")
    assert (found.messages[0]["status"], found.body) == (201, b"abcde")
    assert (recorder.records, recorder.active) == ([("POST", ROUTE, 201, 5)], 0)
    assert 0 <= recorder.durations[0] < 60


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)])
def test_what_no_client_has_a_body_of_is_counted_without_a_byte(recorder: Recorder, method: str, status: int) -> None:
    ask(hooked(recorder, answer(b"abc", b"de", status=status)), "/items/7", method)
    assert recorder.records == [(method, ROUTE, status, 0)]


def test_what_no_route_takes_and_a_method_nobody_knows_have_labels_of_their_own(recorder: Recorder) -> None:
    ask(hooked(recorder, answer(b""), route=None), "/../etc/passwd", "BREW")
    assert recorder.records == [("_OTHER", "(unmatched)", 200, 0)]


def test_an_answer_to_head_has_no_bytes(recorder: Recorder) -> None:
    ask(hooked(recorder, answer(b"abc", headers=[(b"content-length", b"3")])), "/items/7", "HEAD")
    assert recorder.records == [("HEAD", ROUTE, 200, 0)]


def test_a_request_is_counted_before_its_last_byte_leaves(recorder: Recorder) -> None:
    counted: list[tuple[str, int]] = []

    async def serve(parts: tuple[bytes, ...], headers: Any) -> None:
        async def send(message: Message) -> None:
            counted.append((message["type"].rpartition(".")[2], len(recorder.records)))

        app = hooked(recorder, answer(*parts, headers=headers))
        await app(scope_of("/items/7"), lambda: asyncio.sleep(0, {"type": "http.request"}), send)

    asyncio.run(serve((b"abc", b"de"), ()))
    assert counted == [("start", 0), ("body", 0), ("body", 1)]
    # Announced: the client has it all before the end is told.
    counted.clear()
    asyncio.run(serve((b"abc", b"de", b""), [(b"Content-Length", b"5")]))
    assert counted == [("start", 1), ("body", 1), ("body", 2), ("body", 2)]


def test_a_file_that_the_server_sends_by_itself_has_the_announced_length(recorder: Recorder) -> None:
    async def work(_: Scope, __: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"12345")]})
        await send({"type": "http.response.pathsend", "path": "/a/file"})

    app = hooked(recorder, work)
    ask(app, "/items/7")
    ask(app, "/items/7", "HEAD")
    assert recorder.records == [("GET", ROUTE, 200, 12345), ("HEAD", ROUTE, 200, 0)]


@pytest.mark.parametrize("length", [b"many", b"-1", b"", "\u00b2".encode("latin-1"), b"1" * 5000])
def test_a_length_that_is_none_leaves_the_request_counted_by_its_body(recorder: Recorder, length: bytes) -> None:
    found = ask(hooked(recorder, answer(b"abc", headers=[(b"content-length", length)])), "/items/7")
    assert found.error is None
    assert recorder.records == [("GET", ROUTE, 200, 3)]


def test_what_raises_before_it_answers_is_a_500_and_goes_on_to_the_server(recorder: Recorder) -> None:
    async def work(*_: Any) -> None:
        raise KeyError("x")

    found = ask(hooked(recorder, work), "/items/7")
    assert isinstance(found.error, KeyError)
    assert (recorder.records, recorder.active) == ([("GET", ROUTE, 500, 0)], 0)


def test_what_raises_within_its_answer_has_the_status_that_the_client_saw(recorder: Recorder) -> None:
    async def work(_: Scope, __: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 206, "headers": []})
        await send({"type": "http.response.body", "body": b"ab", "more_body": True})
        raise ValueError

    assert isinstance(ask(hooked(recorder, work), "/items/7").error, ValueError)
    assert recorder.records == [("GET", ROUTE, 206, 2)]


def test_what_is_cancelled_and_what_never_answers_are_in_flight_no_more(recorder: Recorder) -> None:
    async def forever(*_: Any) -> None:
        await asyncio.Event().wait()

    async def nothing(*_: Any) -> None:
        return

    async def cancel() -> Answer:
        task = asyncio.ensure_future(answered(hooked(recorder, forever), scope_of("/items/7")))
        await asyncio.sleep(0)
        assert recorder.active == 1
        task.cancel()
        return await task

    assert isinstance(asyncio.run(cancel()).error, asyncio.CancelledError)
    ask(hooked(recorder, nothing), "/items/7")
    assert (recorder.records, recorder.active) == ([("GET", ROUTE, 500, 0)] * 2, 0)


def test_the_server_that_fails_to_send_is_heard_by_the_application(recorder: Recorder) -> None:
    async def gone(_: Message) -> None:
        raise OSError("the client is gone")

    app = hooked(recorder, answer(b"abc"))
    with pytest.raises(OSError, match="the client is gone"):
        asyncio.run(app(scope_of("/items/7"), lambda: asyncio.sleep(0, {"type": "http.request"}), gone))
    assert recorder.records == [("GET", ROUTE, 200, 0)]


def test_the_request_id_is_the_clients_or_a_fresh_one_and_comes_back(recorder: Recorder) -> None:
    seen: list[str | None] = []

    async def work(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(get_request_id())
        await answer(b"x")(scope, receive, send)

    app = hooked(recorder, work)
    assert ask(app, "/", headers=[(b"x-request-id", b"my-first")]).headers["x-request-id"] == "my-first"
    for hostile in (b"a b", b"\xff", b"x" * 129, b""):
        assert ask(app, "/", headers=[(b"x-request-id", hostile)]).headers["x-request-id"] == seen[-1]
    assert ask(app, "/").headers["x-request-id"] == seen[-1]
    assert seen[0] == "my-first"
    assert all(len(made or "") == 32 for made in seen[1:])


def test_a_request_id_of_the_application_stays_and_its_headers_are_not_touched(recorder: Recorder) -> None:
    own = [(b"X-Request-ID", b"theirs")]
    assert ask(hooked(recorder, answer(b"", headers=own)), "/").messages[0]["headers"] == own
    kept: list[tuple[bytes, bytes]] = []
    assert len(ask(hooked(recorder, answer(b"", headers=kept)), "/").headers) == 1
    assert kept == []
    assert len(ask(hooked(recorder, answer(b"", headers=iter(kept))), "/").headers) == 1


def test_ids_are_the_requests_own_and_gone_afterwards(recorder: Recorder) -> None:
    seen: list[tuple[str | None, str | None, Any]] = []

    async def work(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append((get_request_id(), current_user(), current_request.get()))
        set_user(scope["path"])
        await asyncio.sleep(0)
        seen.append((get_request_id(), current_user(), None))
        await answer(b"")(scope, receive, send)

    async def both() -> None:
        app = hooked(recorder, work)
        set_user("around")
        one, two = (answered(app, scope_of(path, headers=[(b"x-request-id", path.encode())])) for path in ("/1", "/2"))
        await asyncio.gather(one, two)
        await answered(app, scope_of("/3", headers=[(b"x-request-id", b"/3")]))
        assert (get_request_id(), user_id.get(), current_request.get()) == (None, "around", None)

    asyncio.run(both())
    assert {who[:2] for who in seen} == {(path, user) for path in ("/1", "/2", "/3") for user in (None, path)}
    exchange = seen[0][2]
    assert (exchange.method, exchange.endpoint, exchange.counted) == ("GET", ROUTE, True)


def test_a_request_that_ends_in_another_context_leaves_none_of_its_ids_there(recorder: Recorder) -> None:
    class Forever:
        def __await__(self) -> Generator[None, None, None]:
            yield

    async def forever(*_: Any) -> None:
        await Forever()

    begun_in = copy_context()
    serve = hooked(recorder, forever)(scope_of("/"), None, None)
    begun_in.run(serve.send, None)
    ended_in = begun_in.copy()
    ended_in.run(serve.close)
    assert (ended_in.run(request_id.get), ended_in.run(current_request.get), recorder.active) == (None, None, 0)


@pytest.mark.parametrize(("recording", "named"), [(True, True), (False, False)])
def test_an_exemplar_names_a_span_that_is_recorded_and_no_other(recording: bool, named: bool) -> None:
    around: list[Context | None] = []

    class Keeping(Recorder):
        def answered(self, *figures: Any) -> None:
            around.append(figures[-1])

    async def work(scope: Scope, receive: Receive, send: Send) -> None:
        context = SpanContext(11, 22, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))
        with use_span(Recording(context) if recording else NonRecordingSpan(context)):
            await answer(b"")(scope, receive, send)

    class Recording(NonRecordingSpan):
        """Stands for a span that is exported."""

    ask(hooked(Keeping(), work), "/items/7")
    # None is the current one.
    assert (around[0] is None or get_current_span(around[0]).get_span_context().is_valid) == named


def test_a_websocket_has_ids_and_no_figures(recorder: Recorder) -> None:
    seen: list[Any] = []

    async def work(_: Scope, __: Receive, send: Send) -> None:
        seen.extend((get_request_id(), current_request.get()))
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.close"})

    scope = scope_of("/", headers=[(b"x-request-id", b"socket")], type="websocket")
    del scope["method"]
    found = asyncio.run(answered(hooked(recorder, work), scope))
    assert [message["type"] for message in found.messages] == ["websocket.accept", "websocket.close"]
    assert (seen[0], seen[1].counted) == ("socket", False)
    assert (recorder.records, recorder.active) == ([], 0)


def test_a_lifespan_goes_through_untouched(recorder: Recorder) -> None:
    scopes: list[Scope] = []

    async def work(scope: Scope, _: Receive, __: Send) -> None:
        scopes.append(dict(scope))

    asyncio.run(answered(hooked(recorder, work), {"type": "lifespan"}))
    assert scopes == [{"type": "lifespan"}]
    assert recorder.active == 0


def test_an_application_inside_of_another_one_is_counted_once(recorder: Recorder) -> None:
    inner = hooked(recorder, answer(b"abc"), route="/inner")
    ask(hooked(recorder, inner), "/items/7")
    assert recorder.records == [("GET", ROUTE, 200, 3)]


def test_metrics_that_fail_are_said_once_and_the_request_is_served(caplog: pytest.LogCaptureFixture) -> None:
    class Failing:
        def started(self) -> None:
            raise LookupError("no meter")

        def answered(self, *_: Any) -> None:
            raise LookupError("no meter")

    app = hooked(Failing(), answer(b"abc"))
    assert [ask(app, "/items/7").body for _ in range(3)] == [b"abc"] * 3
    assert caplog.text.count("requests are not measured: LookupError: no meter; they are served") == 1


def test_nothing_is_measured_where_the_classic_metrics_are_off() -> None:
    found = ask(hooked(None, answer(b"abc")), "/items/7")
    assert (found.body, len(found.headers["x-request-id"])) == (b"abc", 32)


def test_a_request_that_is_over_is_freed_without_the_garbage_collector(recorder: Recorder) -> None:
    class Watched(dict[str, Any]):
        """A scope of which can be told whether it is still there."""

    kept: list[weakref.ref[Watched]] = []

    async def serve() -> None:
        scope = Watched(scope_of("/items/7"))
        kept.append(weakref.ref(scope))
        await answered(hooked(recorder, answer(b"abc")), scope)

    gc.disable()
    try:
        asyncio.run(serve())
        assert kept[0]() is None
    finally:
        gc.enable()


@dataclass(frozen=True)
class _FrozenError(Exception):
    """An error that lets nobody set an attribute."""


@pytest.mark.parametrize("kind", [ValueError, _FrozenError])
def test_the_servers_line_about_an_error_has_the_ids_of_its_request(
    recorder: Recorder, kind: type[Exception], caplog: pytest.LogCaptureFixture
) -> None:
    async def work(*_: Any) -> None:
        set_user("ann")
        raise kind

    found = ask(hooked(recorder, work), "/items/7", headers=[(b"x-request-id", b"my-first")])
    assert isinstance(found.error, kind)
    logging.getLogger("server").error("failed", exc_info=found.error)
    (record,) = caplog.records
    document = Documents().of(record)
    assert (document["request_id"], document["user_id"], get_request_id()) == ("my-first", "ann", None)


def test_an_error_that_is_raised_in_one_request_after_the_other_has_the_ids_of_the_last(recorder: Recorder) -> None:
    failed = ValueError("made once")

    async def work(*_: Any) -> None:
        raise failed

    for name in (b"my-first", b"my-second"):
        ask(hooked(recorder, work), "/items/7", headers=[(b"x-request-id", name)])
    assert vars(failed)[ERROR_IDS][0] == "my-second"


def test_a_line_about_an_error_within_another_request_keeps_its_own_ids(
    recorder: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(*_: Any) -> None:
        set_user("ann")
        raise ValueError

    async def tell(*_: Any) -> None:
        logging.getLogger("server").error("failed", exc_info=failed)
        found.append(Documents().of(caplog.records[0]))

    found: list[dict[str, Any]] = []
    failed = ask(hooked(recorder, fail), "/items/7", headers=[(b"x-request-id", b"my-first")]).error
    ask(hooked(recorder, tell), "/items/7", headers=[(b"x-request-id", b"my-second")])
    assert (found[0]["request_id"], "user_id" in found[0]) == ("my-second", False)


def test_the_ids_of_a_span_that_is_over_before_its_error_comes_out_are_kept(recorder: Recorder) -> None:
    async def work(_: Scope, __: Receive, send: Send) -> None:
        with use_span(NonRecordingSpan(SpanContext(11, 22, is_remote=False, trace_flags=TraceFlags(1)))):
            await send({"type": "http.response.start", "status": 500, "headers": []})
            await send({"type": "http.response.body", "body": b""})
        raise ValueError

    def record() -> logging.LogRecord:
        return logging.LogRecord("server", logging.ERROR, __file__, 1, "failed", (), (ValueError, error, None))

    error: Any = ask(hooked(recorder, work), "/items/7", headers=[(b"x-request-id", b"my-first")]).error
    assert vars(error)[ERROR_IDS] == ["my-first", None, 11, 22, 1]
    assert Documents().of(record())["trace_id"] == f"{11:032x}"
    # One that was made within another span keeps that.
    with use_span(NonRecordingSpan(SpanContext(33, 44, is_remote=False))):
        document = Documents().of(record())
    assert (document["trace_id"], document["request_id"]) == (f"{33:032x}", "my-first")

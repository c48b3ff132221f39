"""One request through the hook: what the server, the client, the logs and the metrics see."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import Any
from wsgiref.util import FileWrapper
from wsgiref.validate import validator

import pytest
from opentelemetry.trace import INVALID_SPAN, INVALID_SPAN_CONTEXT, NonRecordingSpan, get_current_span

from otel_distro.context import current_request, get_request_id, request_id, set_user, user_id
from otel_distro.web.exchange import Exchange, Hook
from otel_distro.web.pep3333 import Environ, StartResponse
from otel_distro.web.wsgi import serving


@dataclass
class Recorder:
    """Stands for the request metrics; keeps what it is told."""

    active: int = 0
    records: list[tuple[str, str, int, int]] = field(default_factory=list)
    durations: list[float] = field(default_factory=list)
    contexts: list[Any] = field(default_factory=list)

    def started(self) -> None:
        self.active += 1

    def answered(
        self, method: str, endpoint: str, status: int, duration: float, size: int, context: object = None
    ) -> None:
        self.active -= 1
        self.records.append((method, endpoint, status, size))
        self.durations.append(duration)
        self.contexts.append(context)


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


def environ(**changes: Any) -> Environ:
    """Return what a real server hands over."""
    base: Environ = {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/items/7",
        "QUERY_STRING": "",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_SOFTWARE": "test/1.0",
        "REMOTE_PORT": "50000",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.errors": __import__("sys").stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    base.update(changes)
    return {key: value for key, value in base.items() if value is not None}


class Server:
    """The server's side of PEP 3333."""

    def __init__(self, recorder: Recorder | None, application: Callable[..., Iterable[bytes]], **changes: Any) -> None:
        self.status = ""
        self.error: Any = None
        self.headers: list[tuple[str, str]] = []
        self.written: list[bytes] = []
        self.environ = environ(**changes)
        self.body: Any = serve(application, self.environ, self.start_response, recorder)

    def start_response(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None, /) -> Any:
        assert type(headers) is list
        self.status, self.headers, self.error = status, headers, exc_info
        return self.written.append

    def send(self) -> bytes:
        try:
            return b"".join(self.body)
        finally:
            if hasattr(self.body, "close"):
                self.body.close()

    def header(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]


def serve(
    application: Callable[..., Iterable[bytes]], environ: Environ, start_response: Any, recorder: Any
) -> Iterable[bytes]:
    def method(_: object, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        return application(environ, start_response)

    return serving(method, Hook(route, recorder, whole_body=Whole))(None, environ, start_response)


def route(_: Environ) -> str | None:
    return "/items/<id>"


def answering(
    *chunks: bytes, status: str = "200 OK", headers: Iterable[tuple[str, str]] = ()
) -> Callable[..., Iterable[bytes]]:
    def application(_: Environ, start_response: StartResponse) -> Iterable[bytes]:
        start_response(status, list(headers))
        return list(chunks)

    return application


def test_a_request_is_recorded_once_with_what_was_sent(recorder: Recorder) -> None:
    server = Server(recorder, answering(b"abc", b"", b"defg"))
    assert recorder.records == []
    assert recorder.active == 1
    assert server.send() == b"abcdefg"
    assert recorder.records == [("GET", "/items/<id>", 200, 7)]
    assert recorder.active == 0


@pytest.mark.parametrize(
    ("method", "status"), [("HEAD", "200 OK"), ("GET", "204 No Content"), ("GET", "304 Not Modified")]
)
def test_what_no_client_has_a_body_of_is_counted_without_a_byte(recorder: Recorder, method: str, status: str) -> None:
    Server(recorder, answering(b"abc", b"de", status=status), REQUEST_METHOD=method).send()
    assert recorder.records == [(method, "/items/<id>", int(status[:3]), 0)]


def test_a_streamed_body_counts_until_its_last_byte(recorder: Recorder) -> None:
    def application(_: Environ, start_response: StartResponse) -> Iterator[bytes]:
        start_response("200 OK", [])
        for number in range(3):
            yield b"x" * number
        assert recorder.records == []

    assert Server(recorder, application).send() == b"xxx"
    assert recorder.records == [("GET", "/items/<id>", 200, 3)]


def test_an_application_that_raises_counts_as_500_and_the_exception_goes_on(recorder: Recorder) -> None:
    def application(_: Environ, __: StartResponse) -> Iterable[bytes]:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        Server(recorder, application)
    assert recorder.records == [("GET", "/items/<id>", 500, 0)]
    assert recorder.active == 0
    assert current_request.get() is None


@pytest.mark.parametrize("end", [None, StopIteration(), SystemExit(1)])
def test_a_websocket_that_takes_the_connection_over_has_ids_and_no_figures(
    recorder: Recorder, end: BaseException | None
) -> None:
    seen = []

    def application(_: Environ, __: StartResponse) -> Iterable[bytes]:
        seen.append((get_request_id(), recorder.active))
        if end is not None:
            raise end
        return []

    with pytest.raises(type(end)) if end is not None else nullcontext():
        Server(recorder, application, HTTP_UPGRADE="WebSocket", HTTP_X_REQUEST_ID="socket").send()
    assert seen == [("socket", 0)]
    assert (recorder.records, recorder.active, get_request_id()) == ([], 0, None)


def test_who_asks_for_a_websocket_and_is_answered_is_counted(recorder: Recorder) -> None:
    def failing(_: Environ, __: StartResponse) -> Iterable[bytes]:
        raise ValueError("no")

    Server(recorder, answering(b"abc", status="400 BAD REQUEST"), HTTP_UPGRADE="websocket").send()
    Server(recorder, answering(b"abc"), HTTP_UPGRADE="h2c").send()
    with pytest.raises(ValueError, match="no"):
        Server(recorder, failing, HTTP_UPGRADE="websocket")
    assert [record[2:] for record in recorder.records] == [(400, 3), (200, 3), (500, 0)]
    assert recorder.active == 0


def test_a_body_that_raises_before_its_first_byte_counts_as_500(recorder: Recorder) -> None:
    def application(_: Environ, start_response: StartResponse) -> Iterator[bytes]:
        start_response("200 OK", [])
        raise ValueError("no")
        yield b""

    with pytest.raises(ValueError, match="no"):
        Server(recorder, application).send()
    assert recorder.records == [("GET", "/items/<id>", 500, 0)]


def test_a_body_that_raises_midway_keeps_the_status_that_the_client_has_seen(recorder: Recorder) -> None:
    def application(_: Environ, start_response: StartResponse) -> Iterator[bytes]:
        start_response("200 OK", [])
        yield b"abc"
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        Server(recorder, application).send()
    assert recorder.records == [("GET", "/items/<id>", 200, 3)]


def test_a_client_that_goes_early_counts_with_what_it_got(recorder: Recorder) -> None:
    closed = []

    class Body:
        def __iter__(self) -> Iterator[bytes]:
            return iter([b"abc", b"def", b"ghi"])

        def close(self) -> None:
            closed.append(get_request_id())

    def application(_: Environ, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [])
        return Body()

    server = Server(recorder, application)
    assert next(iter(server.body)) == b"abc"
    server.body.close()
    server.body.close()
    assert recorder.records == [("GET", "/items/<id>", 200, 3)]
    assert closed == server.header("X-Request-ID")


def test_a_response_that_nobody_reads_counts_when_it_is_dropped(recorder: Recorder) -> None:
    server = Server(recorder, answering(b"abc"))
    server.body = None
    gc.collect()
    assert recorder.records == [("GET", "/items/<id>", 200, 0)]
    current_request.set(None)
    request_id.set(None)


def test_what_the_application_writes_itself_is_counted(recorder: Recorder) -> None:
    def application(_: Environ, start_response: StartResponse) -> Iterable[bytes]:
        write = start_response("200 OK", [])
        write(b"12345")
        return [b"67"]

    server = Server(recorder, application)
    server.send()
    assert server.written == [b"12345"]
    assert recorder.records == [("GET", "/items/<id>", 200, 7)]


def test_the_last_status_counts_where_an_error_replaces_the_first(recorder: Recorder) -> None:
    def application(_: Environ, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [])
        try:
            raise ValueError("late")
        except ValueError:
            start_response("503 Busy", [], __import__("sys").exc_info())
        return [b"busy"]

    server = Server(recorder, application)
    server.send()
    assert (server.status, server.error[0]) == ("503 Busy", ValueError)
    assert recorder.records == [("GET", "/items/<id>", 503, 4)]


@pytest.mark.parametrize(
    ("method", "label"),
    [
        ("GET", "GET"),
        ("patch", "PATCH"),
        ("HACK", "_OTHER"),
        ("", "_OTHER"),
        ("G\u00c9T", "_OTHER"),
        ("X" * 9999, "_OTHER"),
    ],
)
def test_a_method_outside_of_the_standard_is_other(recorder: Recorder, method: str, label: str) -> None:
    Server(recorder, answering(b""), REQUEST_METHOD=method).send()
    assert recorder.records[0][0] == label


@pytest.mark.parametrize(
    ("status", "code"), [("204 No Content", 204), ("nonsense", 0), ("", 0), ("\u00b2\u00b2\u00b2 x", 0)]
)
def test_a_status_that_is_no_number_is_zero(recorder: Recorder, status: str, code: int) -> None:
    Server(recorder, answering(b"", status=status)).send()
    assert recorder.records[0][2] == code


@pytest.mark.parametrize("given", ["abc-123", "x" * 128, '!~{}"'])
def test_a_usable_request_id_is_taken_over_and_returned(recorder: Recorder, given: str) -> None:
    server = Server(recorder, answering(b""), HTTP_X_REQUEST_ID=given)
    assert server.header("X-Request-ID") == [given]
    server.send()


@pytest.mark.parametrize("given", [None, "", "x" * 129, "a b", "a\tb", "caf\u00e9", "a\nb", "\x7f"])
def test_any_other_request_id_is_replaced(recorder: Recorder, given: str | None) -> None:
    server = Server(recorder, answering(b""), HTTP_X_REQUEST_ID=given)
    (sent,) = server.header("X-Request-ID")
    assert sent != given
    assert len(sent) == 32
    assert int(sent, 16) > 0
    server.send()


def test_a_request_id_that_the_application_sets_is_left_alone(recorder: Recorder) -> None:
    server = Server(recorder, answering(b"", headers=[("x-request-id", "mine")]))
    assert server.header("X-Request-ID") == ["mine"]
    server.send()


def test_the_context_lasts_until_the_response_is_closed_and_is_given_back(recorder: Recorder) -> None:
    seen = []
    request_id.set("outer")
    user_id.set("somebody")

    def application(_: Environ, start_response: StartResponse) -> Iterator[bytes]:
        start_response("200 OK", [])
        seen.append((get_request_id(), user_id.get()))
        set_user(42)
        yield b"a"
        seen.append((get_request_id(), user_id.get()))

    Server(recorder, application, HTTP_X_REQUEST_ID="inner").send()
    assert seen == [("inner", None), ("inner", "42")]
    assert (request_id.get(), user_id.get(), current_request.get()) == ("outer", "somebody", None)
    request_id.set(None)
    user_id.set(None)


def test_an_application_inside_of_another_one_is_counted_once(recorder: Recorder) -> None:
    def outer(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        return serve(answering(b"inner"), environ, start_response, recorder)

    server = Server(recorder, outer)
    assert server.send() == b"inner"
    assert len(recorder.records) == 1
    assert len(server.header("X-Request-ID")) == 1


def test_a_request_made_while_another_is_served_has_its_own_context(recorder: Recorder) -> None:
    seen = []

    def outer(_: Environ, start_response: StartResponse) -> Iterable[bytes]:
        Server(recorder, answering(b"inner"), HTTP_X_REQUEST_ID="second").send()
        seen.append(get_request_id())
        start_response("200 OK", [])
        return [b"outer"]

    Server(recorder, outer, HTTP_X_REQUEST_ID="first").send()
    assert seen == ["first"]
    assert len(recorder.records) == 2


def test_a_servers_own_file_wrapper_reaches_it_as_it_is(recorder: Recorder, tmp_path: Any) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * 100)

    def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Length", "100")])
        body: Iterable[bytes] = environ["wsgi.file_wrapper"](path.open("rb"))
        return body

    server = Server(recorder, application, **{"wsgi.file_wrapper": FileWrapper})
    assert type(server.body) is FileWrapper
    assert recorder.records == [("GET", "/items/<id>", 200, 100)]
    assert current_request.get() is None
    server.body.close()
    assert len(recorder.records) == 1


@pytest.mark.parametrize("wrapper", [FileWrapper, lambda file: file], ids=["a class", "a function, as uWSGI's"])
def test_a_body_that_is_no_file_is_counted_as_it_goes_where_a_server_sends_files(
    recorder: Recorder, wrapper: Any
) -> None:
    application = answering(b"hel", b"lo", headers=[("Content-Length", "5")])
    server = Server(recorder, application, **{"wsgi.file_wrapper": wrapper})
    assert recorder.records == []
    assert server.send() == b"hello"
    assert recorder.records == [("GET", "/items/<id>", 200, 5)]


def test_a_file_that_is_asked_for_by_head_is_counted_without_a_byte(recorder: Recorder, tmp_path: Any) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * 100)

    def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Length", "100")])
        body: Iterable[bytes] = environ["wsgi.file_wrapper"](path.open("rb"))
        return body

    server = Server(recorder, application, **{"wsgi.file_wrapper": FileWrapper, "REQUEST_METHOD": "HEAD"})
    assert recorder.records == [("HEAD", "/items/<id>", 200, 0)]
    server.body.close()


@pytest.mark.parametrize("length", ["", "12a", "-3", "1.5", "9" * 5000])
def test_a_length_that_is_no_number_reaches_the_server_and_the_bytes_are_counted(
    recorder: Recorder, length: str
) -> None:
    server = Server(recorder, answering(b"abc", b"de", headers=[("Content-Length", length)]))
    assert server.send() == b"abcde"
    assert server.header("Content-Length") == [length]
    assert recorder.records == [("GET", "/items/<id>", 200, 5)]


@pytest.mark.parametrize("headers", [[], [("Content-Length", "9" * 400)]], ids=["none", "more than there is room for"])
def test_a_file_of_unknown_length_is_counted_as_it_is_read(
    recorder: Recorder, tmp_path: Any, headers: list[tuple[str, str]]
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * 100)

    def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", headers)
        body: Iterable[bytes] = environ["wsgi.file_wrapper"](path.open("rb"))
        return body

    server = Server(recorder, application, **{"wsgi.file_wrapper": FileWrapper})
    assert len(server.send()) == 100
    assert recorder.records == [("GET", "/items/<id>", 200, 100)]


def test_a_test_client_that_reads_no_further_is_counted_with_the_whole_body(recorder: Recorder) -> None:
    application = answering(b"hello", headers=[("Content-Length", "5")])
    server = Server(recorder, application, SERVER_SOFTWARE=None, REMOTE_PORT=None)
    assert next(iter(server.body)) == b"hello"
    assert recorder.records == [("GET", "/items/<id>", 200, 5)]
    assert current_request.get() is None


# As uvicorn, Hypercorn and asgiref hand it over, which serve WSGI applications by ASGI.
BY_ASGI = {"SERVER_SOFTWARE": None, "REMOTE_PORT": None, "wsgi.multithread": True, "wsgi.multiprocess": True}


@pytest.mark.parametrize(
    ("name", "changes"), [("Content-Length", {}), ("content-length", {}), ("Content-Length", BY_ASGI)]
)
def test_a_request_is_counted_before_its_last_announced_byte_leaves_and_its_context_lasts(
    recorder: Recorder, name: str, changes: dict[str, Any]
) -> None:
    server = Server(recorder, answering(b"hel", b"lo", headers=[(name, "5")]), **changes)
    sent = iter(server.body)
    assert next(sent) == b"hel"
    assert recorder.records == []
    assert next(sent) == b"lo"
    assert recorder.records == [("GET", "/items/<id>", 200, 5)]
    assert current_request.get() is not None
    server.body.close()
    assert current_request.get() is None
    assert len(recorder.records) == 1


def test_an_answer_of_no_byte_is_counted_before_the_server_has_its_empty_chunk(recorder: Recorder) -> None:
    server = Server(recorder, answering(b"", headers=[("Content-Length", "0")]))
    assert next(iter(server.body)) == b""
    assert recorder.records == [("GET", "/items/<id>", 200, 0)]
    server.body.close()


class Whole(list[bytes]):
    """What a framework returns that has told how many bytes are in it."""

    closed: list[str | None]

    def close(self) -> None:
        self.closed.append(get_request_id())


def telling(size: int, *chunks: bytes, announced: int, closed: list[str | None]) -> Callable[..., Iterable[bytes]]:
    def application(_: Environ, start_response: StartResponse) -> Iterable[bytes]:
        current = current_request.get()
        assert isinstance(current, Exchange)
        current.whole = size
        start_response("200 OK", [("Content-Length", str(announced))])
        body = Whole(chunks)
        body.closed = closed
        return body

    return application


@pytest.mark.parametrize("changes", [{}, {"SERVER_SOFTWARE": None}], ids=["any server", "one that names itself not"])
def test_a_body_whose_bytes_are_known_is_counted_before_the_server_has_it_and_its_context_lasts(
    recorder: Recorder, changes: dict[str, Any]
) -> None:
    closed: list[str | None] = []
    server = Server(recorder, telling(5, b"hello", announced=5, closed=closed), HTTP_X_REQUEST_ID="known", **changes)
    assert recorder.records == [("GET", "/items/<id>", 200, 5)]
    assert recorder.active == 0
    assert get_request_id() == "known"
    assert b"".join(server.body) == b"hello"
    server.body.close()
    server.body.close()
    assert closed == ["known"]
    assert current_request.get() is None
    assert len(recorder.records) == 1


@pytest.mark.parametrize(
    ("size", "announced", "changes"),
    [
        (4, 5, {}),
        (-1, 5, {}),
        (5, 5, {"REQUEST_METHOD": "HEAD"}),
        (5, 5, {"SERVER_SOFTWARE": None, "REMOTE_PORT": None}),
    ],
)
def test_a_body_that_may_be_another_is_counted_as_it_is_sent(
    recorder: Recorder, size: int, announced: int, changes: dict[str, Any]
) -> None:
    sent = () if changes.get("REQUEST_METHOD") == "HEAD" else (b"hel", b"lo")
    server = Server(recorder, telling(size, *sent, announced=announced, closed=[]), **changes)
    assert recorder.records == []
    server.send()
    assert [record[3] for record in recorder.records] == [len(b"".join(sent))]
    assert current_request.get() is None


def test_a_body_that_a_middleware_has_put_in_place_of_the_known_one_is_counted_as_it_is_sent(
    recorder: Recorder,
) -> None:
    known = telling(5, b"hello", announced=5, closed=[])

    def middleware(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        yield from [bytes(reversed(chunk)) for chunk in known(environ, start_response)]

    def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        body = middleware(environ, start_response)
        return [next(iter(body)), *body]

    server = Server(recorder, application)
    assert recorder.records == []
    assert server.send() == b"olleh"
    assert recorder.records == [("GET", "/items/<id>", 200, 5)]


def test_a_context_that_outlives_a_response_holds_nothing_of_the_server(recorder: Recorder) -> None:
    contexts = []

    def application(_: Environ, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [])
        contexts.append(copy_context())
        return [b"hello"]

    server = Server(recorder, application)
    server.send()
    gone = weakref.ref(server)
    server.body = None
    del server
    gc.collect()
    assert gone() is None


def test_without_metrics_the_request_has_its_id_and_is_not_counted() -> None:
    seen = []

    def application(_: Environ, start_response: StartResponse) -> Iterable[bytes]:
        current = current_request.get()
        assert current is not None
        seen.append((current.counted, current.method, current.endpoint))
        start_response("200 OK", [])
        return [b""]

    server = Server(None, application)
    server.send()
    assert seen == [(False, "GET", "/items/<id>")]
    assert len(server.header("X-Request-ID")) == 1


def test_metrics_that_raise_are_one_warning_and_the_request_is_served(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Recorder):
        def started(self) -> None:
            raise RuntimeError("no instrument")

        def answered(
            self, method: str, endpoint: str, status: int, duration: float, size: int, context: object = None
        ) -> None:
            raise RuntimeError("no instrument")

    for _ in range(3):
        assert Server(Broken(), answering(b"ok")).send() == b"ok"
    assert caplog.text.count("requests are not measured") == 1


class Recorded(NonRecordingSpan):
    """What the hook does not know as a span that nobody keeps."""


@pytest.mark.parametrize(
    ("span", "named"), [(Recorded(INVALID_SPAN_CONTEXT), True), (INVALID_SPAN, False), (None, False)]
)
def test_an_exemplar_names_a_span_that_is_recorded_and_no_other(recorder: Recorder, span: Any, named: bool) -> None:
    def method(_: object, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        return answering(b"abc")(environ, start_response)

    hook = Hook(route, recorder, "span", (NonRecordingSpan,))  # type: ignore[arg-type]
    body: Any = serving(method, hook)(None, {**environ(), "span": span}, lambda *_: None)  # type: ignore[arg-type]
    list(body)
    body.close()
    (around,) = recorder.contexts
    assert (None if around is None else get_current_span(around)) is (span if named else None)


def test_the_hook_keeps_to_pep_3333(recorder: Recorder) -> None:
    def application(_: Environ, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "3")])
        return [b"abc"]

    def hooked(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        inner: Any = validator(application)  # type: ignore[arg-type]
        return serve(inner, environ, start_response, recorder)

    checked: Any = validator(hooked)  # type: ignore[arg-type]
    sent: dict[str, Any] = {}

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], None]:
        sent.update(status=status, headers=headers)
        return lambda _: None

    stream = __import__("io").BytesIO()
    body = checked(environ(**{"wsgi.input": stream, "wsgi.errors": __import__("sys").stderr}), start_response)
    assert b"".join(body) == b"abc"
    body.close()
    assert recorder.records == [("GET", "/items/<id>", 200, 3)]

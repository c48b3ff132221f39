"""Our way through a Flask request: put in force, taken back, and left alone where the contrib package has changed."""

from __future__ import annotations

import functools
import gc
import logging
import subprocess
import sys
import weakref
from collections.abc import Iterator
from os import environ
from time import time_ns
from typing import Any

import pytest
from flask import Flask, Response, request
from flask import globals as flask_globals
from opentelemetry import context, propagate
from opentelemetry.instrumentation import flask as contrib
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import INVALID_SPAN, get_current_span
from werkzeug.test import EnvironBuilder

from otel_distro import internals
from otel_distro.context import get_request_id
from otel_distro.internals import spans
from otel_distro.tracing import DormantTracerProvider
from otel_distro.web import flask_instrumentation

module: Any = contrib
STOCK = {name: getattr(module, name) for name in spans.FLASK_FACTORIES}


@pytest.fixture(autouse=True)
def _given_back() -> Iterator[None]:
    flask_instrumentation.uninstall()
    internals.warned.clear()
    yield
    flask_instrumentation.uninstall()


def in_force() -> set[str]:
    return {name for name, stock in STOCK.items() if getattr(module, name) is not stock}


def instrumented(tracers: Any, **options: Any) -> Flask:
    app = Flask("app")
    app.add_url_rule("/trace", view_func=lambda: format(get_current_span().get_span_context().trace_id, "032x"))
    options.setdefault("meter_provider", NoOpMeterProvider())
    module.FlaskInstrumentor.instrument_app(app, tracer_provider=tracers, **options)
    return app


def recorded(**options: Any) -> tuple[Flask, InMemorySpanExporter]:
    """Return an application with our instrumentation in force, and what keeps its spans."""
    flask_instrumentation.install()
    tracers, kept = TracerProvider(shutdown_on_exit=False), InMemorySpanExporter()
    tracers.add_span_processor(SimpleSpanProcessor(kept))
    return instrumented(tracers, **options), kept


def test_it_is_put_in_force_once_and_taken_back() -> None:
    stock = Flask.ensure_sync
    flask_instrumentation.install()
    flask_instrumentation.install()
    assert in_force() == set(STOCK)
    flask_instrumentation.uninstall()
    assert in_force() == set()
    assert Flask.ensure_sync is stock


@pytest.mark.parametrize("name", STOCK)
def test_a_function_with_other_parameters_is_one_warning_and_contrib_s_way(
    name: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, name, lambda **_: None)
    flask_instrumentation.install()
    flask_instrumentation.install()
    assert in_force() == {name}  # what this test has put there
    assert caplog.text.count(f"{name} takes other parameters") == 1


def test_a_key_that_has_gone_is_one_warning_and_contrib_s_way(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delattr(module, "_ENVIRON_SPAN_KEY")
    flask_instrumentation.install()
    flask_instrumentation.install()
    assert in_force() == set()
    assert caplog.text.count("has no opentelemetry.instrumentation.flask._ENVIRON_SPAN_KEY") == 1


def test_a_flask_older_than_the_way_is_one_warning_and_contrib_s_way(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delattr(flask_globals, "request_ctx")  # it came with release 2.2
    flask_instrumentation.install()
    flask_instrumentation.install()
    assert in_force() == set()
    assert caplog.text.count("pip install 'flask>=2.3'") == 1


def test_a_request_that_cannot_be_read_is_served_with_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    flask_instrumentation.install()
    tracers = TracerProvider(shutdown_on_exit=False)
    exporter = InMemorySpanExporter()
    tracers.add_span_processor(SimpleSpanProcessor(exporter))
    client = instrumented(tracers).test_client()
    for _ in range(3):
        # Nothing to route by is in it.
        assert (
            client.get("/trace", environ_overrides={"SERVER_PORT": "http", "HTTP_HOST": "localhost"}).status_code == 200
        )
    assert caplog.text.count("requests without attributes: ValueError") == 1
    assert [span.name for span in exporter.get_finished_spans()] == ["GET /trace"] * 3


def test_without_an_exporter_each_request_has_a_trace_id_or_its_parent_s_and_records_from_the_first_processor_on() -> (
    None
):
    flask_instrumentation.install()
    tracers = DormantTracerProvider(shutdown_on_exit=False)
    client = instrumented(tracers).test_client()
    parent = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
    assert client.get("/trace", headers=parent).text == "0af7651916cd43dd8448eb211c80319c"
    ids = {client.get("/trace").text for _ in range(3)}
    assert len(ids - {"0" * 32}) == 3
    assert get_current_span() is INVALID_SPAN
    exporter = InMemorySpanExporter()
    tracers.add_span_processor(SimpleSpanProcessor(exporter))
    recorded = client.get("/trace").text
    (span,) = exporter.get_finished_spans()
    assert format(span.context.trace_id, "032x") == recorded
    assert (span.attributes or {})["http.route"] == "/trace"
    assert get_request_id() is None


def test_functions_that_flask_has_to_run_in_a_loop_are_told_from_plain_ones() -> None:
    flask_instrumentation.install()

    class Loop(Flask):
        def async_to_sync(self, func: Any) -> Any:
            return ("run", func)

    async def later() -> str:
        return ""

    @functools.wraps(later)
    def plain() -> str:
        return ""

    app = Loop("app")
    run: Any = app.ensure_sync(later)
    assert run == ("run", later)
    assert app.ensure_sync(functools.partial(later))[0] == "run"  # type: ignore[index]
    assert app.ensure_sync(plain) is plain
    assert app.ensure_sync(len) is len


@pytest.mark.parametrize("choice", ["", "fast", "contrib"])
def test_a_variable_chooses_whose_way_a_request_goes(choice: str) -> None:
    program = (
        "import otel_distro; otel_distro.configure()\n"
        "from opentelemetry.instrumentation import flask\n"
        "print(flask._rewrapped_app.__module__.split('.')[0], type(flask.flask.Flask('a')).__name__)"
    )
    environment = {**environ, "OTEL_METRICS_EXPORTER": "none", "OTEL_DISTRO_FLASK": choice}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    home = "opentelemetry" if choice == "contrib" else "otel_distro"
    assert (done.stdout.split(), done.stderr) == ([home, "_InstrumentedFlask"], "")


def test_an_application_that_gives_it_up_is_as_before() -> None:
    flask_instrumentation.install()
    app = instrumented(TracerProvider(shutdown_on_exit=False))
    module.FlaskInstrumentor.uninstrument_app(app)
    assert app.test_client().get("/trace").text == "0" * 32
    assert app.before_request_funcs[None] == []


def test_a_propagator_that_gives_no_context_costs_no_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(propagate, "_HTTP_TEXT_FORMAT", CompositePropagator([]))
    flask_instrumentation.install()
    app = instrumented(TracerProvider(shutdown_on_exit=False))
    answer = app.test_client().get("/trace", headers={"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"})
    assert answer.status_code == 200
    assert answer.text not in ("a" * 32, "0" * 32)


@pytest.mark.parametrize("error", [OSError("the database has gone"), SystemExit(1)])
@pytest.mark.parametrize("awake", [True, False])
def test_a_request_at_whose_end_the_application_raises_is_over_all_the_same(awake: bool, error: BaseException) -> None:
    flask_instrumentation.install()
    tracers, kept = DormantTracerProvider(shutdown_on_exit=False), InMemorySpanExporter()
    if awake:
        tracers.add_span_processor(SimpleSpanProcessor(kept))
    app = instrumented(tracers)

    @app.teardown_request
    def close(_: object) -> None:
        if request.args:
            raise error

    client = app.test_client()
    with pytest.raises(type(error)):
        client.get("/trace?fail=1")
    assert get_current_span() is INVALID_SPAN
    assert len({client.get("/trace").text for _ in range(3)}) == 3
    told = "OSError: the database has gone" if isinstance(error, OSError) else None
    assert [span.status.description for span in kept.get_finished_spans()] == (
        [told, None, None, None] if awake else []
    )


def test_a_request_whose_end_raised_in_a_test_that_keeps_its_requests_is_over_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app, kept = recorded()
    errors = iter([OSError("the database has gone")])

    @app.teardown_request
    def close(_: object) -> None:
        for error in errors:
            raise error

    with app.test_client() as client:
        with pytest.raises(OSError, match="gone"):
            client.get("/trace")
        assert get_current_span() is INVALID_SPAN
        client.get("/trace")
    assert [span.parent for span in kept.get_finished_spans()] == [None, None]
    assert caplog.messages == []


def test_a_host_that_is_not_trusted_is_answered_as_without_spans_where_urls_are_excluded() -> None:
    app, kept = recorded(excluded_urls="/health")
    app.config["TRUSTED_HOSTS"] = ["shop.example"]
    begun: list[str] = []
    app.before_request(lambda: begun.append(request.path))
    client = app.test_client()
    hosts = ("shop.example", "evil.example", "[::1")
    assert [client.get("/trace", headers={"Host": host}).status_code for host in hosts] == [200, 400, 400]
    assert client.get("/health", headers={"Host": "shop.example"}).status_code == 404
    assert begun == ["/trace"] * 3 + ["/health"]
    found = [(span.attributes or {})["http.status_code"] for span in kept.get_finished_spans()]
    assert found == [200, 400, 400]


def test_an_answer_of_a_function_that_stands_before_the_instrumentation_s_is_warned_of_where_contrib_does(
    caplog: pytest.LogCaptureFixture,
) -> None:
    flask_instrumentation.install()
    app = instrumented(TracerProvider(shutdown_on_exit=False))
    app.before_request_funcs[None].insert(0, lambda: "answered")
    assert app.test_client().get("/trace").text == "answered"
    told = "Flask environ's OpenTelemetry span missing at _start_response(200 OK)"
    assert caplog.record_tuples == [("opentelemetry.instrumentation.flask", logging.WARNING, told)]


def test_an_application_that_is_dropped_is_freed_with_its_hooks() -> None:
    flask_instrumentation.install()
    tracers = TracerProvider(shutdown_on_exit=False)
    tracers.add_span_processor(SimpleSpanProcessor(InMemorySpanExporter()))
    held: list[Flask] = []
    app = instrumented(tracers, response_hook=lambda *_, held=held: len(held))
    held.append(app)
    assert app.test_client().get("/trace").status_code == 200
    freed = weakref.ref(app)
    del app, held
    gc.collect()
    assert freed() is None


def test_what_takes_the_connection_over_and_answers_nothing_has_a_span() -> None:
    app, kept = recorded(meter_provider=MeterProvider(shutdown_on_exit=False))

    class Taken(Response):
        def __call__(self, *_: Any) -> Any:
            return []

    app.add_url_rule("/socket", "socket", Taken)
    body = app(EnvironBuilder("/socket").get_environ(), lambda *_: pytest.fail("nothing answers"))
    assert list(body) == []
    assert [span.name for span in kept.get_finished_spans()] == ["GET /socket"]


def test_a_span_begins_with_its_request_and_is_over_once_where_the_error_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app, kept = recorded()
    app.testing = True
    app.add_url_rule("/fail", "fail", lambda: str(1 / 0))
    begun: list[int] = []
    app.before_request_funcs[None].insert(0, lambda: begun.append(time_ns()))
    with pytest.raises(ZeroDivisionError):
        app.test_client().get("/fail")
    (span,) = kept.get_finished_spans()
    assert (span.start_time or 0) <= begun[0]
    assert caplog.messages == []


def test_what_a_hook_puts_into_the_context_is_there_in_the_request_and_gone_after_it() -> None:
    flask_instrumentation.install()
    tracers = DormantTracerProvider(shutdown_on_exit=False)
    tracers.add_span_processor(SimpleSpanProcessor(InMemorySpanExporter()))
    app = instrumented(tracers, request_hook=lambda *_: context.attach(context.set_value("shop", "north")))
    app.add_url_rule("/shop", "shop", lambda: str(context.get_value("shop")))
    assert app.test_client().get("/shop").text == "north"
    assert context.get_current() == {}

"""FastAPI under the prefix command, as a user has it: page, lines, spans and the example, over real sockets."""

from __future__ import annotations

import json
import re
import shlex
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.otlp import Receiver, documents
from tests.processes import ROOT, AppProcess
from tests.served import FASTAPI, Served
from tests.support import free_port, request, wait_until

README = (ROOT / "examples" / "fastapi" / "README.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^    (\S.*)$", README.replace("\\\n", ""), re.MULTILINE)


@pytest.fixture
def served(tmp_path: Path) -> Served:
    return Served(tmp_path)


def uvicorn(served: Served, **env: str) -> AppProcess:
    return served.started("uvicorn", "--port", str(served.port), FASTAPI, env=env)


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_page_lines_and_spans_of_a_request_belong_together(served: Served, tmp_path: Path) -> None:
    base, log = served.url.removesuffix("/work"), tmp_path / "app.log"
    with Receiver() as receiver:
        env = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.endpoint, "OTEL_DISTRO_LOG_FILE": str(log)}
        with uvicorn(served, **env) as app:
            answer = request(f"{base}/logged/ann", headers={"X-Request-ID": "mine-1"})
            assert (answer.status, answer.headers["x-request-id"]) == (200, "mine-1")
            assert request(f"{base}/fail", headers={"X-Request-ID": "mine-2"}).status == 500
            served.page.wait_for("http_requests_total", 1, endpoint="/logged/{name}", method="GET", status="200")
            served.page.wait_for("http_requests_total", 1, endpoint="/fail", method="GET", status="500")
            assert served.page.total("http_server_request_duration_seconds_count") == 0
            assert app.terminate() == -signal.SIGTERM  # uvicorn lets the signal have its effect
            assert "did not start" not in app.output
        spans = [span for kept in receiver.spans for scope in kept.scope_spans for span in scope.spans]
        records = list(documents(receiver.logs))
    handled = next(line for line in lines_of(log) if line["message"] == "handled ann")
    assert handled["request_id"] == "mine-1"
    (failed,) = [line for line in lines_of(log) if line["level"] == "ERROR"]
    assert (failed["request_id"], failed["error_type"]) == ("mine-2", "ValueError")
    # The same documents by OTLP, and nothing besides.
    assert sorted(record["log_id"] for record in records) == sorted(line["log_id"] for line in lines_of(log))
    named = {span.trace_id.hex(): span.name for span in spans if not span.parent_span_id}
    assert named[handled["trace_id"]] == "GET /logged/{name}"
    assert named[failed["trace_id"]] == "GET /fail"


def test_the_semantic_conventions_metrics_are_there_where_they_are_chosen(served: Served) -> None:
    with uvicorn(served, OTEL_DISTRO_HTTP_METRICS="semconv"):
        served.page.wait_for("http_server_request_duration_seconds_count", served.probed, http_route="/work")
        assert served.page.total("http_requests_total") == 0


def test_requests_are_let_alone_where_asgi_is_disabled(served: Served) -> None:
    with uvicorn(served, OTEL_PYTHON_DISABLED_INSTRUMENTATIONS="asgi"):
        served.page.wait_for("work_total", served.probed)
        assert served.page.total("http_requests_total") == 0
        assert "x-request-id" not in request(served.url).headers


def test_the_example_does_what_its_page_says(tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    ports = {"8000": str(free_port()), "5000": str(free_port())}

    def words(command: str) -> list[str]:
        return shlex.split(re.sub("8000|5000(?!/api/orders/7000)|(?<=:)5000", lambda port: ports[port[0]], command))

    start, *curls = words(COMMANDS[0]), *[words(line) for line in COMMANDS if line.startswith("curl")]
    env = dict(word.split("=", 1) for word in start if re.match("[A-Z_]+=", word))
    with AppProcess([word for word in start if not re.match("[A-Z_]+=", word)], env, cwd=tmp_path) as shop:
        shop.wait_for_http(f"http://127.0.0.1:{ports['5000']}/docs")
        for curl in curls:
            with AppProcess(curl, {}, cwd=tmp_path) as asked:
                assert asked.wait() == 0, asked.report
                page = asked.stdout
        assert 'http_requests_total{endpoint="/api/orders/{number}",method="GET",status="404"} 1' in page
        assert 'orders_total{payment_method="card",status="completed"} 1' in page
        log = tmp_path / "logs" / "shop.log"
        wait_until(lambda: "receipt" in log.read_text(), 60, what="the receipt of the order")
    for question, answer in (
        ("otel-distro logs request my-first", "receipt of order"),
        ("otel-distro logs errors", "RuntimeError"),
    ):
        assert question in COMMANDS
        with AppProcess(shlex.split(question), {}, cwd=tmp_path) as asked:
            assert asked.wait() == 0, asked.report
            assert answer in asked.stdout

"""The start, as a user has it: the prefix command before a real program, over real sockets."""

from __future__ import annotations

import json
import re
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes import ROOT, AppProcess
from tests.support import free_port, request, wait_for_http, wait_until

APP = ROOT / "tests" / "data" / "apps" / "small.py"
COUNTED = 'http_requests_total{endpoint="/items/<int:key>",method="GET",status="200"} '


class Small:
    """Ports and log file of one run of the small application."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.metrics_port = free_port()
        self.log_file = folder / "logs" / "small.log"
        self.url = f"http://127.0.0.1:{self.port}"
        self.metrics_url = f"http://127.0.0.1:{self.metrics_port}/metrics"
        self.env = {
            "APP_PORT": str(self.port),
            "OTEL_SERVICE_NAME": "small",
            "OTEL_EXPORTER_PROMETHEUS_PORT": str(self.metrics_port),
        }

    def start(self, *arguments: str, **env: str) -> AppProcess:
        return AppProcess(["opentelemetry-instrument", "python", str(APP), *arguments], {**self.env, **env})

    def start_bare(self, *arguments: str, **env: str) -> AppProcess:
        return AppProcess(["python", str(APP), *arguments], {**self.env, **env})

    def flask(self, *arguments: str, **env: str) -> AppProcess:
        words = ["opentelemetry-instrument", "flask", "--app", str(APP), "run", "--port", str(self.port), *arguments]
        return AppProcess(words, {**self.env, **env})

    def counted(self) -> int:
        line = next((x for x in request(self.metrics_url).text.splitlines() if x.startswith(COUNTED)), COUNTED + "0")
        return int(line.removeprefix(COUNTED))

    def documents(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.log_file.read_text().splitlines()]


@pytest.fixture
def small(tmp_path: Path) -> Small:
    return Small(tmp_path)


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", 0))
        stranger.listen()
        yield stranger.getsockname()[1]


def test_the_prefix_command_gives_metrics_and_logs(small: Small) -> None:
    with small.start(OTEL_DISTRO_LOG_FILE=str(small.log_file)) as app:
        app.wait_for_http(small.url + "/items/1")
        answer = request(small.url + "/items/2", headers={"X-Request-ID": "mine-1"})
        assert answer.headers["x-request-id"] == "mine-1"
        assert small.counted() == 2
        page = request(small.metrics_url).text
        assert 'service_name="small"' in page
        assert "active_connections 0" in page
    ours = [document for document in small.documents() if document.get("request_id") == "mine-1"]
    looked_up = next(document for document in ours if document["message"] == "looked up 2")
    assert looked_up["level"] == "INFO"
    assert looked_up["service"] == "small"
    assert re.fullmatch(r"[0-9a-f]{32}", str(looked_up["trace_id"]))
    assert re.fullmatch(r"[0-9a-f]{16}", str(looked_up["span_id"]))
    assert len({document["trace_id"] for document in ours if "trace_id" in document}) == 1


def test_configure_does_the_same_from_inside_and_a_second_call_nothing(small: Small) -> None:
    with small.start_bare("--configure", OTEL_DISTRO_LOG_FILE=str(small.log_file)) as app:
        app.wait_for_http(small.url + "/items/1")
        request(small.url + "/items/2")
        assert small.counted() == 2
        assert "did not start" not in app.output
    messages = [document["message"] for document in small.documents()]
    assert messages.count("looked up 2") == 1
    # The application was made before configure(), and has trace ids all the same.
    assert all("trace_id" in d for d in small.documents() if d["message"] == "looked up 2")


@pytest.mark.parametrize("option", ["-I", "-E"])
def test_where_python_leaves_the_environment_aside_only_configure_starts_anything(option: str) -> None:
    program = (
        "import sys; print('by the prefix:', 'otel_distro' in sys.modules); "
        "from otel_distro import configure; configure(); "
        "from otel_distro.metrics.server import page_service; print('by the call:', page_service.attached)"
    )
    command = ["opentelemetry-instrument", "python", option, "-c", program]
    with AppProcess(command, {"OTEL_EXPORTER_PROMETHEUS_PORT": "0"}) as app:
        assert app.wait() == 0, app.report
        assert app.stdout == "by the prefix: False\nby the call: True\n", app.report


def test_configure_under_the_prefix_does_nothing_more(small: Small) -> None:
    with small.start("--configure", OTEL_DISTRO_LOG_FILE=str(small.log_file)) as app:
        app.wait_for_http(small.url + "/items/1")
        assert small.counted() == 1
        assert "not served" not in app.output
    messages = [document["message"] for document in small.documents()]
    assert messages.count("looked up 1") == 1


def test_a_taken_port_is_one_warning_and_everything_else_runs(small: Small, taken_port: int) -> None:
    env = {"OTEL_EXPORTER_PROMETHEUS_PORT": str(taken_port), "OTEL_DISTRO_LOG_FILE": str(small.log_file)}
    with small.start(**env) as app:
        assert app.wait_for_http(small.url + "/items/1").headers["x-request-id"]
        warnings = [line for line in app.output.splitlines() if str(taken_port) in line]
        assert len(warnings) == 1
        assert "Address already in use" in warnings[0]
        assert "OTEL_EXPORTER_PROMETHEUS_PORT" in warnings[0]
    assert any("trace_id" in document for document in small.documents())


def test_a_disabled_sdk_leaves_the_application_as_it_was(small: Small, tmp_path: Path) -> None:
    with small.start(OTEL_SDK_DISABLED="true", OTEL_DISTRO_LOG_FILE=str(small.log_file)) as app:
        with_us = app.wait_for_http(small.url + "/items/1")
        with pytest.raises(OSError, match="refused"):
            request(small.metrics_url)
        disabled = app.output
    bare = Small(tmp_path)
    with bare.start_bare() as app:
        without = app.wait_for_http(bare.url + "/items/1")
        plain = app.output
    assert set(with_us.headers) == set(without.headers)
    assert not small.log_file.exists()
    assert _same(disabled, small.port) == _same(plain, bare.port)


@pytest.mark.parametrize("arguments", [[], ["--basic-config"]], ids=["no logging set up", "basicConfig"])
def test_the_console_is_left_alone_while_the_file_gets_everything(
    small: Small, tmp_path: Path, arguments: list[str]
) -> None:
    with small.start(*arguments, OTEL_DISTRO_LOG_FILE=str(small.log_file)) as app:
        app.wait_for_http(small.url + "/items/1")
        request(small.url + "/boom")
        app.terminate()
        with_us = app.output
    bare = Small(tmp_path)
    with bare.start_bare(*arguments) as app:
        app.wait_for_http(bare.url + "/items/1")
        request(bare.url + "/boom")
        app.terminate()
        plain = app.output
    assert _same(with_us, small.port) == _same(plain, bare.port)
    messages = [str(document["message"]) for document in small.documents()]
    assert {"looked up 1", "item 1 is low"} <= set(messages)
    assert sum("Exception on /boom" in message for message in messages) == 1


def _same(output: str, port: int) -> list[str]:
    """Return a program's output without what differs between two runs: the command, ports, times, traceback frames."""
    lines = output.replace(str(port), "PORT").splitlines()[1:]
    lines = [
        re.sub(r"\d\d/\w+/\d{4} \d\d:\d\d:\d\d|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d+", "TIME", line) for line in lines
    ]
    return [line for line in lines if not line.startswith("  ")]


@pytest.mark.parametrize(
    ("env", "named"),
    [
        ({"OTEL_TRACES_EXPORTER": "nowhere"}, "traces exporter 'nowhere' did not start"),
        ({"OTEL_METRICS_EXPORTER": "prometheus,nowhere"}, "metrics exporter 'nowhere' did not start"),
        ({"OTEL_LOGS_EXPORTER": "nowhere"}, "logs exporter 'nowhere' did not start"),
        (
            {"OTEL_CONFIG_FILE": "/nowhere.yaml", "OTEL_METRICS_EXPORTER": "none"},
            "'opentelemetry.configuration' (pip install opentelemetry-configuration, or unset OTEL_CONFIG_FILE)",
        ),
        ({"OTEL_DISTRO_LOG_FORMAT": "xml"}, "OTEL_DISTRO_LOG_FORMAT='xml' is not one of json, text, none"),
        ({"OTEL_EXPORTER_PROMETHEUS_HOST": "nowhere.invalid"}, "metrics are not served on nowhere.invalid:"),
        ({"OTEL_TRACES_SAMPLER": "nowhere"}, "nowhere"),
        ({"OTEL_EXPERIMENTAL_RESOURCE_DETECTORS": "process,nowhere"}, "nowhere"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_wrong_part_is_named_once_and_the_application_answers(
    small: Small, env: dict[str, str], named: str
) -> None:
    with small.start(**env) as app:
        app.wait_for_http(small.url + "/items/1")
        app.terminate()
        assert sum(named in line for line in app.output.splitlines()) == 1, app.output
        assert "Traceback" not in app.output


@pytest.mark.parametrize("way", ["fast", "contrib"])
def test_where_nothing_is_propagated_requests_begin_traces_of_their_own(small: Small, way: str) -> None:
    env = {"OTEL_PROPAGATORS": "none", "OTEL_DISTRO_FLASK": way, "OTEL_DISTRO_LOG_FILE": str(small.log_file)}
    with small.start(**env) as app:
        wait_for_http(small.metrics_url)
        app.wait_for_http(small.url + "/nowhere", status=404)
        parent = {"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}
        assert request(small.url + "/items/1", headers=parent).status == 200
        assert "Traceback" not in app.output
    [looked_up] = [document for document in small.documents() if document["message"] == "looked up 1"]
    assert looked_up["trace_id"] not in ("a" * 32, None)


@pytest.mark.parametrize(
    ("name", "value", "instead"),
    [
        ("OTEL_METRICS_EXEMPLAR_FILTER", "some", "'trace_based' is used instead"),
        ("OTEL_RESOURCE_ATTRIBUTES", "team=a,broken", "it is ignored"),
        ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "-1", "it is ignored"),
        ("OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT", "all", "'1000000' is used instead"),
        ("OTEL_PYTHON_EXCLUDED_URLS", "*.js", "it is ignored"),
        ("OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_REQUEST", "*", "it is ignored"),
        ("OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_RESPONSE", "[", "it is ignored"),
        ("OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SANITIZE_FIELDS", "*", "'.*' is used instead"),
    ],
)
@pytest.mark.parametrize("way", ["fast", "contrib"])
def test_a_wrong_value_that_opentelemetry_reads_too_costs_one_warning_and_nothing_else(
    small: Small, name: str, value: str, instead: str, way: str
) -> None:
    capture = {"OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_REQUEST": "X-Secret"}
    env = {**capture, name: value, "OTEL_TRACES_EXPORTER": "console", "OTEL_DISTRO_FLASK": way}
    with small.start(**env) as app:
        app.wait_for_http(small.metrics_url)
        wait_for_http(small.url + "/nowhere", status=404)
        assert request(small.url + "/items/1", headers={"X-Secret": "hunter2"}).status == 200
        wait_until(lambda: small.counted() == 1, what="the request on the page")
        app.terminate()
        assert '"GET /items/<int:key>"' in app.stdout
        [told] = [line for line in app.output.splitlines() if f"{name}={value!r}" in line]
        assert told.endswith(instead)
        assert "did not start" not in app.output
        assert "Traceback" not in app.output
        assert ("hunter2" in app.output) == ("SERVER_REQUEST" not in name and "SANITIZE" not in name)


def test_an_id_generator_that_is_not_there_is_named_and_spans_have_ids_all_the_same(small: Small) -> None:
    with small.start(OTEL_PYTHON_ID_GENERATOR="nowhere", OTEL_TRACES_EXPORTER="console") as app:
        app.wait_for_http(small.url + "/items/1")
        app.terminate()
        assert app.output.count("OTEL_PYTHON_ID_GENERATOR='nowhere' did not start") == 1
        assert app.output.count(" did not start") == 1
        assert '"GET /items/<int:key>"' in app.stdout


def test_an_empty_variable_is_as_none_at_all(small: Small) -> None:
    names = ("METRICS_EXEMPLAR_FILTER", "TRACES_SAMPLER", "EXPORTER_OTLP_TIMEOUT", "EXPORTER_OTLP_COMPRESSION")
    empty = {f"OTEL_{name}": "" for name in names}
    send = {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_TRACES_EXPORTER": "otlp", "OTEL_DISTRO_EXIT_TIMEOUT": "0"}
    with small.start(**empty, **send) as app:
        app.wait_for_http(small.url + "/items/1")
        assert small.counted() == 1
        app.terminate()
        assert "did not start" not in app.output
        assert "ampler" not in app.output


def test_an_instrumentation_that_raises_is_named_and_the_rest_runs(small: Small, tmp_path: Path) -> None:
    # A distribution with an instrumentor that raises, found by its entry point as an installed one is.
    folder = tmp_path / "site"
    metadata = folder / "broken_instrumentation-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: broken-instrumentation\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[opentelemetry_instrumentor]\naaa = broken_instrumentation:Broken\n")
    (folder / "broken_instrumentation.py").write_text(
        "class Broken:\n    def instrument(self, **kwargs):\n        raise RuntimeError('broken on purpose')\n"
    )
    with small.start(PYTHONPATH=str(folder)) as app:
        app.wait_for_http(small.url + "/items/1")
        assert small.counted() == 1
        warning = "instrumentation 'aaa' did not start: RuntimeError: broken on purpose"
        assert app.output.count(warning) == 1
        assert "Traceback" not in app.output


def test_a_module_of_the_service_that_is_named_resource_costs_no_log_line(tmp_path: Path) -> None:
    # The prefix command puts the current folder before Python's own modules.
    (tmp_path / "resource.py").write_text("class Resource: ...\n")
    program = "import logging, resource; logging.getLogger('a').warning(resource.Resource.__name__)"
    env = {"OTEL_DISTRO_LOG_FILE": str(tmp_path / "a.log"), "OTEL_METRICS_EXPORTER": "none"}
    with AppProcess(["opentelemetry-instrument", "python", "-c", program], env, cwd=tmp_path) as app:
        assert app.wait() == 0, app.output
    assert '"message":"Resource"' in (tmp_path / "a.log").read_text()


def test_flask_run_counts_its_requests(small: Small) -> None:
    with small.flask() as app:
        app.wait_for_http(small.url + "/items/1")
        request(small.url + "/items/2")
        assert small.counted() == 2


def test_flask_run_with_the_reloader_serves_the_page_from_the_process_that_answers(small: Small) -> None:
    with small.flask("--debug", OTEL_DISTRO_LOG_FILE=str(small.log_file)) as app:
        app.wait_for_http(small.url + "/items/1")
        assert small.counted() == 1
        assert "not served" not in app.output
    assert [document["message"] for document in small.documents()].count("looked up 1") == 1


def test_after_a_reload_the_page_is_there_again(small: Small, tmp_path: Path) -> None:
    source = tmp_path / "reloaded.py"
    source.write_text(APP.read_text())
    words = ["opentelemetry-instrument", "flask", "--app", str(source), "run", "--debug", "--port", str(small.port)]
    with AppProcess(words, small.env) as app:
        first = app.wait_for_http(small.url + "/items/1")
        wait_for_http(small.metrics_url)
        source.write_text(source.read_text() + "\n# changed\n")

        def reloaded() -> bool:
            try:
                return request(small.url + "/items/1").body != first.body
            except OSError:
                return False

        wait_until(reloaded, 60, what="another process behind the port")
        wait_for_http(small.metrics_url)
        assert small.counted() >= 1
        assert "not served" not in app.output


def test_semantic_convention_metrics_are_there_for_whom_asks(small: Small) -> None:
    with small.start(OTEL_DISTRO_HTTP_METRICS="semconv") as app:
        app.wait_for_http(small.url + "/items/1")
        page = request(small.metrics_url).text
    assert "http_server_request_duration_seconds_count{" in page
    assert 'http_route="/items/<int:key>"' in page
    assert "http_requests_total" not in page


def test_both_kinds_of_request_metrics_stand_side_by_side(small: Small) -> None:
    with small.start(OTEL_DISTRO_HTTP_METRICS="both") as app:
        app.wait_for_http(small.url + "/items/1")
        page = request(small.metrics_url).text
    assert COUNTED + "1" in page
    assert "http_server_request_duration_seconds_count{" in page


def test_by_default_a_request_pays_for_the_classic_metrics_only(small: Small) -> None:
    with small.start() as app:
        app.wait_for_http(small.url + "/items/1")
        assert "http_server_" not in request(small.metrics_url).text


def test_metrics_to_the_console_need_no_page(small: Small) -> None:
    with small.start(OTEL_METRICS_EXPORTER="console") as app:
        app.wait_for_http(small.url + "/items/1")
        with pytest.raises(OSError, match="refused"):
            request(small.metrics_url)
        app.signal(signal.SIGINT)
        app.wait()
        assert '"name": "http_requests"' in app.output


def test_traces_to_the_console_are_recorded(small: Small) -> None:
    with small.start(OTEL_TRACES_EXPORTER="console") as app:
        app.wait_for_http(small.url + "/items/1")
        app.signal(signal.SIGINT)
        app.wait()
        assert '"name": "GET /items/<int:key>"' in app.output


def test_a_disabled_instrumentation_is_not_loaded(small: Small) -> None:
    with small.start(OTEL_PYTHON_DISABLED_INSTRUMENTATIONS="flask") as app:
        assert "x-request-id" not in app.wait_for_http(small.url + "/items/1").headers
        assert "http_requests_total" not in request(small.metrics_url).text


def test_log_lines_that_a_full_disk_refuses_are_counted_on_the_page(small: Small) -> None:
    with small.start(OTEL_DISTRO_LOG_FILE="/dev/full") as app:
        app.wait_for_http(small.url + "/items/1")
        lines = request(small.metrics_url).text.splitlines()
        dropped = next(line for line in lines if line.startswith("otel_distro_log_lines_dropped_total"))
        assert float(dropped.rpartition(" ")[2]) >= 2
        assert app.output.count("/dev/full") == 1

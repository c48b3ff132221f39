"""`otel-distro doctor` as a process, beside real services, receivers and strangers."""

from __future__ import annotations

import json
import re
import socket
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.other_distribution import install
from tests.otlp import GrpcReceiver, Receiver
from tests.processes import ROOT, AppProcess
from tests.support import free_port

HIDDEN = "hunter2secret"
IDLE = "import time; print('up', flush=True); time.sleep(120)"


class Said(NamedTuple):
    """What the command wrote."""

    stdout: str
    stderr: str


def examined(*arguments: str, **env: str) -> tuple[int, Said]:
    """Run the command with a free port for the page and these variables; return its exit code and what it wrote."""
    return ended(["otel-distro", "doctor", *arguments], {"OTEL_EXPORTER_PROMETHEUS_PORT": str(free_port()), **env})


def ended(command: list[str], env: dict[str, str], cwd: Path | None = None) -> tuple[int, Said]:
    with AppProcess(command, env, cwd=cwd) as doctor:
        code = doctor.wait()
        assert "Traceback" not in doctor.output
        return code, Said(doctor.stdout, doctor.stderr)


def findings(**env: str) -> tuple[int, list[dict[str, str]]]:
    code, doctor = examined("--json", **env)
    return code, json.loads(doctor.stdout)


def faults(found: list[dict[str, str]]) -> list[dict[str, str]]:
    return [each for each in found if each["status"] == "fault"]


def test_where_everything_works_each_check_is_one_line_of_ok_and_the_code_is_0(tmp_path: Path) -> None:
    port = str(free_port())
    with Receiver() as receiver:
        code, doctor = examined(
            OTEL_SERVICE_NAME="shop",
            OTEL_EXPORTER_PROMETHEUS_PORT=port,
            OTEL_EXPORTER_OTLP_ENDPOINT=receiver.endpoint,
            OTEL_METRICS_EXPORTER="prometheus,otlp",
            OTEL_DISTRO_LOG_FILE=str(tmp_path / "logs" / "shop.log"),
            OTEL_DISTRO_PROMETHEUS_DIR=str(tmp_path / "metrics"),
        )
        assert receiver.requests == 3
        assert (receiver.spans, receiver.metrics, receiver.logs) == ([], [], [])
    assert code == 0, doctor
    *lines, count = doctor.stdout.splitlines()
    assert all(line.startswith("ok       ") for line in lines), doctor.stdout
    assert count == f"0 faults, 0 warnings, {len(lines)} ok"
    for looked_at in ("5 set", f"localhost:{port} is free", "shop.log", "takes traces", "takes metrics"):
        assert looked_at in doctor.stdout
    assert list(tmp_path.iterdir()) == []
    assert doctor.stderr == ""


def test_a_mistyped_variable_is_a_fault_that_names_the_right_one_and_not_its_value() -> None:
    code, found = findings(OTEL_DISTRO_LOGFILE=HIDDEN, OTEL_EXPORTER_PROMETHEUS_PROT="8000", OTEL_SERVICE_NAM="shop")
    assert code == 1
    assert faults(found) == [
        {
            "check": "variables",
            "status": "fault",
            "found": f"{name} is no variable of this package: it is ignored",
            "mend": f"is {near} meant?",
        }
        for name, near in (
            ("OTEL_DISTRO_LOGFILE", "OTEL_DISTRO_LOG_FILE"),
            ("OTEL_EXPORTER_PROMETHEUS_PROT", "OTEL_EXPORTER_PROMETHEUS_PORT"),
        )
    ]
    (slip,) = [each for each in found if each["status"] == "warning"]
    assert slip["mend"] == "is OTEL_SERVICE_NAME meant?"


def test_a_port_that_a_stranger_has_is_a_fault_that_names_the_variable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        port = str(stranger.getsockname()[1])
        code, found = findings(OTEL_EXPORTER_PROMETHEUS_PORT=port)
    assert code == 1
    (fault,) = faults(found)
    assert fault["check"] == "page"
    assert fault["found"] == f"localhost:{port} is taken by another program"
    assert "OTEL_EXPORTER_PROMETHEUS_PORT" in fault["mend"]


def test_the_page_of_the_running_service_is_well_and_says_of_how_many_processes_it_is() -> None:
    env = {"OTEL_EXPORTER_PROMETHEUS_PORT": str(free_port()), "OTEL_SERVICE_NAME": "shop"}
    with AppProcess(["otel-distro", "run", "python", "-c", IDLE], env) as service:
        service.wait_for_output("up")
        code, doctor = examined(**env)
        other, found = findings(**{**env, "OTEL_SERVICE_NAME": "cart"})
    assert code == 0, doctor
    assert "has this service's page already, of 1 process\n" in doctor.stdout
    assert other == 1
    assert "has the page of another service, 'shop'" in faults(found)[0]["found"]


def test_folders_below_a_file_are_faults_with_their_variables(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    code, found = findings(
        OTEL_DISTRO_LOG_FILE=str(tmp_path / "file" / "shop.log"),
        OTEL_DISTRO_PROMETHEUS_DIR=str(tmp_path / "file" / "x"),
    )
    assert code == 1
    told = {fault["check"]: fault for fault in faults(found)}
    assert sorted(told) == ["log-file", "shared-folder"]
    assert all(f"{tmp_path}/file is no folder" in fault["found"] for fault in told.values())
    assert "OTEL_DISTRO_LOG_FILE" in told["log-file"]["mend"]
    assert "OTEL_DISTRO_PROMETHEUS_DIR" in told["shared-folder"]["mend"]


@pytest.mark.parametrize(
    ("mode", "said", "mend"),
    [
        ("401", "401 Unauthorized", "OTEL_EXPORTER_OTLP_HEADERS"),
        ("404", "404 Not Found", "OTEL_EXPORTER_OTLP_ENDPOINT"),
        ("308", "308 Permanent Redirect to https://elsewhere:4318", "give that as the endpoint"),
        ("hang", "no answer in time", "OTEL_EXPORTER_OTLP_ENDPOINT"),
        ("drip", "no answer in time", "OTEL_EXPORTER_OTLP_ENDPOINT"),
    ],
)
def test_a_receiver_that_does_not_take_it_by_http_is_a_fault_for_each_signal(mode: str, said: str, mend: str) -> None:
    with Receiver() as receiver:
        receiver.mode = mode
        code, doctor = examined("--json", OTEL_EXPORTER_OTLP_ENDPOINT=receiver.endpoint)
    assert code == 1
    found = faults(json.loads(doctor.stdout))
    assert [fault["check"] for fault in found] == ["otlp-traces", "otlp-logs"]
    assert all(said in fault["found"] and mend in fault["mend"] for fault in found), found
    assert ("waiting for otlp-traces, otlp-logs" in doctor.stderr) == (mode in ("hang", "drip"))


def test_an_answer_byte_by_byte_by_a_proxy_is_given_up_after_five_seconds() -> None:
    with Receiver() as receiver:
        receiver.mode = "drip"
        env = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector.example:4318", "HTTP_PROXY": receiver.endpoint}
        code, doctor = examined("--json", **env)
    assert code == 1
    assert {fault["found"] for fault in faults(json.loads(doctor.stdout))} == {"no answer after 5 s"}


@pytest.mark.parametrize(("mode", "code"), [("ok", 0), ("unauthenticated", 1), ("unimplemented", 1)])
def test_a_receiver_of_grpc_is_asked_by_grpc(mode: str, code: int) -> None:
    with GrpcReceiver() as receiver:
        receiver.mode = mode
        env = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.endpoint, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
        given, found = findings(**env)
        assert receiver.requests == 2
    assert given == code
    told = [each["found"] for each in found if each["check"].startswith("otlp-")]
    assert all((mode.upper() in text) == bool(code) and "by grpc" in text for text in told)


def test_nobody_at_the_endpoint_is_a_fault_without_the_secrets_of_header_and_address() -> None:
    env = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://me:{HIDDEN}@127.0.0.1:{free_port()}/{HIDDEN}?key={HIDDEN}",
        "OTEL_EXPORTER_OTLP_HEADERS": f"authorization=Bearer {HIDDEN},{HIDDEN}",
        "OTEL_DISTRO_ELASTICSEARCH_PASSWORT": HIDDEN,
        "OTEL_DISTRO_ELASTICSEARCH_URL": f"http://me:{HIDDEN}@localhost",
        "OTEL_METRICS_EXPORTER": "prometheus,otlp",
    }
    for protocol in ("http/protobuf", "grpc"):
        code, doctor = examined(**env, OTEL_EXPORTER_OTLP_PROTOCOL=protocol)
        assert code == 1
        assert HIDDEN not in doctor.stdout + doctor.stderr
        for signal in ("traces", "metrics", "logs"):
            assert f"fault    otlp-{signal}: 127.0.0.1:" in doctor.stdout


def test_another_distribution_that_is_found_first_is_a_fault_unless_variables_name_this_one(tmp_path: Path) -> None:
    install(tmp_path)
    code, found = findings(PYTHONPATH=str(tmp_path))
    assert code == 1
    (fault,) = faults(found)
    assert fault["check"] == "start"
    assert "starts the distribution other of other" in fault["found"]
    assert "otel-distro run" in fault["mend"]
    code, found = findings(PYTHONPATH=str(tmp_path), OTEL_PYTHON_DISTRO="otel_distro")
    assert code == 0, found
    code, found = findings(OTEL_PYTHON_DISTRO="splunk")
    assert code == 1
    assert "'splunk' names no distribution that is installed" in faults(found)[0]["found"]


def test_what_keeps_opentelemetry_from_being_loaded_is_a_fault_and_no_traceback() -> None:
    code, found = findings(OTEL_PROPAGATORS="b3")
    assert code == 1
    assert "OTEL_PROPAGATORS names b3" in faults(found)[0]["found"]


def test_a_wrong_value_that_an_exporter_reads_too_is_one_fault_as_the_default_is_used() -> None:
    env = {"OTEL_EXPORTER_OTLP_PROTOCOL": "GRPC", "OTEL_EXPORTER_OTLP_TIMEOUT": "10s"}
    with GrpcReceiver() as receiver:
        _, found = findings(OTEL_EXPORTER_OTLP_ENDPOINT=receiver.endpoint, **env)
    assert [fault["check"] for fault in faults(found)] == ["variables"]


def test_a_sampler_that_would_record_all_and_names_that_are_none_are_told() -> None:
    code, found = findings(
        OTEL_TRACES_SAMPLER="traceidratio",
        OTEL_TRACES_SAMPLER_ARG="10%",
        OTEL_PYTHON_METER_PROVIDER="sdk",
        OTEL_PYTHON_DISABLED_INSTRUMENTATIONS="loging",
    )
    assert code == 1
    assert [each["check"] for each in faults(found)] == ["components"] * 2
    wrong = [each["found"] for each in found if each["status"] != "ok"]
    for said in ("'loging'", "OTEL_PYTHON_METER_PROVIDER='sdk'", "OTEL_TRACES_SAMPLER_ARG='10%'"):
        assert any(said in each for each in wrong)


def test_json_is_a_list_of_objects_with_the_same_names() -> None:
    code, found = findings(OTEL_SDK_DISABLED="true")
    assert code == 0
    assert {tuple(each) for each in found} == {("check", "status", "found", "mend")}
    assert [each["status"] for each in found].count("warning") == 1
    assert all(bool(each["mend"]) == (each["status"] != "ok") for each in found)


@pytest.mark.parametrize("page", ["README.md", "docs/doctor.md"])
def test_the_command_of_the_docs_runs_with_the_variables_of_a_file(page: str, tmp_path: Path) -> None:
    commands = re.findall(r"^    (.*otel-distro doctor)$", (ROOT / page).read_text(), re.MULTILINE)
    plain = f"OTEL_SERVICE_NAME=shop\nOTEL_EXPORTER_PROMETHEUS_PORT={free_port()}\n"
    assert commands
    for command in commands:
        by_shell = command.startswith("set -a")
        (tmp_path / "service.env").write_text(f"# of the shop\nexport {plain}" if by_shell else plain)
        code, doctor = ended(["sh", "-c", command], {}, tmp_path)
        assert code == 0, doctor
        assert "2 set" in doctor.stdout


@pytest.mark.parametrize("columns", [40, 80])
def test_no_line_is_longer_than_the_terminal_is_wide_and_a_pipe_has_one_line_a_finding(
    columns: int, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    env: dict[str, Any] = {
        "OTEL_DISTRO_LOG_FILE": str(tmp_path / "file" / ("x" * 90)),
        "OTEL_DISTRO_LOGFILE": "x",
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{free_port()}",
    }
    _, narrow = examined(**env, COLUMNS=str(columns))
    assert max(map(len, narrow.stdout.splitlines())) <= columns
    assert narrow.stdout.count("-> ") == 4
    _, piped = examined(**env)
    lines = piped.stdout.splitlines()
    assert all(line.startswith(("ok       ", "warning  ", "fault    ")) for line in lines[:-1])
    assert lines[-1] == f"4 faults, 0 warnings, {len(lines) - 5} ok"

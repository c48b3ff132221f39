"""`otel-distro run` starts a program as `opentelemetry-instrument` does, and says in one line what it cannot start."""

from __future__ import annotations

import os
import textwrap
import venv
from pathlib import Path

import pytest

from tests.other_distribution import install
from tests.processes import AppProcess

SHOWN = "import json, os, sys; print(json.dumps([sys.argv, sys.path[:3], os.environ.get('PYTHONPATH')]))"
QUIET = {"OTEL_METRICS_EXPORTER": "none"}


@pytest.mark.parametrize("given", ["", f"{os.sep}elsewhere"])
def test_the_program_gets_what_the_prefix_command_gives_it(given: str, tmp_path: Path) -> None:
    env = {**QUIET, "PYTHONPATH": given} if given else QUIET
    answers = []
    for prefix in (["opentelemetry-instrument"], ["otel-distro", "run"], ["otel-distro", "run", "--"]):
        with AppProcess([*prefix, "python", "-c", SHOWN, "a", "--help", "-x"], env, cwd=tmp_path) as app:
            assert app.wait() == 0, app.output
            answers.append(app.stdout)
    assert answers[0] == answers[1] == answers[2]
    assert str(tmp_path) in answers[0]


def test_the_program_is_instrumented_and_its_exit_code_is_the_commands() -> None:
    program = "import sys; sys.exit(7 if 'otel_distro.distro' in sys.modules else 1)"
    with AppProcess(["otel-distro", "run", "python", "-c", program], QUIET) as app:
        assert app.wait() == 7, app.output


def test_the_program_has_this_distribution_though_another_one_is_found_before_it(tmp_path: Path) -> None:
    install(tmp_path)
    env = {"OTEL_LOGS_EXPORTER": "none", "PYTHONPATH": str(tmp_path), "OTEL_DISTRO_LOG_FILE": str(tmp_path / "log")}
    program = "import logging; logging.warning('one')"
    with AppProcess(["otel-distro", "run", "python", "-c", program], {**QUIET, **env}) as app:
        assert app.wait() == 0, app.output
    assert '"message":"one"' in (tmp_path / "log").read_text()


@pytest.mark.parametrize(
    ("prefix", "empty"),
    [
        ("otel-distro run", "OTEL_PYTHON_DISTRO"),
        ("otel-distro run", "OTEL_PYTHON_CONFIGURATOR"),
        ("opentelemetry-instrument", "OTEL_PYTHON_CONFIGURATOR"),
    ],
)
def test_an_empty_choice_of_a_distribution_counts_as_none(prefix: str, empty: str) -> None:
    program = "import logging, os; logging.warning(os.environ['OTEL_TRACES_EXPORTER'])"
    env = {**QUIET, empty: "", "OTEL_DISTRO_LOG_FORMAT": "json"}
    with AppProcess([*prefix.split(), "python", "-c", program], env) as app:
        assert app.wait() == 0, app.output
        assert '"message":"none"' in app.output


def test_a_python_that_does_not_have_this_package_is_told_of_in_one_line_and_runs(tmp_path: Path) -> None:
    venv.create(tmp_path, symlinks=True)
    python = tmp_path / "bin" / "python"
    with AppProcess(["otel-distro", "run", python, "-c", "print('runs')"], QUIET) as app:
        assert app.wait() == 0, app.output
        assert app.stdout == "runs\n"
        first = app.stderr.splitlines()[0]
    assert first.startswith(f"otel-distro: {python} has no otel-distro: what it runs is not measured; name ")


def test_the_command_itself_loads_neither_opentelemetry_nor_click() -> None:
    # What it has loaded when it becomes the program.
    program = textwrap.dedent(
        """
        import os, sys

        def become(*_):
            print([name for name in ("click", "dataclasses", "opentelemetry.sdk", "wrapt") if name in sys.modules])
            raise SystemExit

        os.execvpe = become
        sys.argv[1:] = ["run", "anything"]
        from otel_distro.cli import main
        main()
        """
    )
    with AppProcess(["python", "-c", program]) as app:
        assert app.wait() == 0, app.output
        assert app.stdout == "[]\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nonsense-command"], "'nonsense-command' cannot be started: No such file or directory"),
        (["/"], "'/' cannot be started: Permission denied"),
        (["--service_name", "x"], "--service_name is no option here; set the variable, as in OTEL_SERVICE_NAME=shop"),
        ([""], "'' cannot be started: execve: argv first element cannot be empty"),
        ([], "Missing argument 'COMMAND...'; see otel-distro run --help"),
    ],
)
def test_a_program_that_cannot_be_started_is_one_line_and_exit_code_2(arguments: list[str], said: str) -> None:
    with AppProcess(["otel-distro", "run", *arguments]) as app:
        assert app.wait() == 2
        assert app.output.strip() == f"otel-distro: {said}"


def test_a_script_whose_program_is_gone_is_told_by_that_program(tmp_path: Path) -> None:
    script = tmp_path / "serve"
    script.write_text("#! /moved/venv/bin/python -u\n")
    script.chmod(0o755)
    for command, env in ((str(script), {}), ("serve", {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"})):
        with AppProcess(["otel-distro", "run", command], env) as app:
            assert app.wait() == 2
            said = "its first line names /moved/venv/bin/python, which is not there"
            assert app.output.strip() == f"otel-distro: {command!r} cannot be started: {said}"


def test_a_program_starts_in_a_folder_that_is_gone(tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    command = f"rmdir '{tmp_path}/gone' && exec otel-distro run python -c 'print(1)'"
    with AppProcess(["/bin/sh", "-c", command], QUIET, cwd=tmp_path / "gone") as app:
        assert app.wait() == 0, app.output
        assert app.output == "1\n"

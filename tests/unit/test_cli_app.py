"""The command as a whole: its help, its codes, its one line on failure."""

from __future__ import annotations

import os
import subprocess
import sys

import click
import pytest

from otel_distro import __version__
from otel_distro.cli.app import BAD_INPUT, COMMANDS, INTERRUPTED, cli, run
from otel_distro.errors import StoreError


@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_names_every_command_and_what_it_does(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([option]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert all(f"{name} {sentence}" in shown for name, (_, sentence) in COMMANDS.items())


def test_the_codes_are_those_that_are_documented() -> None:
    assert (BAD_INPUT, INTERRUPTED) == (2, 130)


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert __version__ in capsys.readouterr().out


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_of_the_table_is_there_with_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([name, "--help"]) == 0
    assert "Usage: otel-distro " + name in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "where"),
    [
        ([], "otel-distro"),
        (["nonsense"], "otel-distro"),
        (["--nonsense"], "otel-distro"),
        (["logs"], "otel-distro logs"),
        (["logs", "nonsense"], "otel-distro logs"),
        (["logs", "tail", "--nonsense"], "otel-distro logs tail"),
    ],
)
def test_a_wrong_command_is_one_line_that_names_where_help_is(
    arguments: list[str], where: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == BAD_INPUT
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("otel-distro: ")
    assert shown.err.endswith(f"; see {where} --help\n")
    assert shown.err.count("\n") == 1


@pytest.mark.parametrize(
    ("failure", "code", "said"),
    [
        (StoreError("no such\nfile \x1b[31m"), BAD_INPUT, "otel-distro: no such file\n"),
        (OSError(28, "No space left on device"), BAD_INPUT, "otel-distro: [Errno 28] No space left on device\n"),
        (KeyboardInterrupt(), INTERRUPTED, ""),
        (click.Abort(), INTERRUPTED, ""),
        (BrokenPipeError(), 0, ""),
    ],
)
def test_each_failure_has_its_code_and_at_most_one_line(
    failure: BaseException, code: int, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise failure

    monkeypatch.setattr(cli, "main", fail)
    monkeypatch.setattr("otel_distro.cli.app._abandon", lambda _: None)
    assert run([]) == code
    assert capsys.readouterr().err == said


@pytest.mark.parametrize(("arguments", "code"), [(["--version"], 0), (["--help"], 0), (["nonsense"], BAD_INPUT)])
def test_where_nobody_reads_what_is_said_the_code_is_the_same(arguments: list[str], code: int) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "wb") as gone:
        command = [sys.executable, "-m", "otel_distro.cli", *arguments]
        assert subprocess.run(command, stdout=gone, stderr=gone, check=False).returncode == code


def test_a_command_of_the_table_is_a_command() -> None:
    context = click.Context(cli)
    assert cli.list_commands(context) == list(COMMANDS)
    assert cli.get_command(context, "nonsense") is None


def test_help_loads_neither_duckdb_nor_the_sdk() -> None:
    program = (
        "import sys; from otel_distro.cli.app import run; run(['--help']); run(['logs', '--help'])\n"
        "print([name for name in ('duckdb', 'opentelemetry.sdk', 'flask') if name in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout.splitlines()[-1] == "[]"

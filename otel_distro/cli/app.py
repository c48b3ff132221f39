"""The command and its groups, each loaded when it is asked for, and how every failure becomes one line and a code."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from typing import Any, Final, NoReturn, TextIO

import click

from otel_distro import __version__
from otel_distro.cli.plain_text import plain
from otel_distro.errors import OtelDistroError

COMMANDS: Final = {
    "run": ("otel_distro.cli.run:run", "Start a program with metrics, logs and traces."),
    "doctor": ("otel_distro.cli.doctor:doctor", "Say what will not work in this environment, and the mend."),
    "logs": ("otel_distro.cli.logs:logs", "Ask the logs: errors, error rate, users, requests, traces."),
    "elasticsearch": (
        "otel_distro.cli.elasticsearch:elasticsearch",
        "Prepare an Elasticsearch for logs; find rights and records it lacks.",
    ),
    "rules": ("otel_distro.cli.rules:rules", "Write recording rules, alerts and a runbook for Prometheus."),
    "dashboards": ("otel_distro.cli.dashboards:dashboards", "Write dashboards for Grafana."),
}
"""Name of each command, where it is and what it does; help is shown without loading any of them."""

BAD_INPUT: Final = 2
INTERRUPTED: Final = 130
_DUCKDB_INTERRUPTED: Final = "Query interrupted"  # a RuntimeError, in the place of what a signal's handler has raised


class ReaderGoneError(Exception):
    """Whoever read the output has closed it; click would make a failure of the BrokenPipeError."""


class LazyGroup(click.Group):
    """A group of commands that imports only the one that is run."""

    def make_context(self, *given: Any, **extra: Any) -> click.Context:
        """Read the arguments; `--help` and `--version` are answered here."""
        try:
            return super().make_context(*given, **extra)
        except BrokenPipeError as error:
            raise ReaderGoneError from error

    def invoke(self, ctx: click.Context) -> object:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise ReaderGoneError from error
        except RuntimeError as error:
            if str(error) == _DUCKDB_INTERRUPTED:
                raise KeyboardInterrupt from error
            raise

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 -- click's signature
        """Return the names in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 -- click's signature
        """Import a command and return it, or None where there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        command = getattr(import_module(module), name)
        assert isinstance(command, click.Command)  # noqa: S101 -- the table above is ours
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 -- click's signature
        """Write the table of commands."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, sentence) for name, (_, sentence) in COMMANDS.items()])


@click.group(cls=LazyGroup, no_args_is_help=False, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="otel-distro")
def cli() -> None:
    """Start a service with monitoring, ask its logs, and set up what stores, watches and shows them.

    Exit code 0: done. 2: bad input or no answer, with one line on standard error. 1: doctor has found a fault.
    """


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line (of this process unless given) and return its exit code: 0, 1, 2, or 130 when interrupted.

    Bad input and whatever cannot be answered is one line on standard error. A reader of the output that goes away
    (`| head`) is no failure.
    """
    _prepare_output()
    try:
        result = cli.main(arguments, prog_name="otel-distro", standalone_mode=False)
        sys.stdout.flush()
    except (BrokenPipeError, ReaderGoneError):
        _abandon(sys.stdout)
        return 0
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "otel-distro"
        return _refuse(f"{error.format_message().rstrip('.')}; see {command} --help")
    except OtelDistroError as error:
        return _refuse(str(error))
    except OSError as error:  # the disk that the output goes to is full
        _abandon(sys.stdout)
        return _refuse(str(error))
    return result if isinstance(result, int) else 0


def leave(code: int) -> NoReturn:
    """End this process, also where a thread never ends that a module has started which was imported (`--from`)."""
    if any(not thread.daemon for thread in threading.enumerate() if thread is not threading.main_thread()):
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)
    raise SystemExit(code)


def _prepare_output() -> None:
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by whoever started the process; print would take stdout for stderr
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 -- for the rest of the process
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a terminal that cannot show a character is no failure


def _abandon(stream: TextIO) -> None:
    """Point a stream nowhere: the interpreter writes what is left at its end, would fail again and change the code."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _refuse(message: str) -> int:
    try:
        print(f"otel-distro: {plain(message)}", file=sys.stderr)
    except OSError:  # nobody reads it, as in `2>&1 | head`, or its disk is full: the code says it
        _abandon(sys.stderr)
    return BAD_INPUT

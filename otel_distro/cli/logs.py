"""`otel-distro logs`: the questions of `LogAnalyzer` on the command line."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, TypeVar

import click

from otel_distro.analyzer.analyzer import LogAnalyzer
from otel_distro.cli.live import live
from otel_distro.cli.table import Column, print_json, print_table
from otel_distro.cli.where import Where, which_logs

_Function = TypeVar("_Function", bound=Callable[..., Any])

_DOCUMENTS: Final = (
    Column("time", "timestamp", 27),
    Column("level", "level", 8),
    Column("logger", "logger", 16),
    Column("message", "message"),
)
_ERRORS: Final = (
    Column("time", "timestamp", 27),
    Column("level", "level", 8),
    Column("type", "error_type", 16),
    Column("message", "message"),
)
_HOURS: Final = (
    Column("hour", "hour", 20),
    Column("total", "total", 12, right=True),
    Column("errors", "errors", 12, right=True),
    Column("rate", "rate", 8, right=True),
)
_GROUPS: Final = (
    Column("count", "count", 9, right=True),
    Column("type", "error_type", 20),
    Column("place", "place", 28),
    Column("last seen", "last_seen", 27),
    Column("message", "message"),
)


def _where(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that say which logs and for whom the answer is."""
    as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON: one document or object a line.")
    return as_json(which_logs(function))


def _hours(default: float | None) -> Callable[[_Function], _Function]:
    shown = "[default: all of time]" if default is None else f"[default: {default:g}]"
    return click.option("--hours", type=float, default=default, metavar="N", help=f"How far back to look. {shown}")


@click.group(no_args_is_help=False)
def logs() -> None:
    """Ask the logs: errors, error rate, users, requests, traces, the latest."""


@logs.command()
@_hours(1)
@click.option("--size", type=int, default=100, show_default=True, metavar="N", help="At most so many.")
@_where
def errors(hours: float, size: int, where: Where, as_json: bool) -> None:
    """Show the latest errors, newest first."""
    with where.analyzer() as analyzer:
        _show(
            analyzer,
            where,
            analyzer.iter_errors(hours, size),
            _ERRORS,
            as_json,
            f"no errors in the last {_span(hours)}",
        )


@logs.command()
@_hours(1)
@_where
def rate(hours: float, where: Where, as_json: bool) -> None:
    """Show how many lines and errors there are, hour by hour (UTC)."""
    with where.analyzer() as analyzer:
        answer = analyzer.get_error_rate(hours)
        if as_json:
            print_json([answer])
        else:
            print_table(_HOURS, [*answer["hourly"], {"hour": "all", **answer}])
        where.tell_skipped(analyzer.skipped)


@logs.command()
@click.argument("user_id")
@_hours(24)
@_where
def user(user_id: str, hours: float, where: Where, as_json: bool) -> None:
    """Show everything logged for one user, newest first."""
    with where.analyzer() as analyzer:
        nothing = f"nothing of user {user_id!r} in the last {_span(hours)}"
        _show(analyzer, where, analyzer.iter_by_user(user_id, hours), _DOCUMENTS, as_json, nothing)


@logs.command()
@click.argument("request_id")
@_hours(None)
@_where
def request(request_id: str, hours: float | None, where: Where, as_json: bool) -> None:
    """Show everything logged for one request, oldest first."""
    with where.analyzer() as analyzer:
        nothing = f"nothing of request {request_id!r}{_within(hours)}"
        _show(analyzer, where, analyzer.iter_by_request(request_id, hours), _DOCUMENTS, as_json, nothing)


@logs.command()
@click.argument("trace_id")
@_hours(None)
@_where
def trace(trace_id: str, hours: float | None, where: Where, as_json: bool) -> None:
    """Show everything logged in one trace, oldest first."""
    with where.analyzer() as analyzer:
        nothing = f"nothing of trace {trace_id!r}{_within(hours)}"
        _show(analyzer, where, analyzer.iter_by_trace(trace_id, hours), _DOCUMENTS, as_json, nothing)


@logs.command()
@click.option("-f", "--follow", is_flag=True, help="Go on with each new one until Ctrl-C.")
@click.option("-n", "--lines", type=int, default=10, show_default=True, metavar="N", help="At most so many old ones.")
@click.option("--errors", "errors_only", is_flag=True, help="Errors alone.")
@_where
def tail(follow: bool, lines: int, errors_only: bool, where: Where, as_json: bool) -> None:
    """Show what was logged last, oldest first."""
    with where.analyzer() as analyzer:
        documents = live(analyzer.follow(lines, errors=errors_only), follow)
        _show(analyzer, where, documents, _DOCUMENTS, as_json, "nothing")


@logs.command()
@_hours(24)
@click.option("--size", type=int, default=10, show_default=True, metavar="N", help="At most so many.")
@_where
def top(hours: float, size: int, where: Where, as_json: bool) -> None:
    """Show the most frequent errors, grouped by type and place."""
    with where.analyzer() as analyzer:
        groups: list[dict[str, Any]] = [{**group} for group in analyzer.top_errors(hours, size)]
        if not as_json:
            groups = [{**group, "place": _place(group)} for group in groups]
        _show(analyzer, where, groups, _GROUPS, as_json, f"no errors in the last {_span(hours)}")


def _show(  # noqa: PLR0913, PLR0917 -- a count of rows decides between the table and one clear line
    analyzer: LogAnalyzer,
    where: Where,
    documents: Iterable[dict[str, Any]],
    columns: tuple[Column, ...],
    as_json: bool,
    nothing: str,
) -> None:
    number = print_json(documents) if as_json else print_table(columns, documents)
    skipped = analyzer.skipped
    if not number and not as_json:
        print(f"{nothing} in {analyzer.extent()}")
    where.tell_skipped(skipped)


def _span(hours: float) -> str:
    return "1 hour" if hours == 1 else f"{hours:g} hours"


def _within(hours: float | None) -> str:
    return "" if hours is None else f" in the last {_span(hours)}"


def _place(group: dict[str, Any]) -> str:
    names = [str(group[key]) for key in ("module", "function") if group[key]] or [str(group["logger"] or "")]
    return ".".join(names) + (f":{group['line']}" if group["line"] is not None else "")

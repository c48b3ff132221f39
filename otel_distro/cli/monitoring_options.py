"""What the commands that write files for monitoring are all told: for whom, how good, in which language, where to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

import click

from otel_distro.cli import folder
from otel_distro.monitoring.parameters import LANGUAGES

Function = TypeVar("Function", bound=Callable[..., Any])

_OPTIONS: Final = (
    click.option(
        "--service", metavar="NAME", help="Only this service: the value of the label `job`. [default: any job]"
    ),
    click.option(
        "--objective",
        type=float,
        default=99.9,
        show_default=True,
        metavar="PERCENT",
        help="Requests that must not fail.",
    ),
    click.option(
        "--latency-objective",
        type=float,
        default=99.0,
        show_default=True,
        metavar="PERCENT",
        help="Requests that must be fast.",
    ),
    click.option(
        "--latency-seconds",
        type=float,
        default=0.5,
        show_default=True,
        metavar="SECONDS",
        help="What is fast: a bucket's bound of http_request_duration_seconds.",
    ),
    click.option("--lang", default="en", show_default=True, metavar="|".join(LANGUAGES), help="Language of all texts."),
    click.option("--out", callback=folder.named, required=True, metavar="DIR", help="Folder for the files."),
)


def monitoring_options(function: Function) -> Function:
    """Give a command the options, in this order."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function

"""What an option that names a folder is given."""

from __future__ import annotations

from pathlib import Path

import click

from otel_distro.errors import InputError


def named(context: click.Context, option: click.Parameter, text: str) -> Path:  # noqa: ARG001 -- a callback of click's
    """Return the path; an empty text, as of a shell's variable that is not set, is not the working folder.

    Raises InputError where there is no text.
    """
    if not text.strip():
        raise InputError(f"{option.opts[0]} {text!r} names no folder; give one, or . for this one")
    return Path(text)

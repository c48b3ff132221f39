"""Our way through a Flask request in the place of the contrib instrumentation's, behind its own instrumentor.

The contrib instrumentor makes what serves a request by three functions of its module. They are replaced, so that all
its options, and whoever uses it, are as they were: `instrument`, `instrument_app` and their opposites.
"""

from __future__ import annotations

from inspect import CO_COROUTINE
from types import FunctionType
from typing import Any, Final

from flask.app import Flask

from otel_distro.internals import spans as internals

_originals: Final[list[tuple[Any, str, Any]]] = []


def install() -> None:
    """Put our way in force for all applications that are instrumented from now on; a second call does nothing.

    Where the contrib package works in another way there is one warning, and nothing changes.
    """
    if _originals:
        return
    keys, current = internals.flask_instrumentation(), internals.current_context()
    if keys is None or current is None:
        return
    from otel_distro.web import flask_responses, flask_spans

    end = flask_spans.ending(current)
    _replace(keys.module, "_rewrapped_app", flask_responses.factory(keys, end))
    _replace(keys.module, "_wrapped_before_request", flask_spans.begin_factory(keys, current))
    _replace(keys.module, "_wrapped_teardown_request", flask_spans.end_factory(end))
    _replace(Flask, "ensure_sync", _ensure_sync(Flask.ensure_sync))


def uninstall() -> None:
    """Give the contrib package its own way back; applications that are instrumented stay as they are."""
    while _originals:
        home, name, original = _originals.pop()
        setattr(home, name, original)


def _replace(home: Any, name: str, ours: Any) -> None:
    _originals.append((home, name, getattr(home, name)))
    setattr(home, name, ours)


def _ensure_sync(original: Any) -> Any:
    """Return Flask's method, but with a quicker look at plain functions: what nearly all functions of a request are."""

    def ensure_sync(self: Flask, func: Any) -> Any:
        # What marks a function as a coroutine's without being one stands in its dictionary.
        if type(func) is FunctionType and not func.__code__.co_flags & CO_COROUTINE and not func.__dict__:
            return func
        return original(self, func)

    return ensure_sync

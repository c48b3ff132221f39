"""Code in the midst of other code, as a signal handler, a finalizer or a callback of the garbage collector is.

Python runs these where it calls and returns, so a test can have each such point of an action, one after another.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any


def points(prepare: Callable[[], tuple[Callable[[], object], Callable[[], object]]], every: int = 1) -> Iterator[int]:
    """Yield after each run of a prepared action with a handler in its midst, at all points or every so many.

    All in one thread of its own, as locks are a thread's. Raises AssertionError where a run does not end.
    """
    at = 1
    while True:
        action, handler = prepare()
        came: list[bool] = []
        thread = threading.Thread(target=lambda: came.append(_run(action, handler, at)), daemon=True)  # noqa: B023 -- runs within the turn
        thread.start()
        thread.join(60)
        assert came, f"the action hangs, or raises, with the handler at point {at}"
        if not came[0]:
            return
        yield at
        at += every


def _run(action: Callable[[], object], handler: Callable[[], object], at: int) -> bool:
    left = at

    def profile(_frame: object, event: str, _what: Any) -> None:
        nonlocal left
        if event == "c_call":  # Python looks after such a call, not before it
            return
        left -= 1
        if not left:
            sys.setprofile(None)
            handler()

    sys.setprofile(profile)
    try:
        action()
    finally:
        sys.setprofile(None)
    return left <= 0

"""Rows that come for ever, each shown when it comes, until nobody reads any more."""

from __future__ import annotations

import select
import sys
from collections.abc import Iterator
from typing import TypeVar

_Row = TypeVar("_Row")


def live(rows: Iterator[_Row | None], follow: bool) -> Iterator[_Row]:
    """Yield the rows, writing out what was printed whenever a None says that no more are there for now.

    Without `follow` the first None is the end.

    Raises:
        BrokenPipeError: the reader of standard output has gone, also where nothing is written.
    """
    for row in rows:
        if row is not None:
            yield row
        elif not follow:
            return
        else:
            sys.stdout.flush()
            if _reader_gone():
                raise BrokenPipeError


def _reader_gone() -> bool:
    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)  # errors are told without being asked for
    return any(events & (select.POLLERR | select.POLLNVAL) for _, events in poll.poll(0))

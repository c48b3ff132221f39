"""A line into a pipe that is full; imported only when one is."""

from __future__ import annotations

import os
import time
from select import POLLOUT, poll


def write_rest(pipe: int, line: bytes, written: int, seconds: float) -> int:
    """Write what is left of the line into a pipe that does not block, and return how much of it is written then.

    It takes `seconds` at most. Raises OSError where the reader is gone.
    """
    end = time.monotonic() + seconds
    room = poll()
    room.register(pipe, POLLOUT)
    while written < len(line) and room.poll(max(end - time.monotonic(), 0) * 1000):
        written += os.write(pipe, line[written:])
    return written

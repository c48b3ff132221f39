"""What a log record must remember from the moment it is made: request, user, span, and its own id.

It stands in one private attribute of the record, a list of plain values: every copy of the record shares it (a
`QueueHandler` copies), and it can be pickled to a process that does not have this package.
"""

from __future__ import annotations

import logging
import os
from itertools import count
from typing import Any, Final

from otel_distro import context
from otel_distro.internals import current_span_ids
from otel_distro.logs.records import Maker

PRIVATE: Final = "_otel_distro"
# Places in the list. TAPPED says that the sinks have had the record, LEVEL what its level was called before any handler
# had it; DOCUMENT and LINE keep what was made of it, PIECES what went into a line that was made without a document:
# service and environment, the names and the number of the place where the record was made, the message, the extras.
SIZE: Final = 11
REQUEST_ID, USER_ID, TRACE_ID, SPAN_ID, TRACE_FLAGS, LOG_ID, TAPPED, LEVEL, DOCUMENT, LINE, PIECES = range(SIZE)

_request_id = context.request_id.get
_user_id = context.user_id.get
_span_ids = current_span_ids()


class _LogIds:
    """Ids of 32 hexadecimal digits: 20 random ones that each process draws for itself, 12 that count."""

    def __init__(self) -> None:
        self._prefix = ""
        self._next = count().__next__  # one bytecode, so atomic between threads

    def new(self) -> str:
        return f"{self._prefix or self._begin()}{self._next():012x}"

    def _begin(self) -> str:
        if context.forks_unseen():
            return os.urandom(10).hex()
        os.register_at_fork(after_in_child=self._renew)
        self._renew()
        return self._prefix

    def _renew(self) -> None:
        self._prefix = os.urandom(10).hex()


new_id: Final = _LogIds().new


def captured() -> list[Any]:
    """Return what a record made here and now has to remember."""
    trace_id, span_id, flags = _span_ids()
    user = _user_id()
    if user is not None and type(user) is not str:
        user = user.user  # as `current_user` has it, without a call
    return [_request_id(), user, trace_id, span_id, flags, new_id(), False, None, None, None, None]


def capture_of(record: logging.LogRecord) -> list[Any]:
    """Return what the record remembers; one that was made without `CapturingFactory` remembers from now on."""
    attributes = record.__dict__
    found = attributes.get(PRIVATE)
    if type(found) is not list or len(found) != SIZE:
        found = attributes[PRIVATE] = captured()
    return found


def recall(capture: list[Any], error: object) -> None:
    """Give a capture that was made outside of any request the ids of the one that the error has left."""
    ids = getattr(error, "__dict__", {}).get(context.ERROR_IDS)
    if type(ids) is list and len(ids) == LOG_ID and not capture[REQUEST_ID]:
        capture[REQUEST_ID] = ids[REQUEST_ID]
        capture[USER_ID] = capture[USER_ID] or ids[USER_ID]
        if not capture[TRACE_ID]:
            capture[TRACE_ID:LOG_ID] = ids[TRACE_ID:]


class CapturingFactory:
    """Log record factory around the one that is set when it is made; install each instance once."""

    def __init__(self) -> None:
        self._before: Any = logging.getLogRecordFactory()
        self._active = True
        # In the place of the logging module's own, one that is quicker.
        stock = self._before is logging.LogRecord and not context.forks_unseen()  # it keeps the process's id
        self._quick = Maker(captured) if stock else None
        self._factory = self._quick.make if self._quick is not None and self._quick.is_like_stock() else self._made

    def _made(self, name: Any, *args: Any, **kwargs: Any) -> logging.LogRecord:
        record: logging.LogRecord = self._before(name, *args, **kwargs)
        # makeLogRecord makes records of other places and times, without a name: here is not where they were made.
        if self._active and name is not None:
            record.__dict__[PRIVATE] = captured()
        return record

    def install(self) -> None:
        """Make this the factory of all records."""
        logging.setLogRecordFactory(self._factory)

    def remove(self) -> None:
        """Set the factory from before; where another has wrapped this one meanwhile, only pass calls on."""
        self._active = False
        if self._quick is not None:
            self._quick.active = False
        if logging.getLogRecordFactory() == self._factory:
            logging.setLogRecordFactory(self._before)

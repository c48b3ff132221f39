"""What a series counts beside its cells for its process's further readers: recorded once, poured when one collects.

A cell is a double, which does not tell what the SDK's points have: whole numbers from fractions and beyond 2**53, the
least and the greatest of an interval, and whether there was anything to add at all. That stands in a tally's box, which
whoever measures writes together with the cells. The counts of a histogram's buckets stand in the cells alone. When a
reader collects, what came since the last pouring is added to the SDK's aggregations of all readers that follow, and
these make their points as ever: temporality, start times and exemplars are the SDK's. Only where several readers
follow, fractions are added up in another order than in the SDK, which may change their last digit.

An amount that is neither an exact int nor float, is not finite, or is a whole number beyond 2**63, ends a tally: what
it holds is poured, and from then on each follower takes every measurement the SDK's own way.

Nothing is lost or counted twice by threads, as CPython switches threads and collects garbage only where it calls, jumps
back or makes a container: no place of that kind is between the first and the last store of a measurement, nor between
the reading of a box with its cells and the emptying of it. On Python 3.10, which may switch at other jumps as well, the
least or greatest of a measurement at the very moment of a collection may be missing. A build without a global lock has
no tallies: there every reader keeps an aggregation of its own.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from bisect import bisect_left
from collections.abc import Callable
from math import inf
from time import time
from types import SimpleNamespace
from typing import Any, Final, TypeAlias

from otel_distro.metrics import streams
from otel_distro.metrics.shared import Cells
from otel_distro.metrics.streams import Stream, Write

# What an emptied box begins with: adds like 0 to whatever comes, and is told from any sum by its identity.
_EMPTY: Final = False
# What the box of an ended tally holds: adding to it raises TypeError, so that no measurement pays for asking.
_ENDED: Final = None
_MOST_WHOLE: Final = 2**63
_GREATEST: Final = 1.7976931348623157e308

# For a sum [sum], for a histogram [sum, least, greatest], for a gauge [last].
Box: TypeAlias = list[Any]


def is_plain(amount: Any) -> bool:
    """Say whether an amount is one that a tally takes."""
    kind = type(amount)
    if kind is int:
        return bool(-_MOST_WHOLE <= amount <= _MOST_WHOLE)
    return bool(kind is float and -_GREATEST <= amount <= _GREATEST)


def tally_of(stream: Stream, cells: Cells) -> Tally | None:
    """Return a new tally for a series; None for the kinds that have none."""
    if not streams.GIL:
        return None
    if stream.kind in (streams.COUNTER, streams.UP_DOWN):
        return SumTally(cells)
    if stream.kind == streams.HISTOGRAM:
        return HistogramTally(cells, stream.bounds)
    return GaugeTally(cells) if stream.kind == streams.GAUGE else None


class Tally(ABC):
    """What the kinds of tallies share; `followers` are aggregations of the SDK, one of each reader that follows.

    Thread-safe. A forked child makes new ones.
    """

    def __init__(self, cells: Cells) -> None:
        self.box: Box = [_EMPTY]
        self.followers: tuple[Any, ...] = ()
        self._cells = cells
        # Reentrant, as a finalizer or signal handler may measure in the midst of a pouring of the same thread.
        self._lock = threading.RLock()

    @property
    def ended(self) -> bool:
        """Whether the followers take every measurement themselves."""
        return self.box[0] is _ENDED

    def follow(self, aggregation: Any) -> None:
        """Add a follower, which gets what comes from now on."""
        with self._lock:
            self.pour()
            self.followers = (*self.followers, aggregation)

    def unfollow(self, aggregation: Any) -> None:
        """Let one of several followers go, with all that came so far."""
        with self._lock:
            self.pour()
            self.followers = tuple(one for one in self.followers if one is not aggregation)

    def pour(self) -> None:
        """Add what came since the last time to all followers."""
        with self._lock:
            if not self.ended:
                self._give(self._take(_EMPTY))

    def end(self) -> None:
        """Pour for the last time; who was about to write into the box gives each follower its amount instead."""
        with self._lock:
            if not self.ended:
                self._give(self._take(_ENDED))

    def take_odd(self, amount: Any, write_cells: Callable[[], None] | None) -> None:
        """Take an amount that is not plain, which ends the tally; `write_cells` is None where no cell can hold it."""
        self.end()
        if write_cells is not None:
            write_cells()
        self.give_each(amount)

    def give_each(self, amount: Any) -> None:
        """Have each follower take an amount of any type itself, after the end; raises what the SDK raises for it."""
        measurement = SimpleNamespace(value=amount)
        for follower in self.followers:
            follower.aggregate(measurement, False)

    def writer(self, plain: Write) -> Write:
        """Return what writes a plain amount into cells and box; `plain` writes into the cells alone."""
        both = self._both()

        def write(amount: Any) -> None:
            try:
                both(amount)
            except TypeError:  # ended, and nothing is written yet
                plain(amount)
                self.give_each(amount)

        return write

    def _both(self) -> Write:
        box, cells = self.box, self._cells

        def add(amount: Any) -> None:
            box[0] += amount
            cells[0] += amount

        return add

    @abstractmethod
    def _take(self, then: Any) -> Callable[[Any], None] | None:
        """Empty the box, with `then` in it, and return what adds what it held to an aggregation; None if nothing."""

    def _give(self, add: Callable[[Any], None] | None) -> None:
        if add is not None:
            for follower in self.followers:
                with follower._lock:
                    add(follower)


class SumTally(Tally):
    """The sum of a counter or up-down counter since the last pouring."""

    def _take(self, then: Any) -> Callable[[Any], None] | None:
        box = self.box
        value = box[0]
        if value is not _ENDED:  # in the midst of this
            box[0] = then
        if value is _EMPTY or value is _ENDED:
            return None

        def add(follower: Any) -> None:
            before = follower._value
            follower._value = value if before is None else before + value

        return add


class GaugeTally(Tally):
    """The last value of a gauge since the last pouring, of any type: no amount ends it."""

    def __init__(self, cells: Cells) -> None:
        super().__init__(cells)
        self._nothing = object()
        self._pours_at_once = False
        self.box[0] = self._nothing

    @property
    def ended(self) -> bool:
        """Never: its box takes whatever comes."""
        return False

    def end(self) -> None:
        """Pour now, and at once what may still come."""
        self._pours_at_once = True
        self.pour()

    def take_odd(self, amount: Any, write_cells: Callable[[], None] | None) -> None:
        """Keep an amount of any type."""
        if write_cells is not None:
            write_cells()
        self.box[0] = amount

    def writer(self, plain: Write) -> Write:  # noqa: ARG002 -- of use to those that end
        """Return what writes a plain amount into cells and box, in one call."""
        box, cells = self.box, self._cells

        def put(amount: Any) -> None:
            cells[0] = amount
            cells[1] = time()
            box[0] = amount
            if self._pours_at_once:
                self.pour()

        return put

    def _take(self, then: Any) -> Callable[[Any], None] | None:  # noqa: ARG002 -- a value may be False or None itself
        box, nothing = self.box, self._nothing
        value = box[0]
        box[0] = nothing
        if value is nothing:
            return None

        def put(follower: Any) -> None:
            follower._value = value

        return put


class HistogramTally(Tally):
    """The sum, least and greatest of a histogram since the last pouring, and the counts that its buckets had then."""

    def __init__(self, cells: Cells, bounds: tuple[float, ...]) -> None:
        super().__init__(cells)
        self.box[:] = [_EMPTY, inf, -inf]
        self._bounds = bounds
        self._counted = [*cells]

    def _both(self) -> Write:
        box, cells, bounds = self.box, self._cells, self._bounds

        def record(amount: Any) -> None:
            bucket = bisect_left(bounds, amount)
            box[0] += amount
            cells[0] += amount
            cells[1 + bucket] += 1
            if amount < box[1]:  # noqa: PLR1730 -- a call would let another thread in between
                box[1] = amount
            if amount > box[2]:  # noqa: PLR1730 -- as above
                box[2] = amount

        return record

    def _take(self, then: Any) -> Callable[[Any], None] | None:
        box, before = self.box, self._counted
        # Unpacking is no call: a switch of threads after it would part the counts from what belongs to them.
        now = [*self._cells]
        value, least, greatest = box[0], box[1], box[2]
        if value is not _ENDED:  # in the midst of this
            box[0] = then
            box[1] = inf
            box[2] = -inf
            self._counted = now
        if value is _EMPTY or value is _ENDED:
            return None
        added = [int(count - earlier) for count, earlier in zip(now[1:], before[1:], strict=True)]

        def add(follower: Any) -> None:
            empty = [0] * len(added)
            if follower._value is None:
                follower._value = empty
            counts = follower._value
            # In place, and without a call but for the counting: what comes in the midst of this stays.
            for bucket, more in enumerate(added):
                counts[bucket] += more
            follower._sum += value
            if follower._record_min_max:
                if least < follower._min:  # noqa: PLR1730 -- as above
                    follower._min = least
                if greatest > follower._max:  # noqa: PLR1730 -- as above
                    follower._max = greatest

        return add

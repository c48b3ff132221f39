"""Streams and series in cells: how each kind of metric is kept, written and described.

A stream is one instrument as one view shows it; a series is one set of labels in it. Layout of a series' cells:
counters and up-down counters have their value; gauges value and time (seconds since the epoch); histograms their sum
and one count for each bucket; exponential histograms their sum and one count for each power of two; observed values
have value and time, which is zero where the last observation did not have the series.

Lock-free writing rests on CPython's lock: no thread can run between the reading and the writing of `cells[i] += amount`
with an exact int or float. A build without that lock gets a lock.
"""

from __future__ import annotations

import json
import math
import sys
import threading
from bisect import bisect_left
from collections.abc import Callable
from time import time
from typing import Any, Final, NamedTuple, TypeAlias

from otel_distro.metrics.families import Labels
from otel_distro.metrics.naming import label_name
from otel_distro.metrics.shared import Cells

COUNTER: Final = "counter"
UP_DOWN: Final = "up_down"
GAUGE: Final = "gauge"
HISTOGRAM: Final = "histogram"
EXPONENTIAL: Final = "exponential"
OBSERVED_COUNTER: Final = "observed_counter"
OBSERVED_UP_DOWN: Final = "observed_up_down"
OBSERVED_GAUGE: Final = "observed_gauge"
ADDED: Final = (COUNTER, UP_DOWN, HISTOGRAM)
OBSERVED: Final = (OBSERVED_COUNTER, OBSERVED_UP_DOWN, OBSERVED_GAUGE)
KINDS: Final = (
    COUNTER,
    UP_DOWN,
    GAUGE,
    HISTOGRAM,
    EXPONENTIAL,
    OBSERVED_COUNTER,
    OBSERVED_UP_DOWN,
    OBSERVED_GAUGE,
)

# Powers of two that end a bucket of an exponential histogram; what is beyond stands in the first and in the last one.
LEAST_EXPONENT: Final = -31
GREATEST_EXPONENT: Final = 64
POWERS: Final = tuple(2.0**exponent for exponent in range(LEAST_EXPONENT, GREATEST_EXPONENT + 1))
# Zero and less, each power, and more than the greatest.
_EXPONENTIAL_BUCKETS: Final = 1 + len(POWERS) + 1

_EVER: Final = 1e12  # seconds

# Value, time, the two halves of the trace id, the span id.
EXEMPLAR_CELLS: Final = 5

Write: TypeAlias = Callable[[Any], None]
GIL: Final = getattr(sys, "_is_gil_enabled", lambda: True)()


class Stream(NamedTuple):
    """What all series of a stream share; `scope` is name, version, schema URL and attributes of the meter."""

    name: str
    kind: str
    unit: str
    help: str
    bounds: tuple[float, ...] = ()
    scope: tuple[str, str, str, tuple[tuple[str, str], ...]] = ("", "", "", ())

    def encoded(self, number: int) -> str:
        """Return the text of the entry that describes the stream to other processes."""
        return json.dumps(["stream", number, *self], separators=(",", ":"))

    @property
    def cells(self) -> int:
        """How many cells a series of this stream has."""
        if self.kind == HISTOGRAM:
            return 2 + len(self.bounds)
        if self.kind == EXPONENTIAL:
            return 1 + _EXPONENTIAL_BUCKETS
        return 1 if self.kind in (COUNTER, UP_DOWN) else 2

    @property
    def buckets(self) -> int:
        """How many buckets, and so slots for exemplars, a series of this stream has."""
        return self.cells - 1 if self.kind in (HISTOGRAM, EXPONENTIAL) else 1


def series_text(number: int, labels: Labels, what: str = "series") -> str:
    """Return the text of the entry that holds the cells of one series of the stream with this number.

    `what` is `exemplars` for the entry that holds the exemplars of that series.
    """
    return json.dumps([what, number, labels], separators=(",", ":"))


def decoded(text: str) -> tuple[str, int, Any]:
    """Return what an entry is: its type, the stream's number, and the `Stream` or the labels.

    Raises ValueError where the text is not an entry's.
    """
    try:
        kind, number, *rest = json.loads(text)
        if kind == "stream":
            name, metric_kind, unit, description, bounds, scope = rest
            _ = str(name)[0]  # IndexError where it is empty, which would make the whole page unreadable
            attributes = tuple((str(key), str(value)) for key, value in scope[3])
            stream_scope = (str(scope[0]), str(scope[1]), str(scope[2]), attributes)
            metric_kind = KINDS[KINDS.index(metric_kind)]  # ValueError where there is none of that name
            bounds = tuple(map(float, bounds))
            return kind, int(number), Stream(str(name), metric_kind, str(unit), str(description), bounds, stream_scope)
        number = int(number)
        pairs = tuple((str(name), str(value)) for name, value in rest[0])
    except (ValueError, TypeError, IndexError, KeyError, OverflowError, RecursionError) as error:
        raise ValueError(f"an entry's text is damaged: {error}") from None
    # One wrong label would make the whole page unreadable; what a folding has absorbed are names of files.
    if kind != "absorbed" and not _are_labels(pairs):
        raise ValueError(f"an entry's text is damaged: {pairs!r:.200} are no labels")
    return kind, number, pairs


def _are_labels(pairs: Labels) -> bool:
    names = dict(pairs)
    return len(names) == len(pairs) and all(name and label_name(name) == name for name in names)


def writer(stream: Stream, cells: Cells) -> Write:
    """Return the function that writes one measurement, an exact int or float, into a series' cells.

    What it has written is in shared memory when it returns. Thread-safe.
    """
    if stream.kind in (COUNTER, UP_DOWN):

        def add(amount: Any) -> None:
            cells[0] += amount

        return _guarded(add)
    if stream.kind == HISTOGRAM:
        bounds = stream.bounds

        def record(amount: Any) -> None:
            cells[0] += amount
            cells[1 + bisect_left(bounds, amount)] += 1

        return _guarded(record)
    if stream.kind == EXPONENTIAL:

        def record_power(amount: Any) -> None:
            cells[0] += amount
            cells[1 + _power_index(amount)] += 1

        return _guarded(record_power)

    def put(amount: Any) -> None:
        cells[0] = amount
        cells[1] = time()

    return _guarded(put)


def _guarded(write: Write) -> Write:
    if GIL:
        return write
    lock = threading.Lock()

    def locked(amount: Any) -> None:
        with lock:
            write(amount)

    return locked


def rank(moment: float, now: float) -> float:
    """Return what orders the values of a gauge by the times of their setting, the latest last.

    A time that is still to come is of before the clock was set back, and so the oldest.
    """
    return moment if moment <= now else moment - _EVER


def bucket_of(stream: Stream, amount: float) -> int:
    """Return the number of the bucket that an amount falls into; 0 for kinds without buckets."""
    if stream.kind == HISTOGRAM:
        return bisect_left(stream.bounds, amount)
    return _power_index(amount) if stream.kind == EXPONENTIAL else 0


def _power_index(amount: float) -> int:
    if amount <= 0:
        return 0
    fraction, exponent = math.frexp(amount)
    # 2**k itself belongs to the bucket that ends there.
    power = exponent - 1 if fraction == 0.5 else exponent
    return 1 + min(max(power, LEAST_EXPONENT), GREATEST_EXPONENT + 1) - LEAST_EXPONENT

"""The measurements of one answered request, which come together each time: what they share is asked for once.

Where the page is all that gets them, and no view has changed them, they are additions to cells that are found before;
anywhere else each of them goes its own way, as `recording` has it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from time import monotonic
from typing import Any, Final, NamedTuple, TypeAlias

from otel_distro.metrics.entries import Entry
from otel_distro.metrics.recording import bind, known_entry, offer_exemplar
from otel_distro.metrics.series import Offer
from otel_distro.metrics.shared import Cells

_NO_BOUNDS: Final = ()
# How often is looked for cells where there are none: more than an end of a reader needs, and not for each request.
_ATTEMPTS: Final = 3


# What is kept at hand; beyond it, as with any number of them, the limits of series hold.
_MOST_SERIES: Final = 10_000

Measure: TypeAlias = Callable[..., None]
# Method, endpoint, status code.
Key: TypeAlias = tuple[str, str, int]


class Part(NamedTuple):
    """One series: the recording method of an instrument, and its attributes."""

    measure: Measure
    attributes: dict[str, str]


class _Exemplars(NamedTuple):
    """Who takes the exemplars of the histogram with bounds, of the one without, and of the counter."""

    takers: tuple[tuple[Offer, list[float], Part], ...]
    current_context: Callable[[], Any]
    span_key: str

    def offer(self, amounts: tuple[float, ...], bucket: int, context: Any) -> None:
        now, span = monotonic(), context[self.span_key]
        for (take, due, part), amount in zip(self.takers, amounts, strict=True):
            if due[bucket] <= now:
                offer_exemplar(take, amount, part.attributes, context, span)
            bucket = 0


class _Found(NamedTuple):
    """Where the four series are, all in cells and of one meter, as long as readers and meter are the same.

    Of `entries.Entry`, which says more.
    """

    consumer: Any
    storages: Any
    meter_config: Any
    config: Any
    active: Cells
    seconds: Cells
    bounds: tuple[float, ...]
    sizes: Cells
    requests: Cells
    exemplars: _Exemplars | None


class Answers:
    """Records requests: one more `active`; and once answered one less, its `duration` and `size`, one more `requests`.

    Each of these is the recording method of an instrument, which may be a proxy. Labels: method, endpoint (and status
    on the last). Thread-safe; stays valid when readers come and go, and after a fork. As long as no provider is set
    nothing is recorded but how many requests are in flight, which the one that comes is told.
    """

    def __init__(self, active: Measure, duration: Measure, size: Measure, requests: Measure) -> None:
        self._measures = (active, duration, size, requests)
        self._found: dict[Key, _Found] = {}
        self._apart: dict[Key, _Apart] = {}
        self._more = bind(active, {})
        # The first of the latest `_Found`.
        self._active: tuple[Any, Any, Any, Any, Cells] | None = None
        # The instrument that gets its provider last, until it has one; and how many are in flight meanwhile.
        instrument: Any = getattr(active, "__self__", None)
        self._unheard = instrument if hasattr(instrument, "_real_instrument") else None
        self._waiting = 0

    def started(self) -> None:
        """Count one more request in flight."""
        if self._active is not None:
            consumer, storages, meter_config, config, active = self._active
            if storages is consumer._reader_storages and config is meter_config._config:
                active[0] += 1
                return
        if self._unheard is None or self._is_heard(1):
            self._more(1)

    def _is_heard(self, change: int) -> bool:
        """Say whether there is a provider; keep a change of the number in flight as long as there is none."""
        # No call before each `return` and before `_more`: no other thread comes in between.
        if self._unheard is not None:
            if self._unheard._real_instrument is None:
                self._waiting += change
                return False
            waiting, self._waiting, self._unheard = self._waiting, 0, None
            if waiting:
                self._more(waiting)
        return True

    def record(  # noqa: PLR0913, PLR0917 -- the figures of one request
        self, method: str, endpoint: str, status: int, seconds: float, size: int, context: Any = None
    ) -> None:
        """Record one: status code, seconds, bytes; `context` has the span of exemplars, where not the current one."""
        key = (method, endpoint, status)
        if key in self._found:
            consumer, storages, meter_config, config, active, times, bounds, sizes, requests, exemplars = self._found[
                key
            ]
            bucket = bisect_left(bounds, seconds)
            if storages is consumer._reader_storages and config is meter_config._config:
                active[0] -= 1
                times[0] += seconds
                times[1 + bucket] += 1
                sizes[0] += size
                sizes[1] += 1
                requests[0] += 1
                if exemplars is not None:
                    around = context or exemplars.current_context()
                    if exemplars.span_key in around:
                        exemplars.offer((seconds, size, 1), bucket, around)
                return
        self._record_apart(key, seconds, size, context)

    def _record_apart(self, key: Key, seconds: float, size: int, context: Any) -> None:
        if self._unheard is not None and not self._is_heard(-1):
            return
        known = self._apart.get(key) or self._bind(key)
        known.active(-1)
        known.duration(seconds, context)
        known.size(size, context)
        known.requests(1, context)
        if known.attempts:
            found = _find(known.parts)
            if found is None:
                known.attempts -= 1
                self._found.pop(key, None)
            else:
                known.attempts = _ATTEMPTS
                self._found[key] = found
                self._active = found[:5]

    def _bind(self, key: Key) -> _Apart:
        if len(self._apart) >= _MOST_SERIES:
            self._apart.clear()
            self._found.clear()
        known = self._apart[key] = _Apart(self._measures, key)
        return known


class _Apart:
    """What records the four figures of one series one by one."""

    def __init__(self, measures: tuple[Measure, Measure, Measure, Measure], key: Key) -> None:
        method, endpoint, status = key
        labels = {"method": method, "endpoint": endpoint}
        of_each: tuple[dict[str, str], ...] = ({}, labels, labels, {**labels, "status": str(status)})
        self.parts = tuple(map(Part, measures, of_each))
        self.active, self.duration, self.size, self.requests = (bind(*part) for part in self.parts)
        self.attempts = _ATTEMPTS


def _find(parts: tuple[Part, ...]) -> _Found | None:
    """Return where the series are, or None where one of them is not an addition to cells alone."""
    known = [known_entry(*part) for part in parts]
    entries: list[Entry] = [one[2] for one in known if one is not None]
    if len(entries) < len(parts) or known[0] is None:
        return None
    sdk, instrument, first = known[0]
    consumer, meter_config = instrument._measurement_consumer, instrument._meter_config
    for _, other, entry in filter(None, known):
        same = other._measurement_consumer is consumer and other._meter_config is meter_config
        same = same and entry[0] is first[0] and entry[1] is first[1]
        if not same or entry[3] is None or entry[4] is not None or entry[6] is not None:
            return None
    bounds = [entry[5] for entry in entries]
    if bounds[1] is None or (bounds[0], *bounds[2:]) != (None, _NO_BOUNDS, None):
        return None
    # A number in flight has no exemplars on the page.
    takers = tuple(
        (entry[7], entry[8], part)
        for part, entry in zip(parts[1:], entries[1:], strict=True)
        if entry[7] is not None and entry[8] is not None
    )
    if len(takers) not in (0, len(parts) - 1):
        return None
    exemplars = _Exemplars(takers, sdk.current_context, sdk.span_key) if takers else None
    cells: list[Any] = [entry[3] for entry in entries]
    return _Found(
        consumer, first[0], meter_config, first[1], cells[0], cells[1], bounds[1], cells[2], cells[3], exemplars
    )

"""Counters, gauges and histograms with declared labels, for a user's own metrics in two lines.

    signups = counter("signups_total", "New accounts.", labels=("plan",))
    signups.labels(plan="pro").inc()

They may be declared at import, before any provider exists: OpenTelemetry's proxies switch them on later. Nothing here
raises into the application: a declaration or a label set that cannot be used gives one warning and an instrument that
does nothing.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any, Final, Generic, TypeVar

from opentelemetry.metrics import Meter, NoOpMeter, get_meter

from otel_distro.errors import InputError
from otel_distro.metrics.bound import Amount, Attributes, BoundCounter, BoundGauge, BoundHistogram
from otel_distro.metrics.declaration import Declaration, checked_buckets, declaration
from otel_distro.metrics.instruments import SCOPE, distro_meter
from otel_distro.metrics.rejected import LARGEST, reject_labels, warn_once
from otel_distro.metrics.timing import Timer

DECLARED_SCOPE: Final = "otel_distro.declared"
# Bound series that one instrument keeps; further ones work but are made anew for each measurement.
CHILDREN_LIMIT: Final = 2_000
# A program that makes up names for metrics has no end of them.
DECLARED_LIMIT: Final = 2_000
LABEL_LIMIT: Final = 256

BoundT = TypeVar("BoundT", BoundCounter, BoundGauge, BoundHistogram)
Bind = Callable[[Attributes], BoundT]


class Declared(ABC, Generic[BoundT]):
    """A declared metric: `labels` gives the series to measure with; without declared labels it is its own one series.

    Safe in any thread and after a fork.
    """

    kind = ""

    def __init__(self, declared: Declaration | None) -> None:
        """Make the instruments; None stands for a declaration that could not be used."""
        self.declaration = declared
        self.name = declared.scraped_name if declared else "(not declared)"
        self.label_names = declared.labels if declared else ()
        unused = declared or Declaration(self.kind, "unused", "", "", (), None, -LARGEST, DECLARED_SCOPE)
        self._nothing: BoundT = self._binder(unused, NoOpMeter(DECLARED_SCOPE))({})
        self._bind: Bind[BoundT] = self._binder(declared, _meter(declared.scope)) if declared else self._same_nothing
        self._children: dict[tuple[str, ...], BoundT] = {}
        self._own: BoundT | None = None if self.label_names else self._bind({})

    @abstractmethod
    def _binder(self, declared: Declaration, meter: Meter) -> Bind[BoundT]:
        """Make the instrument, and return what binds its series."""

    def _same_nothing(self, _: Attributes) -> BoundT:
        return self._nothing

    def labels(self, /, *values: object, **named: object) -> BoundT:
        """Return the series of these label values, given by name or in the declared order.

        The values become text: an enumeration's member by its value, anything else by `str`, at most 256 characters.
        The series is bound once and kept, for the first 2,000 of an instrument. Labels that are not the declared ones
        give one warning, count in `otel_distro_rejected_total` and return a series that does nothing.
        """
        names = self.label_names
        if named and not values and len(named) == len(names):
            try:
                values = tuple([named[name] for name in names])
            except KeyError:
                return self._wrong_labels(values, named)
        elif named or len(values) != len(names):
            return self._wrong_labels(values, named)
        key = tuple([value if type(value) is str else label_text(value) for value in values])
        return self._children.get(key) or self._new_child(key)

    def _new_child(self, values: tuple[str, ...]) -> BoundT:
        if self._own is not None:
            return self._own
        key = tuple(map(label_text, values))
        child = self._children.get(key)
        if child is None:
            child = self._bind(dict(zip(self.label_names, key, strict=True)))
            if len(self._children) < CHILDREN_LIMIT:
                # setdefault is atomic: threads that come at once all get the first one's series.
                child = self._children.setdefault(key, child)
            else:
                child = self._beyond_limit(child)
        return child

    def _beyond_limit(self, child: BoundT) -> BoundT:
        return child

    def _wrong_labels(self, values: tuple[object, ...], named: dict[str, object]) -> BoundT:
        if self.declaration is not None:
            given = [f"{len(values)} values by position"] if values else []
            given += [", ".join(sorted(named))[:LABEL_LIMIT]] if named else []
            reject_labels(self.name, "the labels " + " and ".join(given) if given else "no labels", self.label_names)
        return self._nothing

    def _single(self) -> BoundT:
        return self._own if self._own is not None else self._wrong_labels((), {})


class Counter(Declared[BoundCounter]):
    """A sum that only grows."""

    kind = "counter"

    def _binder(self, declared: Declaration, meter: Meter) -> Bind[BoundCounter]:
        add = meter.create_counter(declared.name, declared.unit, declared.description).add
        return lambda attributes: BoundCounter(declared.scraped_name, add, attributes)

    def inc(self, amount: Amount = 1) -> None:
        """Add an amount of zero or more, where no labels are declared."""
        self._single().inc(amount)


class Gauge(Declared[BoundGauge]):
    """A value that goes up and down; each process has its own."""

    kind = "gauge"

    def _binder(self, declared: Declaration, meter: Meter) -> Bind[BoundGauge]:
        set_ = meter.create_gauge(declared.name, declared.unit, declared.description).set
        return lambda attributes: BoundGauge(declared.scraped_name, set_, attributes, declared.lowest)

    def _beyond_limit(self, child: BoundGauge) -> BoundGauge:  # noqa: ARG002 -- the overridden signature
        # A series that is not kept forgets its value, so that inc and dec would falsify it.
        reject_labels(self.name, f"more than {CHILDREN_LIMIT} sets of label values", self.label_names)
        return self._nothing

    def set(self, value: Amount) -> None:
        """Set the value, where no labels are declared."""
        self._single().set(value)

    def inc(self, amount: Amount = 1) -> None:
        """Add to the value that this process has set, where no labels are declared."""
        self._single().inc(amount)

    def dec(self, amount: Amount = 1) -> None:
        """Take away from the value that this process has set, where no labels are declared."""
        self._single().dec(amount)


class Histogram(Declared[BoundHistogram]):
    """Observations counted by size."""

    kind = "histogram"

    def _binder(self, declared: Declaration, meter: Meter) -> Bind[BoundHistogram]:
        record = meter.create_histogram(
            declared.name, declared.unit, declared.description, explicit_bucket_boundaries_advisory=declared.buckets
        ).record
        return lambda attributes: BoundHistogram(declared.scraped_name, record, attributes)

    def observe(self, value: Amount) -> None:
        """Record a value of zero or more, where no labels are declared."""
        self._single().observe(value)

    def time(self) -> Timer:
        """Return a context manager and decorator that records seconds, where no labels are declared."""
        return self._single().time()


def counter(
    name: str, description: str = "", labels: Sequence[str] = (), unit: str = "", *, scope: str = DECLARED_SCOPE
) -> Counter:
    """Declare a counter; scraped as `<name>_total`, whether or not the name says so.

    `labels` are the label names; `unit` is a UCUM code (`s`, `By`, `{order}`) that the scraped name ends in, taken from
    the name's own `_seconds` or `_bytes` where it is not given; `scope` is the OpenTelemetry instrumentation scope.
    Declared again with the same labels and unit it is the same object; with others, or under a name that cannot be
    used, there is one warning and the counter does nothing.
    """
    return _declare(Counter, name, description=description, labels=labels, unit=unit, scope=scope)


def gauge(  # noqa: PLR0913 -- the public signature
    name: str,
    description: str = "",
    labels: Sequence[str] = (),
    unit: str = "",
    *,
    minimum: float | None = None,
    scope: str = DECLARED_SCOPE,
) -> Gauge:
    """Declare a gauge; values below `minimum` are rejected, None allows all finite ones; else as `counter`.

    `inc` and `dec` start from the value that this process last set, 0 at first. Beyond 2,000 sets of label values
    further ones are rejected.
    """
    lowest = -LARGEST if minimum is None else minimum
    return _declare(Gauge, name, description=description, labels=labels, unit=unit, scope=scope, lowest=lowest)


def histogram(  # noqa: PLR0913 -- the public signature
    name: str,
    description: str = "",
    labels: Sequence[str] = (),
    buckets: Sequence[float] | None = None,
    unit: str = "",
    *,
    scope: str = DECLARED_SCOPE,
) -> Histogram:
    """Declare a histogram; `buckets` are ascending upper bounds in its unit; else as `counter`.

    Without `buckets` a histogram of seconds has bounds from 5 ms to 10 s, any other those of the OpenTelemetry SDK;
    `buckets=()` makes it a summary of count and sum. Bounds that cannot be used give one warning and the default ones.
    """
    bounds: tuple[float, ...] | None = None
    try:
        bounds = None if buckets is None else checked_buckets(buckets)
    except InputError as error:
        warn_once(_short(name), "buckets", f"histogram {_short(name)}: {error}; the default ones are used instead")
    return _declare(Histogram, name, description=description, labels=labels, unit=unit, scope=scope, buckets=bounds)


def declarations() -> tuple[Declaration, ...]:
    """Return what has been declared in this process, in that order, without what this package declares itself."""
    found = (known.declaration for known in tuple(_all.values()))
    return tuple(one for one in found if one is not None and one.scope != SCOPE)


def label_text(value: object) -> str:
    """Return the label value for anything: valid Unicode text of at most 256 characters; never raises."""
    try:
        text = str(value.value if isinstance(value, Enum) else value)
        if not text.isascii():
            # A lone surrogate in one label would make the whole page impossible to encode.
            text = text.encode("utf-8", "replace").decode()
        return text[:LABEL_LIMIT]
    except Exception:  # noqa: BLE001 -- the value's own __str__ may raise anything
        return "(unprintable)"


_DeclaredT = TypeVar("_DeclaredT", Counter, Gauge, Histogram)
_all: Final[dict[str, Counter | Gauge | Histogram]] = {}


def _declare(kind: type[_DeclaredT], name: object, **particulars: Any) -> _DeclaredT:
    try:
        declared = declaration(kind.kind, name, **particulars)
        known = _all.get(declared.family) or _new(kind, declared)
        if isinstance(known, kind) and known.declaration == declared:
            return known
        problem = _conflict(known)
    except Exception as error:  # noqa: BLE001 -- a bad declaration must not stop the application's start
        problem = str(error)
    warn_once(_short(name), "declaration", f"{kind.kind} {_short(name)} does nothing: {problem}")
    return kind(None)


def _new(kind: type[_DeclaredT], declared: Declaration) -> Counter | Gauge | Histogram:
    if len(_all) >= DECLARED_LIMIT:
        raise InputError(f"there are {DECLARED_LIMIT} metrics already; tell series apart by labels, not by names")
    return _all.setdefault(declared.family, kind(declared))


def _conflict(known: Counter | Gauge | Histogram) -> str:
    labels = ", ".join(known.label_names) or "none"
    return f"it is declared elsewhere as a {known.kind} with other particulars (labels: {labels}); rename one of them"


def _short(name: object) -> str:
    return repr(label_text(name)[:80])


def _meter(scope: str) -> Meter:
    return distro_meter() if scope == SCOPE else get_meter(scope)

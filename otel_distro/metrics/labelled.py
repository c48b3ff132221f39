"""Instruments with labels: counter, gauge and histogram, and the series that each keeps bound, by label values.

`declared` makes them for who names a metric.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from enum import Enum
from typing import Final, Generic, TypeVar

from opentelemetry.metrics import Meter, NoOpMeter, get_meter

from otel_distro.metrics.bound import Amount, Attributes, BoundCounter, BoundGauge, BoundHistogram
from otel_distro.metrics.declaration import Declaration
from otel_distro.metrics.instruments import SCOPE, distro_meter
from otel_distro.metrics.rejected import LARGEST, reject_labels
from otel_distro.metrics.timing import Timer

DECLARED_SCOPE: Final = "otel_distro.declared"
# Bound series that one instrument keeps; further ones work but are made anew for each measurement.
CHILDREN_LIMIT: Final = 2_000
# One more than a series may have: what is longer is cut there, and counted.
LABEL_LIMIT: Final = 1_025
_NAMES_LIMIT: Final = 256

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

        The values become text: an enumeration's member by its value, anything else by `str`, at most 1 kB of it.
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
            given += [", ".join(sorted(named))[:_NAMES_LIMIT]] if named else []
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


def label_text(value: object) -> str:
    """Return the label value for anything: valid Unicode text of at most 1,025 characters; never raises."""
    try:
        text = str(value.value if isinstance(value, Enum) else value)
        if not text.isascii():
            # A lone surrogate in one label would make the whole page impossible to encode.
            text = text.encode("utf-8", "replace").decode()
        return text[:LABEL_LIMIT]
    except Exception:  # noqa: BLE001 -- the value's own __str__ may raise anything
        return "(unprintable)"


def _meter(scope: str) -> Meter:
    return distro_meter() if scope == SCOPE else get_meter(scope)

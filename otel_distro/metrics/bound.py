"""Instruments bound to one set of label values: what is called for each measurement.

All are safe in any thread and after a fork; none raises, whatever it is given.
"""

from __future__ import annotations

import os
from decimal import Decimal
from functools import cache, partial
from threading import RLock
from typing import Final, Protocol, TypeAlias
from weakref import WeakSet

from otel_distro.metrics.recording import bind
from otel_distro.metrics.rejected import LARGEST, reject, usable
from otel_distro.metrics.timing import TimedCall, Timer

# Beyond it `usable` makes a float of a whole number.
LARGEST_WHOLE: Final = 2**53

Amount: TypeAlias = int | float | Decimal
Attributes: TypeAlias = dict[str, str]


class Measure(Protocol):
    """The method of an OpenTelemetry instrument that takes a measurement: `add`, `set` or `record`."""

    def __call__(self, amount: float, /, attributes: Attributes) -> None:
        """Measure an amount of the series with these attributes."""


class BoundCounter:
    """One series of a counter."""

    __slots__ = ("_add", "_name")

    def __init__(self, name: str, add: Measure, attributes: Attributes) -> None:
        self._name = name
        self._add = bind(add, attributes)

    def inc(self, amount: Amount = 1) -> None:
        """Add an amount of zero or more; any other is rejected."""
        # What nearly every call adds, told without a call.
        if type(amount) is int and 0 <= amount <= LARGEST_WHOLE:
            self._add(amount)
            return
        value = usable(amount)
        if value is None:
            reject(self._name, amount)
        else:
            self._add(value)


class BoundGauge:
    """One series of a gauge; it remembers its own value in this process, and a forked process starts from 0."""

    __slots__ = ("__weakref__", "_lock", "_lowest", "_name", "_set", "_value")

    def __init__(self, name: str, set_: Measure, attributes: Attributes, lowest: float = -LARGEST) -> None:
        self._name = name
        self._set = bind(set_, attributes)
        self._lowest = lowest
        self._value: int | float = 0
        # Reentrant, as a finalizer or signal handler may measure in the midst of a measurement of the same thread.
        self._lock = RLock()
        _follow_forks()
        _gauges.add(self)

    def set(self, value: Amount) -> None:
        """Set the value; NaN, infinity, text and what lies below the gauge's minimum are rejected."""
        number = usable(value, self._lowest)
        if number is None:
            reject(self._name, value, self._lowest)
            return
        with self._lock:
            self._value = number
            self._show()

    def inc(self, amount: Amount = 1) -> None:
        """Add to the value that this process has set; a negative amount takes away."""
        number = usable(amount, -LARGEST)
        if number is None:
            reject(self._name, amount, -LARGEST)
            return
        with self._lock:
            while True:
                before = self._value
                wanted = before + number
                value = usable(wanted, self._lowest)
                if value is None:
                    break
                # Else it was set in the midst of this; between question and assignment there is no call.
                if self._value is before:
                    self._value = value
                    self._show()
                    break
        if value is None:
            reject(self._name, wanted, self._lowest)

    def dec(self, amount: Amount = 1) -> None:
        """Take away from the value that this process has set."""
        number = usable(amount, -LARGEST)
        if number is None:
            reject(self._name, amount, -LARGEST)
        else:
            self.inc(-number)

    def _show(self) -> None:
        """Have the series show the value, be it one that was set in the midst of this; for who has the lock."""
        while True:
            value = self._value
            self._set(value)
            if self._value is value:
                return

    def restart(self) -> None:
        """Begin anew in a forked process, where another thread of the parent may have held the lock."""
        self._lock = RLock()
        self._value = 0


class BoundHistogram:
    """One series of a histogram."""

    __slots__ = ("_name", "_record")

    def __init__(self, name: str, record: Measure, attributes: Attributes) -> None:
        self._name = name
        self._record = bind(record, attributes)

    def observe(self, value: Amount) -> None:
        """Record a value of zero or more, in the unit of the histogram; any other is rejected."""
        # What nearly every call records, told without a call.
        if type(value) is float and 0.0 <= value <= LARGEST:
            self._record(value)
            return
        number = usable(value)
        if number is None:
            reject(self._name, value)
        else:
            self._record(number)

    def time(self) -> Timer:
        """Return a context manager and decorator that records how long it took, in seconds, exceptions included."""
        return Timer(partial(TimedCall, self.observe))


_gauges: Final[WeakSet[BoundGauge]] = WeakSet()


@cache
def _follow_forks() -> None:
    os.register_at_fork(after_in_child=_restart_gauges)


def _restart_gauges() -> None:
    for gauge in list(_gauges):
        gauge.restart()

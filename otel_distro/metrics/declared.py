"""Counters, gauges and histograms with declared labels, for a user's own metrics in two lines.

    signups = counter("signups_total", "New accounts.", labels=("plan",))
    signups.labels(plan="pro").inc()

They may be declared at import, before any provider exists: OpenTelemetry's proxies switch them on later. Nothing here
raises into the application: a declaration or a label set that cannot be used gives one warning and an instrument that
does nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, TypeVar

from otel_distro.errors import InputError
from otel_distro.metrics.declaration import Declaration, checked_buckets, declaration
from otel_distro.metrics.instruments import SCOPE
from otel_distro.metrics.labelled import (
    DECLARED_SCOPE,
    LABEL_LIMIT,
    Counter,
    Declared,
    Gauge,
    Histogram,
    label_text,
)
from otel_distro.metrics.rejected import LARGEST, warn_once

__all__ = [
    "DECLARED_LIMIT",
    "DECLARED_SCOPE",
    "LABEL_LIMIT",
    "Counter",
    "Declared",
    "Gauge",
    "Histogram",
    "counter",
    "declarations",
    "gauge",
    "histogram",
    "label_text",
]

# A program that makes up names for metrics has no end of them.
DECLARED_LIMIT: Final = 2_000


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

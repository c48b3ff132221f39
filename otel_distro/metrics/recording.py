"""Fast recording for every instrument of a meter provider, ours and everybody's, by the ordinary OpenTelemetry API.

The first measurement of a series goes the SDK's own way, which decides by views and readers where it belongs. What it
decides is kept under the attributes as they came, so that the next one is a look-up and an addition, for the page and
the further readers of the process at once. `entries` keeps it, `storages` says where series live, `tallies` how one
addition serves all; this module only finds them again.

One difference to the SDK: a text of a type of its own (an enumeration's member, say) that equals a plain one is
recorded in the series of the plain one where that is there; the SDK keeps two series with the same labels.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from time import monotonic
from typing import Any, Final, Protocol

from otel_distro.internals import MetricsSdk, make_mappings
from otel_distro.metrics.entries import SLOT, Entry, remember
from otel_distro.metrics.series import GREATEST, Offer

# A whole number up to it is compared as one, which is quicker than with a float; larger ones go the SDK's way.
_MOST_WHOLE: Final = 2**63

_originals: Final[list[tuple[type, str, Any]]] = []
_sdk: Final[list[MetricsSdk]] = []


def install(sdk: MetricsSdk) -> None:
    """Put fast recording in force for all instruments of the process; a second call does nothing.

    Instruments of a provider that nothing has adopted are recorded fast as well, into the SDK's aggregations.
    """
    if _originals:
        return
    _sdk[:] = [sdk]
    make_mappings()
    for kind, method, least in (
        (sdk.counter, "add", 0.0),
        (sdk.up_down_counter, "add", -GREATEST),
        (sdk.histogram, "record", 0.0),
        (sdk.gauge, "set", -GREATEST),
    ):
        original = getattr(kind, method)
        _originals.append((kind, method, original))
        setattr(kind, method, _fast(original, least, sdk))


def uninstall() -> None:
    """Give the SDK's instruments their own methods back."""
    while _originals:
        kind, method, original = _originals.pop()
        setattr(kind, method, original)


class Bound(Protocol):
    """What records a measurement of one series; `context` holds the span of its exemplar, where not the current one."""

    def __call__(self, amount: float, context: Any = None, /) -> None:
        """Measure an amount."""


def bind(  # noqa: C901 -- as in `_fast`
    measure: Callable[..., None], attributes: dict[str, str]
) -> Bound:
    """Return what records a measurement with these attributes, without looking them up each time.

    `measure` is the recording method of an instrument, which may be a proxy. The amounts have to be of type int or
    float and such as the instrument takes. Thread-safe; stays valid when readers come and go, and after a fork.
    """
    entry: Entry | None = None
    consumer: Any = None
    meter_config: Any = None
    current_context: Any = None
    span_key = ""

    def write_bound(amount: Any, context: Any = None, /) -> None:  # noqa: C901, PLR0912 -- a call costs more than a branch
        nonlocal entry, consumer, meter_config, current_context, span_key
        if entry is not None:
            storages, config, _, cells, box, bounds, write, offer, due = entry
            bucket = bisect_left(bounds, amount) if bounds is not None else 0
            if storages is consumer._reader_storages and config is meter_config._config:
                try:
                    if box is not None:
                        box[0] += amount
                except TypeError:
                    pass  # its tally has ended
                else:
                    if cells is not None:
                        cells[0] += amount
                        if bounds is not None:
                            cells[1 + bucket] += 1
                            if box is not None:
                                if amount < box[1]:  # noqa: PLR1730 -- a call costs more than a comparison
                                    box[1] = amount
                                if amount > box[2]:  # noqa: PLR1730 -- the same
                                    box[2] = amount
                    if write is not None:
                        write(amount)
                    if offer is not None:
                        current = context or current_context()
                        if span_key in current and (due is None or due[bucket] <= monotonic()):
                            offer_exemplar(offer, amount, attributes, current, current[span_key])
                    return
        measure(amount, attributes, *(() if context is None else (context,)))
        known = known_entry(measure, attributes)
        if known is not None:
            sdk, real, entry = known
            consumer, meter_config = real._measurement_consumer, real._meter_config
            current_context, span_key = sdk.current_context, sdk.span_key

    return write_bound


def known_entry(measure: Callable[..., None], attributes: dict[str, str]) -> tuple[MetricsSdk, Any, Entry] | None:
    """Return where an instrument, which is the second, measures these attributes; None where that is not known."""
    instrument: Any = getattr(measure, "__self__", None)
    real = getattr(instrument, "_real_instrument", None) or instrument
    found = getattr(real, SLOT, {}).get((*attributes, *attributes.values()))
    return (_sdk[0], real, found) if found is not None and found[2] is None and _sdk else None


def offer_exemplar(offer: Offer, amount: Any, attributes: Any, context: Any, span: Any) -> None:
    """Offer a measurement as an exemplar where its span is sampled."""
    try:
        span_context = span.get_span_context()
        if span_context.trace_flags & 1:
            offer(amount, attributes, context, span_context)
    except Exception:  # noqa: BLE001 -- the measurement counts; anything may stand in the place of a span
        return


def _fast(  # noqa: C901 -- in `record` a call costs more than a branch
    original: Any, least: float, sdk: MetricsSdk
) -> Callable[..., None]:
    current_context, span_key, greatest = sdk.current_context, sdk.span_key, GREATEST
    least_whole, most_whole = (0 if least == 0 else -_MOST_WHOLE), _MOST_WHOLE

    def record(self: Any, amount: Any, attributes: Any = None, context: Any = None) -> None:  # noqa: C901, PLR0912 -- as above
        try:
            if attributes:
                size, values_of, shaped = self._otel_distro_shape
                if len(attributes) == size and type(attributes) is dict:
                    key = values_of(attributes)
                    entry = shaped[key]
                else:
                    key = (*attributes, *attributes.values())
                    entry = self._otel_distro_entries[key]
            else:
                entry = self._otel_distro_bare
            storages, config, types, cells, box, bounds, write, offer, due = entry
            bucket = 0 if bounds is None else bisect_left(bounds, amount)
            kind = type(amount)
            # Only as the condition of an `if` are comparisons quick. From the question for the storages on there is no
            # call up to the last store: no other thread comes in between, see `tallies`.
            if (
                (
                    least <= amount <= greatest
                    if kind is float
                    else (kind is int and least_whole <= amount <= most_whole)
                )
                and (types is None or types == tuple(map(type, key)))
                and storages is self._measurement_consumer._reader_storages
                and config is self._meter_config._config
            ):
                if box is not None:
                    box[0] += amount
                if cells is not None:
                    cells[0] += amount
                    if bounds is not None:
                        cells[1 + bucket] += 1
                        if box is not None:
                            if amount < box[1]:  # noqa: PLR1730 -- a call costs more than a comparison
                                box[1] = amount
                            if amount > box[2]:  # noqa: PLR1730 -- the same
                                box[2] = amount
                known = True
            else:
                known = False
        except Exception:  # noqa: BLE001 -- what the SDK raises for odd attributes, it will; or the box's tally has ended
            known = False
        if not known:
            _first(original, sdk, self, amount, attributes, context)
            return
        if write is not None:
            write(amount)
        if offer is not None:
            current = context or current_context()
            if span_key in current and (due is None or due[bucket] <= monotonic()):
                offer_exemplar(offer, amount, attributes, current, current[span_key])

    record.__doc__ = original.__doc__
    record.__name__ = original.__name__
    record.__qualname__ = original.__qualname__
    return record


def _first(  # noqa: PLR0913, PLR0917 -- the measurement as it came
    original: Any, sdk: MetricsSdk, instrument: Any, amount: Any, attributes: Any, context: Any
) -> None:
    """Record the SDK's own way, and remember where it went."""
    original(instrument, amount, attributes, context)
    try:
        remember(sdk, instrument, attributes)
    except Exception:  # noqa: BLE001 -- remembering is a short cut only, and the application's objects may raise anything
        return

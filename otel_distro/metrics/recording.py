"""Fast recording for every instrument of a meter provider, ours and everybody's, by the ordinary OpenTelemetry API.

The first measurement of a series goes the SDK's own way, which decides by views and readers where it belongs. What it
decides is kept under the attributes as they came, so that the next one is a look-up and an addition. `storages` says
where series live; this module only finds them again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from otel_distro.internals import MetricsSdk
from otel_distro.metrics.storages import Offer, targets_of

_SLOT: Final = "_otel_distro_entries"
# The greatest float: a whole number above it cannot be added to a cell.
_GREATEST: Final = 1.7976931348623157e308
_MOST_ENTRIES: Final = 10_000

_originals: Final[list[tuple[type, str, Any]]] = []


class Entry(NamedTuple):
    """Where the measurements of one set of attributes go.

    `storages` is what the consumer had when the entry was made: another one means that readers came or went, or that
    this is a forked child. `types` are the types of the attributes' values, None where all are texts: True, 1 and 1.0
    are equal to Python and not to the SDK.
    """

    storages: Any
    types: tuple[type, ...] | None
    write: Callable[[Any], None]
    offer: Offer | None


def install(sdk: MetricsSdk) -> None:
    """Put fast recording in force for all instruments of the process; a second call does nothing.

    Instruments of a provider that nothing has adopted are recorded fast as well, into the SDK's aggregations.
    """
    if _originals:
        return
    for kind, method, least in (
        (sdk.counter, "add", 0),
        (sdk.up_down_counter, "add", -_GREATEST),
        (sdk.histogram, "record", 0),
        (sdk.gauge, "set", -_GREATEST),
    ):
        original = getattr(kind, method)
        _originals.append((kind, method, original))
        setattr(kind, method, _fast(original, least, sdk))


def uninstall() -> None:
    """Give the SDK's instruments their own methods back."""
    while _originals:
        kind, method, original = _originals.pop()
        setattr(kind, method, original)


def _fast(original: Any, least: float, sdk: MetricsSdk) -> Any:
    current_context, span_key = sdk.current_context, sdk.span_key

    def record(self: Any, amount: Any, attributes: Any = None, context: Any = None) -> None:
        try:
            entry = self._otel_distro_entries[(*attributes, *attributes.values()) if attributes else ()]
        except (AttributeError, KeyError, TypeError):
            _first(original, sdk, self, amount, attributes, context)
            return
        storages, types, write, offer = entry
        kind = type(amount)
        if (
            (kind is not int and kind is not float)
            or not least <= amount <= _GREATEST
            or storages is not self._measurement_consumer._reader_storages
            or not self._meter_config._config.is_enabled
            or (types is not None and types != tuple(map(type, attributes.values())))
        ):
            _first(original, sdk, self, amount, attributes, context)
            return
        if offer is not None:
            current = current_context() if context is None else context
            span = current.get(span_key)
            if span is not None:
                span_context = span.get_span_context()
                if span_context.trace_flags & 1:
                    write(amount)
                    offer(amount, attributes, current, span_context)
                    return
        write(amount)

    record.__doc__ = original.__doc__
    record.__name__ = original.__name__
    record.__qualname__ = original.__qualname__
    return record


def _first(  # noqa: PLR0913, PLR0917 -- the measurement as it came
    original: Any, sdk: MetricsSdk, instrument: Any, amount: Any, attributes: Any, context: Any
) -> None:
    """Record the SDK's own way, and remember where it went."""
    original(instrument, amount, attributes, context)
    consumer = instrument._measurement_consumer
    config = instrument._meter_config
    storages = getattr(consumer, "_reader_storages", None)
    if storages is None or config is None or not config.is_enabled or not 0 <= len(attributes or ()) <= 128:
        return
    try:
        key = (*attributes, *attributes.values()) if attributes else ()
        hash(key)
    except (TypeError, AttributeError):
        return
    found = targets_of(sdk, instrument, storages, attributes)
    if found is None:
        return
    types: tuple[type, ...] | None = tuple(map(type, attributes.values())) if attributes else ()
    if all(kind is str for kind in types or ()):
        types = None
    entries = instrument.__dict__.setdefault(_SLOT, {})
    if len(entries) >= _MOST_ENTRIES:
        entries.clear()
    write, offer = found
    entries[key] = Entry(storages, types, write, offer)

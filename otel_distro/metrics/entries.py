"""What recording remembers: where the measurements of a set of attributes go, in the instrument, by the set as it came.

An instrument has its entries in attributes of its own: one for no attributes, all by names and values, and by values
alone as long as every call has the same names. `recording` looks up there, and has this write it after a measurement
that found nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import itemgetter
from typing import Any, Final, TypeAlias

from otel_distro.internals import MetricsSdk
from otel_distro.metrics.series import Offer
from otel_distro.metrics.shared import Cells
from otel_distro.metrics.streams import Write
from otel_distro.metrics.tallies import Box
from otel_distro.metrics.targets import targets_of

SLOT: Final = "_otel_distro_entries"
_MOST_ENTRIES: Final = 10_000
_MOST_ATTRIBUTES: Final = 128
# Values of these types are equal only where the SDK takes them for the same, as long as their types are the same.
_PLAIN: Final = frozenset((str, bool, int, float, bytes, type(None)))

# Where the measurements of one set of attributes go. First what has to be as it was when that was found out: the
# consumer's mapping of storages (another one means that readers came or went, or that this is a forked child), the
# meter's configuration, and the types of the values, None where all are texts: True, 1 and 1.0 are equal to Python and
# not to the SDK. Then cells, box, bounds, write, offer and due of `targets.Targets`. A plain tuple is unpacked fastest.
Entry: TypeAlias = tuple[
    Any,
    Any,
    "tuple[type, ...] | None",
    "Cells | None",
    "Box | None",
    "tuple[float, ...] | None",
    "Write | None",
    "Offer | None",
    "list[float] | None",
]

# Nearly all calls of an instrument have the same names of attributes. As long as all of one number have, their values
# are the key: how many they are, what gets their values in always the same order, and the entries by these.
Shape: TypeAlias = tuple[int, Callable[[Any], tuple[Any, ...]], dict[tuple[Any, ...], Entry]]
_SHAPE: Final = "_otel_distro_shape"
_UNKNOWN: Final[Shape] = (-1, tuple, {})
_SEVERAL: Final[Shape] = (-2, tuple, {})


def remember(sdk: MetricsSdk, instrument: Any, attributes: Any) -> None:
    """Keep in an instrument where its measurements of these attributes go, if they go where they can be found again.

    For one who has just measured them the SDK's own way. Thread-safe; may raise what the attributes' objects raise.
    """
    if attributes and len(attributes) > _MOST_ATTRIBUTES:
        return
    key = (*attributes, *attributes.values()) if attributes else ()
    types = _types_of(key)
    if not _PLAIN.issuperset(types or ()):
        return
    storages, config = instrument._measurement_consumer._reader_storages, instrument._meter_config._config
    if not config.is_enabled:
        return
    entries: dict[Any, Entry] = instrument.__dict__.setdefault(SLOT, {})
    shape: Shape = instrument.__dict__.setdefault(_SHAPE, _UNKNOWN)
    known = entries.get(key)
    if known is None or not _is_valid(known, storages, config, types):
        found = targets_of(sdk, instrument, storages, attributes)
        if found is None:
            return
        known = (storages, config, types, *found)
    if len(entries) >= _MOST_ENTRIES and key not in entries:
        entries.clear()
        shape[2].clear()
    entries[key] = known
    if not key:
        instrument._otel_distro_bare = known
    elif type(attributes) is dict:
        instrument.__dict__[_SHAPE] = _with_entry(shape, attributes, known)


def _is_valid(entry: Entry, storages: Any, config: Any, types: tuple[type, ...] | None) -> bool:
    box = entry[4]
    ended = box is not None and box[0] is None
    return entry[0] is storages and entry[1] is config and entry[2] == types and not ended


def _types_of(key: tuple[Any, ...]) -> tuple[type, ...] | None:
    """Return the types of what is in a key, None where all are texts."""
    types = tuple(map(type, key))
    return None if types == (str,) * len(types) else types


def _with_entry(shape: Shape, attributes: dict[str, Any], entry: Entry) -> Shape:
    """Return the shape with one more entry; none any more where another call has as many attributes of other names."""
    size, values_of, shaped = shape
    if size == _UNKNOWN[0] and len(attributes) > 1:
        size, values_of, shaped = len(attributes), itemgetter(*attributes), {}
    if size != len(attributes):
        return shape
    try:
        values = values_of(attributes)
    except KeyError:
        return _SEVERAL
    shaped[values] = (*entry[:2], _types_of(values), *entry[3:])
    return size, values_of, shaped

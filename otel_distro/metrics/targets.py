"""Where the measurements of one set of attributes go, found once and kept by who records."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from otel_distro.internals import MetricsSdk
from otel_distro.metrics import streams
from otel_distro.metrics.aggregations import sdk_offer, sdk_write
from otel_distro.metrics.series import Offer, SharedSeries
from otel_distro.metrics.shared import Cells
from otel_distro.metrics.streams import Write
from otel_distro.metrics.tallies import Box


class Targets(NamedTuple):
    """Where the measurements of one set of attributes go.

    `cells` are those of the first series that is in cells and adds up, with the `box` of its tally where readers follow
    it and its `bounds` where it is a histogram: the caller writes into them itself, which saves a call, first into the
    box, which raises TypeError once its tally has ended. `write` does the rest, `offer` takes exemplars; where `due` is
    given, it takes one of a bucket only from that time on.
    """

    cells: Cells | None
    box: Box | None
    bounds: tuple[float, ...] | None
    write: Write | None
    offer: Offer | None
    due: list[float] | None


def targets_of(sdk: MetricsSdk, instrument: Any, storages: Any, attributes: Any) -> Targets | None:
    """Return where measurements of these attributes go, for one who measures them again and again.

    None where a series is not there to be found again: it was refused, overflowed, or is of a kind that only the SDK
    can write.
    """
    exemplars = instrument._measurement_consumer._sdk_config.exemplar_filter
    if type(exemplars) not in (sdk.always_off, sdk.trace_based):
        return None
    cleaned = sdk.measurement(0, 0, instrument, None, attributes).attributes
    inline: SharedSeries | None = None
    writes: list[Write] = []
    offers: list[Offer] = []
    for series, follows in _all_series(sdk, instrument, storages, cleaned):
        if type(series) is SharedSeries:
            if inline is None and streams.GIL and series.stream.kind in streams.ADDED:
                inline = series
            else:
                writes.append(series.write)
            offers.append(series.offer)
            continue
        write = sdk_write(sdk, series)
        if write is None:
            return None
        if not follows:
            writes.append(write)
        offers.append(sdk_offer(sdk, series, cleaned))
    offer = _each(offers) if offers and type(exemplars) is sdk.trace_based else None
    if inline is None:
        return Targets(None, None, None, _each(writes), offer, None)
    bounds = inline.stream.bounds if inline.stream.kind == streams.HISTOGRAM else None
    due = inline.due if len(offers) == 1 else None
    tally = inline.tally
    if tally is not None and tally.ended:
        writes += [_write for follower in tally.followers if (_write := sdk_write(sdk, follower))]
    box = tally.box if tally is not None and not tally.ended else None
    return Targets(inline.cells, box, bounds, _each(writes), offer, due)


def _all_series(sdk: MetricsSdk, instrument: Any, storages: Any, attributes: Any) -> Iterator[tuple[Any, bool]]:
    for storage in storages.values():
        for match in storage._get_or_init_view_instrument_match(instrument):
            found = _series_of(sdk, match, attributes)
            if type(found[0]) is not sdk.drop:
                yield found


def _series_of(sdk: MetricsSdk, match: Any, attributes: Any) -> tuple[Any, bool]:
    """Return the series that a match has for these attributes, and whether it gets measurements by following."""
    if hasattr(match, "existing"):
        found: tuple[Any, bool] = match.existing(attributes)
        return found
    keys = match._view._attribute_keys
    kept = {key: value for key, value in (attributes or {}).items() if keys is None or key in keys}
    return match._attributes_aggregation.get(sdk.hash_attributes(kept)), False


def _each(functions: list[Any]) -> Any:
    if len(functions) < 2:
        return functions[0] if functions else None

    def call(*arguments: Any) -> None:
        for function in functions:
            function(*arguments)

    return call

"""What the cells of a series show on a page."""

from __future__ import annotations

from otel_distro.metrics import streams
from otel_distro.metrics.families import COUNTER, GAUGE, HISTOGRAM, SUMMARY, Distribution, Value
from otel_distro.metrics.streams import Stream


def family_kind(stream: Stream) -> str:
    """Return as what kind of metric a page shows a stream."""
    if stream.kind in (streams.COUNTER, streams.OBSERVED_COUNTER):
        return COUNTER
    if stream.kind == streams.EXPONENTIAL or (stream.kind == streams.HISTOGRAM and stream.bounds):
        return HISTOGRAM
    return SUMMARY if stream.kind == streams.HISTOGRAM else GAUGE


def value_of(stream: Stream, cells: list[float]) -> Value:
    """Return what a page shows of a series with these cells."""
    if stream.kind == streams.HISTOGRAM:
        counts = tuple(map(int, cells[1:]))
        return Distribution(sum(counts), plain(cells[0]), stream.bounds, counts if stream.bounds else ())
    if stream.kind == streams.EXPONENTIAL:
        return _exponential(cells)
    return plain(cells[0])


def _exponential(cells: list[float]) -> Distribution:
    """Return the buckets from the first to the last that anything fell into; zero and less have one of their own."""
    low, *powers, above = map(int, cells[1:])
    used = [index for index, count in enumerate(powers) if count]
    bounds: list[float] = [0.0] if low else []
    counts = [low] if low else []
    if used:
        bounds += streams.POWERS[used[0] : used[-1] + 1]
        counts += powers[used[0] : used[-1] + 1]
    counts.append(above)
    return Distribution(sum(counts), plain(cells[0]), tuple(bounds), tuple(counts))


def plain(value: float) -> int | float:
    """Return a whole number as an int, as far as doubles tell whole numbers apart."""
    return int(value) if value.is_integer() and abs(value) <= 2**53 else value

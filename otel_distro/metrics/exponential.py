"""Exponential histograms as classic ones, for pages that know no other.

Every exponential histogram of scale 0 or finer falls exactly into buckets that end at powers of two, so these bounds
stay the same while the SDK changes the scale; a coarser one falls into a part of them. Source: OpenTelemetry data
model, "ExponentialHistogram: Merging and perfect subsetting".
"""

from __future__ import annotations

from collections import Counter
from typing import Any

_GREATEST_EXPONENT = 1023


def to_distribution(point: Any) -> tuple[int, float, tuple[float, ...], tuple[int, ...]]:
    """Return count, sum, bounds and counts (one more than bounds) of an exponential histogram's data point.

    What is zero or below stands in a bucket that ends at the zero threshold.
    """
    by_exponent: Counter[int] = Counter()
    for index, count in enumerate(point.positive.bucket_counts, start=point.positive.offset):
        if count:
            by_exponent[_upper_exponent(index, point.scale)] += count
    low = point.zero_count + sum(point.negative.bucket_counts)
    bounds: list[float] = []
    counts: list[int] = []
    if low:
        bounds.append(float(getattr(point, "zero_threshold", 0.0)))
        counts.append(low)
    finite = [exponent for exponent in by_exponent if exponent <= _GREATEST_EXPONENT]
    if finite:
        step = 1 if point.scale >= 0 else 1 << -point.scale
        for exponent in range(min(finite), max(finite) + 1, step):
            bounds.append(2.0**exponent)
            counts.append(by_exponent[exponent])
    counts.append(point.count - sum(counts))
    return point.count, point.sum, tuple(bounds), tuple(counts)


def _upper_exponent(index: int, scale: int) -> int:
    """Return the power of two that ends the bucket which holds the given one."""
    return (index >> scale) + 1 if scale >= 0 else (index + 1) << -scale

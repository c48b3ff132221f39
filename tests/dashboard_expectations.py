"""What each panel of the dashboards must say after the known round of traffic, from the client's books and the page."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from examples.shop.ledger import Ledger
from otel_distro.monitoring.objectives import Objectives
from tests.dashboard_stage import Moved
from tests.services.prometheus import Sample

Key = tuple[str, ...]
Values = Mapping[Key, float]
OBJECTIVES: Final = Objectives()
# Rates stretch what they saw to the edges of their window, for every series by the same factor.
STRETCHED: Final = (0.99, 1.5)
WINDOW: Final = 300
# A bucket's share shifts by the stretching where its first count is small.
_AROUND: Final = 0.02


@dataclass(frozen=True)
class Exact:
    """The value of each series, by its labels in this order; `close` is the relative error of floats."""

    by: tuple[str, ...]
    values: Values

    def check(self, samples: list[Sample]) -> None:
        """Compare."""
        found = keyed(samples, self.by)
        assert set(found) == set(self.values)
        for key, value in found.items():
            assert math.isclose(value, self.values[key], rel_tol=1e-6, abs_tol=1e-9), (key, value, self.values[key])


@dataclass(frozen=True)
class Proportional:
    """Rates, or increases over the window: as the amounts are to each other, and all of them stretched alike."""

    by: tuple[str, ...]
    amounts: Values
    unit: float = 1 / WINDOW

    def check(self, samples: list[Sample]) -> None:
        """Compare."""
        found, wanted = keyed(samples, self.by), {key: value for key, value in self.amounts.items() if value}
        assert {key for key, value in found.items() if value} == set(wanted)
        whole = sum(wanted.values())
        factor = sum(found.values()) / (whole * self.unit)
        assert STRETCHED[0] <= factor <= STRETCHED[1], factor
        for key, amount in wanted.items():
            assert math.isclose(found[key] / sum(found.values()), amount / whole, rel_tol=1e-6), (key, found, wanted)


@dataclass(frozen=True)
class Within:
    """Each series lies in a bucket, bounds included."""

    by: tuple[str, ...]
    bounds: Mapping[Key, tuple[float, float]]

    def check(self, samples: list[Sample]) -> None:
        """Compare."""
        found = keyed(samples, self.by)
        assert set(found) == set(self.bounds)
        for key, value in found.items():
            low, high = self.bounds[key]
            assert low <= value <= high, (key, value, low, high)


@dataclass(frozen=True)
class Answered:
    """There are series, and each value is as it can be."""

    sound: Callable[[float], bool]

    def check(self, samples: list[Sample]) -> None:
        """Compare."""
        assert samples
        assert all(self.sound(sample.value) for sample in samples), samples


Check = Exact | Proportional | Within | Answered


def keyed(samples: list[Sample], by: tuple[str, ...]) -> dict[Key, float]:
    """Return values by these labels; AssertionError where two series have the same."""
    found = {tuple(sample.labels.get(label, "") for label in by): sample.value for sample in samples}
    assert len(found) == len(samples), samples
    return found


def positive(value: float) -> bool:
    """Whether a value is one, and not negative."""
    return value >= 0 and math.isfinite(value)


def share(value: float) -> bool:
    """Whether a value is a share of something."""
    return 0 <= value <= 1.001


@dataclass(frozen=True)
class Known:
    """The known totals, in the forms that panels ask for."""

    books: Ledger
    moved: Moved

    def requests(self, *parts: int, failed: bool = False) -> dict[Key, float]:
        """Return how many requests there were, by parts of (method, endpoint, status)."""
        found: Counter[Key] = Counter()
        for key, count in self.books.requests.items():
            if not failed or key[2] >= 500:
                found[tuple(str(key[part]) for part in parts)] += count
        return dict(found)

    def error_share(self, *parts: int) -> dict[Key, float]:
        """Return which share of the requests failed, by the same parts."""
        failed = self.requests(*parts, failed=True)
        return {key: failed.get(key, 0) / count for key, count in self.requests(*parts).items()}

    def series(self, name: str, *by: str) -> dict[Key, float]:
        """Return by how much the page's series moved, by labels."""
        found: Counter[Key] = Counter()
        for (metric, labels), value in self.moved.items():
            if metric == name:
                given = dict(labels)
                found[tuple(given[label] for label in by)] += value  # type: ignore[assignment]
        return dict(found)

    def slow_share(self) -> float:
        """Return which share of the requests took longer than the objective allows."""
        fast = self.series("http_request_duration_seconds_bucket", "le")[(f"{OBJECTIVES.latency_seconds}",)]
        return 1 - fast / self.books.sent

    def bucket(self, family: str, q: float, *by: str) -> dict[Key, tuple[float, float]]:
        """Return the bucket that a quantile lies in, by labels."""
        counts: dict[Key, dict[float, float]] = {}
        for (*key, bound), count in self.series(f"{family}_bucket", *by, "le").items():
            counts.setdefault(tuple(key), {})[float(bound)] = count
        return {key: _around(cumulative, q) for key, cumulative in counts.items() if cumulative[math.inf]}

    def mean(self, family: str, *by: str) -> dict[Key, float]:
        """Return the mean of what was observed, by labels."""
        sums, counts = self.series(f"{family}_sum", *by), self.series(f"{family}_count", *by)
        return {key: sums[key] / count for key, count in counts.items() if count}


def _around(cumulative: Mapping[float, float], q: float) -> tuple[float, float]:
    bounds, total = sorted(cumulative), cumulative[math.inf]
    places = [
        next(place for place, bound in enumerate(bounds) if cumulative[bound] >= one * total)
        for one in (max(q - _AROUND, 0), min(q + _AROUND, 1))
    ]
    return (bounds[places[0] - 1] if places[0] else 0.0, bounds[min(places[1], len(bounds) - 2)])

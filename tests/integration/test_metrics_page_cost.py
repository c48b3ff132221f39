"""A page costs what its living processes cost, however many were before; times are in the benchmarks."""

from __future__ import annotations

import cProfile
import pstats
from pathlib import Path

from tests.benchmarks.page_cost import RECYCLED
from tests.benchmarks.pages import WAYS, Page, SharedPage
from tests.shared_metrics import COUNTER, parsed

SERIES = 10_000
_MOST = 1.2


def _calls(page: Page) -> int:
    """Return how many functions are called to make a page: a cost without the noise of time."""
    profile = cProfile.Profile()
    profile.runcall(page)
    return int(pstats.Stats(profile).total_calls)  # type: ignore[attr-defined]


def test_two_hundred_recycled_workers_leave_the_page_as_small_and_cheap_as_fresh_ones(tmp_path: Path) -> None:
    fresh = SharedPage(tmp_path / "fresh", SERIES)
    recycled = SharedPage(tmp_path / "recycled", SERIES, RECYCLED)
    assert len(list((tmp_path / "recycled").glob("*.cells"))) == len(fresh.workers) + 1
    assert sum(parsed(recycled.page()).values()) == recycled.expected
    assert sum(parsed(fresh.page()).values()) == fresh.expected
    assert len(recycled.page()) <= _MOST * len(fresh.page())
    assert _calls(recycled.page) <= _MOST * _calls(fresh.page)


def test_a_page_reads_again_only_what_is_new_in_it(tmp_path: Path) -> None:
    page = SharedPage(tmp_path / "group", 2000)
    first = _calls(page.page)
    page.page()
    assert _calls(page.page) <= first
    page.workers[0].record(COUNTER, 1)
    more = _calls(page.page) - first
    assert more < 200, "one new series is not a reason to decode the others again"


def test_a_series_costs_the_same_on_a_page_of_thirty_times_as_many(tmp_path: Path) -> None:
    make, _, _ = WAYS["ours"]
    costs = []
    for size in (1_000, 30_000):
        page = make(tmp_path / str(size), size)
        page()  # the first escapes the labels
        costs.append(_calls(page) / size)
    assert costs[1] <= 1.05 * costs[0]

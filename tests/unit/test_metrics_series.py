"""One series in cells: which amounts it takes, what a round of callbacks comes to, and which exemplars it keeps."""

from __future__ import annotations

from decimal import Decimal
from math import inf, nan
from types import SimpleNamespace
from typing import Any

import pytest
from opentelemetry.trace import SpanContext

from otel_distro.metrics import series as series_module
from otel_distro.metrics.series import GREATEST, SharedSeries
from otel_distro.metrics.shared import CellReader
from otel_distro.metrics.store import CellStore
from otel_distro.metrics.streams import EXEMPLAR_CELLS
from tests.shared_metrics import COUNTER, HISTOGRAM, OBSERVED_COUNTER, OBSERVED_GAUGE


def measured(series: SharedSeries, *amounts: Any) -> None:
    for amount in amounts:
        series.aggregate(SimpleNamespace(value=amount, context=None), False)


def test_every_number_that_a_double_holds_is_taken_and_nothing_else() -> None:
    series = SharedSeries(COUNTER, (), CellStore())
    measured(series, "abc", None, object(), 10**400, inf, -inf, nan, 1j)
    assert series.cells[0] == 0
    measured(series, 1, 0.5, True, Decimal("2.5"))
    assert series.cells[0] == 5


@pytest.mark.parametrize(("stream", "shown"), [(OBSERVED_COUNTER, 3.0), (OBSERVED_GAUGE, 2.0)])
def test_what_the_callbacks_of_a_round_observe_is_shown_at_its_end(stream: Any, shown: float) -> None:
    series = SharedSeries(stream, (), CellStore())
    measured(series, 1, "abc", 2)
    assert list(series.cells) == [0, 0]
    series.end_round()
    assert series.cells[0] == shown
    assert series.cells[1] > 0
    series.end_round()
    assert series.cells[1] == 0


def test_a_round_that_is_beyond_every_double_shows_what_was_there_before() -> None:
    series = SharedSeries(OBSERVED_COUNTER, (), CellStore())
    for amounts in ((GREATEST,), (GREATEST, GREATEST)):
        measured(series, *amounts)
        series.end_round()
        assert series.cells[0] == GREATEST
        assert series.cells[1] > 0


def test_a_bucket_takes_an_exemplar_a_second_in_the_same_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(series_module, "monotonic", lambda: clock[0])
    store = CellStore()
    series = SharedSeries(HISTOGRAM, (), store)
    assert store.file is not None
    reader = CellReader(store.file)
    kept = []
    for clock[0], amount in ((100.0, 0.6), (100.9, 0.7), (101.0, 0.8)):
        series.offer(amount, None, None, SpanContext(0xABC, 0xDEF, False))
        words = reader.read()
        (entry,) = (entry for entry in reader.entries if "exemplars" in entry.text)
        kept.append(words[entry.first + EXEMPLAR_CELLS])
    assert kept == [0.6, 0.6, 0.8]

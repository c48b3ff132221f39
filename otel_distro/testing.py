"""pytest fixtures for an application's own tests: what it measured and logged during one test.

    from otel_distro.testing import otel_logs, otel_metrics  # in conftest.py

    def test_an_order_is_counted(otel_metrics, client):
        client.post("/api/orders", json={"amount": 10})
        assert otel_metrics.value("orders_total", status="completed") == 1

pytest is imported here and nowhere else in the package.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any, Final

import pytest
from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from otel_distro.errors import InputError
from otel_distro.logs.document import Documents
from otel_distro.metrics.collected import add_collected
from otel_distro.metrics.families import COUNTER, Distribution, Families, Family, Value
from otel_distro.metrics.own import PREFIXES
from otel_distro.settings import Settings

_PARTS: Final = ("_count", "_sum")


class RecordedMetrics:
    """What was measured since the test began, under the names that Prometheus scrapes.

    Labels choose the series that have these values, whatever their other labels; without labels, all. What was not
    measured is 0.

    Raises:
        InputError: a question that has no answer (the sum of a counter, a label that the metric does not have), so that
            a mistyped test fails and does not find 0.
    """

    def __init__(self, reader: InMemoryMetricReader) -> None:
        self._reader = reader

    def value(self, name: str, /, **labels: object) -> float:
        """Return the sum of a counter's chosen series, or the value of a gauge's one chosen series.

        A histogram is asked under `<name>_count` and `<name>_sum`, as in Prometheus, or by `count` and `sum`.
        """
        for part in _PARTS:
            if name.endswith(part) and self._family(name.removesuffix(part)) is not None:
                return float(sum(getattr(value, part[1:]) for value in self._distributions(name[: -len(part)], labels)))
        family = self._family(name)
        values = _chosen(family, labels)
        if family is not None and not family.additive and len(values) > 1:
            raise InputError(f"{name} is a gauge with {len(values)} such series; name the labels of one")
        numbers = [value for value in values if not isinstance(value, Distribution)]
        if len(numbers) < len(values):
            raise InputError(f"{name} is a histogram; ask for its count or its sum")
        return float(sum(numbers))

    def count(self, name: str, /, **labels: object) -> int:
        """Return the number of a histogram's observations in the chosen series."""
        return sum(value.count for value in self._distributions(name, labels))

    def sum(self, name: str, /, **labels: object) -> float:
        """Return the sum of a histogram's observations in the chosen series."""
        return float(sum(value.sum for value in self._distributions(name, labels)))

    def series(self, name: str, /) -> list[dict[str, str]]:
        """Return the labels of every series that was measured."""
        family = self._family(name)
        return [] if family is None else [dict(labels) for labels in family.series]

    def names(self) -> set[str]:
        """Return the names of the metrics that were measured: with the unit, counters with `_total`.

        What is observed of the process itself (`process_…`, `python_…`) is left out: no test measures it.
        """
        return {_scraped_name(family) for family in self._families() if not family.name.startswith(PREFIXES)}

    def _distributions(self, name: str, labels: dict[str, object]) -> list[Distribution]:
        values = _chosen(self._family(name), labels)
        distributions = [value for value in values if isinstance(value, Distribution)]
        if len(distributions) < len(values):
            raise InputError(f"{name} is no histogram; ask for its value")
        return distributions

    def _family(self, name: str) -> Family | None:
        return next((family for family in self._families() if name in (family.name, _scraped_name(family))), None)

    def _families(self) -> Families:
        families = Families()
        data = self._reader.get_metrics_data()
        if data is not None:
            add_collected(families, data, scope_labels=False)
        return families


@pytest.fixture
def otel_metrics() -> Iterator[RecordedMetrics]:
    """What the application measures during the test, by all instruments of the global provider, from zero on.

    Where no provider is set yet, the SDK's own is set for the rest of the process, as it can be set only once.

    Raises:
        InputError: another than the SDK's provider is set, or the SDK is disabled.
    """
    provider = _provider()
    reader = InMemoryMetricReader()
    provider.add_metric_reader(reader)
    try:
        yield RecordedMetrics(reader)
    finally:
        provider.remove_metric_reader(reader)


@pytest.fixture
def otel_logs() -> Iterator[list[dict[str, Any]]]:
    """The documents of all records that reach the root logger during the test, as they would stand in the log file."""
    handler = _Collecting(Documents.from_settings(Settings.current()))
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        yield handler.collected
    finally:
        root.removeHandler(handler)


class _Collecting(logging.Handler):
    def __init__(self, documents: Documents) -> None:
        super().__init__()
        self._documents = documents
        self.collected: list[dict[str, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.collected.append(self._documents.of(record))


def _provider() -> MeterProvider:
    if Settings.current().disabled:
        raise InputError("OTEL_SDK_DISABLED=true, so nothing is measured; unset it for the tests")
    if isinstance(provider := metrics.get_meter_provider(), MeterProvider):
        return provider
    provider = MeterProvider(shutdown_on_exit=False)
    metrics.set_meter_provider(provider)
    if metrics.get_meter_provider() is not provider:
        found = type(metrics.get_meter_provider()).__qualname__
        raise InputError(f"the global meter provider is a {found}; the fixture needs the SDK's MeterProvider")
    return provider


def _scraped_name(family: Family) -> str:
    return family.name + ("_total" if family.kind == COUNTER else "")


def _chosen(family: Family | None, labels: dict[str, object]) -> list[Value]:
    if family is None:
        return []
    known = {name for series in family.series for name, _ in series}
    unknown = sorted(set(labels) - known)
    if unknown:
        has = f"the labels {', '.join(sorted(known))}" if known else "no labels"
        raise InputError(f"{_scraped_name(family)} has {has}; not {', '.join(unknown)}")
    wanted = {name: str(value) for name, value in labels.items()}
    return [
        value
        for series, value in family.series.items()
        if all(dict(series).get(name, "") == text for name, text in wanted.items())
    ]

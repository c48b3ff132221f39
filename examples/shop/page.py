"""The metrics page as the shop serves it, and how it compares with what the ledger expects."""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final, NamedTuple

from prometheus_client.parser import text_string_to_metric_families

from examples.shop.ledger import Series, series

# The names that are compared and the labels that are looked at; series that differ in others (`module`) are added up.
CHECKED: Final[dict[str, tuple[str, ...]]] = {
    "http_requests_total": ("method", "endpoint", "status"),
    "http_request_duration_seconds_bucket": ("method", "endpoint", "le"),
    "http_request_duration_seconds_count": ("method", "endpoint"),
    "http_response_size_bytes_count": ("method", "endpoint"),
    "http_response_size_bytes_sum": ("method", "endpoint"),
    "active_connections": (),
    "orders_total": ("status", "payment_method"),
    "revenue_total": ("currency",),
    "active_users": ("time_window",),
    "order_processing_seconds_count": ("order_type",),
    "function_duration_seconds_count": ("function_name",),
    "shop_carts_abandoned_total": ("reason",),
}
GAUGES: Final = ("active_connections", "active_users")
# Only those of their series are compared that the ledger names.
_PARTLY_CHECKED: Final = ("http_request_duration_seconds_bucket", "http_response_size_bytes_sum")
SETTLE_SECONDS: Final = 10.0
_CENT: Final = Decimal("0.01")

Values = dict[Series, Decimal]


class Row(NamedTuple):
    """One compared series."""

    series: Series
    expected: Decimal
    actual: Decimal | None

    @property
    def agrees(self) -> bool:
        """Whether both say the same, to the unit; sums of money, which the page holds as floats, to the cent."""
        if self.actual is None:
            return False
        actual = self.actual.quantize(_CENT) if self.series.name == "revenue_total" else self.actual
        return actual == self.expected


def read_page(url: str) -> Values:
    """Fetch a metrics page and return the checked series; raises OSError where nobody answers."""
    # A proxy that the environment names has no business between two programs of one machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=10) as answer:
        return parse_page(answer.read().decode())


def parse_page(text: str) -> Values:
    """Return the checked series of a page in Prometheus' text format."""
    values: Values = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name in CHECKED:
                key = series(sample.name, **{label: sample.labels.get(label, "") for label in CHECKED[sample.name]})
                values[key] = values.get(key, Decimal(0)) + Decimal(repr(sample.value))
    return values


def since(before: Values, after: Values) -> Values:
    """Return how far the counters have come between two readings; gauges as they are now."""
    return {key: value if key.name in GAUGES else value - before.get(key, Decimal(0)) for key, value in after.items()}


def compare(expected: Mapping[Series, Decimal], actual: Values) -> list[Row]:
    """Return a row for each expected series, and one for each other series that counted what nobody sent."""
    rows = [Row(key, value, actual.get(key)) for key, value in expected.items()]
    rows += [
        Row(key, Decimal(0), value)
        for key, value in actual.items()
        if key not in expected and value and key.name not in _PARTLY_CHECKED
    ]
    return sorted(rows)


def compare_settled(expected: Mapping[Series, Decimal], read: Callable[[], Values]) -> list[Row]:
    """Compare until all agree or the time is over: a request is counted a moment after its client has got it all."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        rows = compare(expected, read())
        if all(row.agrees for row in rows) or time.monotonic() > deadline:
            return rows
        time.sleep(0.1)


def table(rows: list[Row], *, only_wrong: bool = False) -> str:
    """Return the rows as text: series, expected, actual, and a mark where they differ."""
    shown = [row for row in rows if not (only_wrong and row.agrees)]
    lines = [("series", "expected", "actual", "")]
    lines += [
        (str(row.series), _number(row.expected), _number(row.actual), "" if row.agrees else "<-- differs")
        for row in shown
    ]
    widths = [max(len(line[column]) for line in lines) for column in range(3)]
    return "\n".join(
        f"{name:<{widths[0]}}  {expected:>{widths[1]}}  {actual:>{widths[2]}}  {mark}".rstrip()
        for name, expected, actual, mark in lines
    )


def _number(value: Decimal | None) -> str:
    if value is None:
        return "absent"
    return str(int(value)) if value == int(value) else f"{value.normalize():f}"

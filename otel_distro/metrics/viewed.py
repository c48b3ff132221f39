"""The stream that the SDK's match of a view and an instrument makes."""

from __future__ import annotations

from typing import Any

from opentelemetry.metrics import Asynchronous, Counter, ObservableCounter

from otel_distro.internals import MetricsSdk
from otel_distro.metrics import streams
from otel_distro.metrics.streams import Stream


def stream_of(sdk: MetricsSdk, match: Any) -> Stream | None:
    """Return the stream that a match of view and instrument makes; None where its measurements are dropped.

    The SDK shows no histogram of what is observed: it would count the same state again at each collection.
    """
    instrument, prototype = match._instrument, match._aggregation
    bounds: tuple[float, ...] = ()
    if isinstance(prototype, sdk.sum):
        if isinstance(instrument, Asynchronous):
            kind = streams.OBSERVED_COUNTER if isinstance(instrument, ObservableCounter) else streams.OBSERVED_UP_DOWN
        else:
            # Any other instrument that a view sums up may go down, as the SDK has it.
            kind = streams.COUNTER if isinstance(instrument, Counter) else streams.UP_DOWN
    elif isinstance(prototype, sdk.last_value):
        kind = streams.OBSERVED_GAUGE if isinstance(instrument, Asynchronous) else streams.GAUGE
    elif isinstance(instrument, Asynchronous):
        return None
    elif isinstance(prototype, sdk.explicit):
        kind, bounds = streams.HISTOGRAM, tuple(map(float, prototype._boundaries))
    elif isinstance(prototype, sdk.exponential):
        kind = streams.EXPONENTIAL
    else:
        return None
    scope = instrument.instrumentation_scope
    attributes = tuple(sorted((str(key), str(value)) for key, value in (scope.attributes or {}).items()))
    return Stream(
        match._name,
        kind,
        instrument.unit or "",
        match._description or "",
        bounds,
        (scope.name or "", scope.version or "", scope.schema_url or "", attributes),
    )

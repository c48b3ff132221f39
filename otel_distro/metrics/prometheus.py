"""The text of the metrics page, in the Prometheus format 0.0.4 and in OpenMetrics 1.0.0.

Sources: Prometheus documentation, "Exposition formats"; OpenMetrics specification 1.0.0.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any, Final

from opentelemetry.sdk.metrics import Counter, Histogram, ObservableCounter, ObservableUpDownCounter, UpDownCounter
from opentelemetry.sdk.metrics.export import AggregationTemporality, MetricReader, MetricsData
from prometheus_client import CollectorRegistry
from prometheus_client import exposition as classic_exposition
from prometheus_client.openmetrics import exposition as openmetrics_exposition

from otel_distro.metrics.families import COUNTER, HISTOGRAM, SUMMARY, Distribution, Families, Family, Labels, labels_of

TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS: Final = "application/openmetrics-text; version=1.0.0; charset=utf-8"
_EOF: Final = b"# EOF\n"

_logger = logging.getLogger(__name__)


class PrometheusReader(MetricReader):
    """Reader whose metrics are fetched as a page.

    Safe to read from several threads: pages are made one after another. `registries` are prometheus_client registries
    whose metrics stand on the page as well, as far as their names are not taken.
    """

    def __init__(
        self,
        *,
        scope_labels: bool = False,
        target_info: bool = True,
        registries: Iterable[CollectorRegistry] = (),
    ) -> None:
        cumulative = AggregationTemporality.CUMULATIVE
        kinds = (Counter, UpDownCounter, Histogram, ObservableCounter, ObservableUpDownCounter)
        super().__init__(preferred_temporality=dict.fromkeys(kinds, cumulative))
        self._scope_labels = scope_labels
        self._target_info = target_info
        self._registries = tuple(registries)
        self._lock = threading.Lock()
        self._data: MetricsData | None = None
        self._warned: set[str] = set()

    def page(self, content_type: str = TEXT) -> bytes:
        """Return the whole page in the format that `content_type` (`TEXT` or `OPENMETRICS`) names."""
        openmetrics = content_type == OPENMETRICS
        with self._lock:
            self._data = None
            self.collect()
            data, self._data = self._data, None
            families = Families(self._warned)
            if data is not None:
                families.add_all(data, scope_labels=self._scope_labels)
            lines: list[str] = []
            if self._target_info and data is not None:
                lines.extend(_target(data, openmetrics=openmetrics))
            for family in families:
                lines.extend(_lines(family, openmetrics=openmetrics))
            body = "\n".join(lines).encode() + b"\n" if lines else b""
            taken = {*families.names(), *(("target", "target_info") if lines else ())}
            return body + self._foreign(taken, openmetrics=openmetrics) + (_EOF if openmetrics else b"")

    def _receive_metrics(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **_: object) -> None:  # noqa: ARG002 -- the SDK's signature
        self._data = metrics_data

    def shutdown(self, timeout_millis: float = 30_000, **_: object) -> None:
        """Do nothing: the page holds no resource."""

    def _foreign(self, taken: set[str], *, openmetrics: bool) -> bytes:
        exposition: Any = openmetrics_exposition if openmetrics else classic_exposition
        pages = []
        for registry in self._registries:
            rest = _Rest(registry, taken, self._warned)
            pages.append(exposition.generate_latest(rest).removesuffix(_EOF))
        return b"".join(pages)


class _Rest:
    """A registry's metrics whose names are not on the page yet."""

    def __init__(self, registry: CollectorRegistry, taken: set[str], warned: set[str]) -> None:
        self._registry = registry
        self._taken = taken
        self._warned = warned

    def collect(self) -> Iterator[Any]:
        for metric in self._registry.collect():
            names = {metric.name, *(sample.name for sample in metric.samples)}
            if names.isdisjoint(self._taken):
                self._taken |= names
                yield metric
            elif metric.name not in self._warned:
                self._warned.add(metric.name)
                _logger.warning(
                    "metric %r of prometheus_client has a name that an OpenTelemetry instrument has; it is not shown; "
                    "give it another name",
                    metric.name,
                )


def chosen_format(accept: str) -> str:
    """Return the content type that an `Accept` header asks for: OpenMetrics where it is preferred, else text."""
    best = {TEXT: 0.0, OPENMETRICS: 0.0}
    for item in accept.split(","):
        media, *parameters = (part.strip() for part in item.split(";"))
        options = dict(parameter.split("=", 1) for parameter in parameters if "=" in parameter)
        try:
            quality = float(options.get("q", "1"))
        except ValueError:
            quality = 0.0
        if media == "application/openmetrics-text" and options.get("version", "1.0.0") == "1.0.0":
            best[OPENMETRICS] = max(best[OPENMETRICS], quality)
        elif media in ("text/plain", "text/*", "*/*"):
            best[TEXT] = max(best[TEXT], quality)
    return OPENMETRICS if best[OPENMETRICS] > 0 and best[OPENMETRICS] >= best[TEXT] else TEXT


def _target(data: MetricsData, *, openmetrics: bool) -> Iterator[str]:
    attributes: dict[str, Any] = {}
    for resource_metrics in data.resource_metrics:
        attributes.update(resource_metrics.resource.attributes)
    if attributes:
        # The text format has no info type; there the sample is a gauge of its own name.
        head, kind = ("target", "info") if openmetrics else ("target_info", "gauge")
        yield f"# HELP {head} Target metadata"
        yield f"# TYPE {head} {kind}"
        yield f"target_info{_braces(labels_of(attributes))} 1"


def _lines(family: Family, *, openmetrics: bool) -> Iterator[str]:
    head = family.name + "_total" if family.kind == COUNTER and not openmetrics else family.name
    if family.help:
        yield f"# HELP {head} {_escaped_help(family.help, openmetrics=openmetrics)}"
    yield f"# TYPE {head} {family.kind}"
    if openmetrics and family.unit and family.name.endswith("_" + family.unit):
        yield f"# UNIT {head} {family.unit}"
    if family.kind in (HISTOGRAM, SUMMARY):
        for labels, value in family.series.items():
            yield from _distribution(family.name, labels, value)  # type: ignore[arg-type]
        return
    name = family.name + "_total" if family.kind == COUNTER else family.name
    for labels, value in family.series.items():
        yield f"{name}{_braces(labels)} {_number(value)}"  # type: ignore[arg-type]


def _distribution(name: str, labels: Labels, value: Distribution) -> Iterator[str]:
    inner = _inner(labels)
    start = f"{name}_bucket{{{inner}," if inner else f"{name}_bucket{{"
    below = 0
    if value.bounds:
        for bound, count in zip(value.bounds, value.counts, strict=False):
            below += count
            yield f'{start}le="{_number(bound)}"}} {below}'
        yield f'{start}le="+Inf"}} {value.count}'
    braces = _braces(labels)
    yield f"{name}_count{braces} {value.count}"
    yield f"{name}_sum{braces} {_number(value.sum)}"


def _braces(labels: Labels) -> str:
    return f"{{{_inner(labels)}}}" if labels else ""


@lru_cache(maxsize=20_000)
def _inner(labels: Labels) -> str:
    return ",".join(f'{name}="{_escaped(value)}"' for name, value in labels)


def _escaped(value: str) -> str:
    text = value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
    return text.encode("utf-8", "replace").decode()


def _escaped_help(text: str, *, openmetrics: bool) -> str:
    text = text.replace("\\", "\\\\").replace("\n", "\\n")
    if openmetrics:
        text = text.replace('"', '\\"')
    return text.encode("utf-8", "replace").decode()


def _number(value: float) -> str:
    if isinstance(value, int):
        return str(int(value))
    if value != value:  # noqa: PLR0124 -- only NaN differs from itself
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "+Inf" if value > 0 else "-Inf"
    return repr(float(value))

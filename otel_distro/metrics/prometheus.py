"""The text of the metrics page, in the Prometheus format 0.0.4 and in OpenMetrics 1.0.0.

Sources: Prometheus documentation, "Exposition formats"; OpenMetrics specification 1.0.0.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from otel_distro.metrics.families import COUNTER, HISTOGRAM, SUMMARY, Distribution, Exemplar, Family, Labels, labels_of
from otel_distro.metrics.label_texts import LabelTexts

TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS: Final = "application/openmetrics-text; version=1.0.0; charset=utf-8"
# What prometheus_client says by default of the one process that serves; `own` says it of all.
_OF_ONE_PROCESS: Final = frozenset(
    (
        *("process_cpu_seconds", "process_max_fds", "process_open_fds", "process_start_time_seconds"),
        *("process_resident_memory_bytes", "process_virtual_memory_bytes"),
        *("python_gc_collections", "python_gc_objects_collected", "python_gc_objects_uncollectable"),
    )
)
EOF: Final = b"# EOF\n"
# What tells the resource, and whose the names are.
TARGET: Final = dict.fromkeys(("target", "target_info"), "what the resource is")
_texts: Final = LabelTexts()

_logger = logging.getLogger(__name__)


def page_text(
    families: Iterable[Family], resource: Mapping[str, Any] | None, *, openmetrics: bool
) -> tuple[bytes, set[str]]:
    """Return the text of the families and the names that it takes; `resource` makes `target_info`, None leaves it out.

    Without the end that OpenMetrics wants, so that more can follow.
    """
    lines: list[str] = []
    taken: set[str] = set()
    shown = 0
    if resource:
        lines.extend(_target(resource, openmetrics=openmetrics))
        taken.update(TARGET)
    for family in families:
        taken.update((family.name, *family.sample_names()))
        lines.extend(_lines(family, openmetrics=openmetrics))
        shown += len(family.series)
    _texts.bound(shown)
    return ("\n".join(lines).encode() + b"\n" if lines else b""), taken


def foreign_text(registries: Iterable[Any], taken: set[str], warned: set[str], *, openmetrics: bool) -> bytes:
    """Return the text of prometheus_client registries as far as their names are not taken; one that is warns once."""
    found = tuple(registries)
    if not found:
        return b""
    from prometheus_client import exposition as classic_exposition
    from prometheus_client.openmetrics import exposition as openmetrics_exposition

    exposition: Any = openmetrics_exposition if openmetrics else classic_exposition
    pages = []
    for collector in (collector for registry in found for collector in _collectors(registry)):
        try:
            pages.append(exposition.generate_latest(_Rest(collector, taken, warned)).removesuffix(EOF))
        except Exception as error:  # noqa: BLE001 -- the application's own, which may ask what is down just now
            kind = type(collector).__name__
            if f"{kind} raises" not in warned:
                warned.add(f"{kind} raises")
                _logger.warning(
                    "metrics of prometheus_client are left out while %s raises %s: %s",
                    getattr(collector, "_name", kind),
                    type(error).__name__,
                    error,
                )
    return b"".join(pages)


def _collectors(registry: Any) -> list[Any]:
    """Return a registry's parts, as one that raises must not take the others with it; the whole where it has none."""
    from prometheus_client import CollectorRegistry

    known = getattr(registry, "_collector_to_names", None)
    if getattr(type(registry), "collect", None) is not CollectorRegistry.collect or not isinstance(known, dict):
        return [registry]
    target = [registry.restricted_registry(["target_info"])] if registry.get_target_info() else []
    return [*target, *known]


class _Rest:
    """A collector's metrics whose names are not on the page yet."""

    def __init__(self, collector: Any, taken: set[str], warned: set[str]) -> None:
        self._collector = collector
        self._taken = taken
        self._warned = warned

    def collect(self) -> Iterator[Any]:
        for metric in self._collector.collect():
            if metric.name in _OF_ONE_PROCESS:
                continue
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
    """Return the content type that an `Accept` header asks for: OpenMetrics where it is preferred, else text.

    Several such headers are one, joined by commas (RFC 9110, section 5.3).
    """
    best = {TEXT: 0.0, OPENMETRICS: 0.0}
    for item in accept.lower().split(","):
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


def _target(attributes: Mapping[str, Any], *, openmetrics: bool) -> Iterator[str]:
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
            exemplars = family.exemplars.get(labels, {}) if openmetrics else {}
            # There a sum is a counter, which can neither go down nor be negative.
            sums = not openmetrics or not _may_go_down(value)  # type: ignore[arg-type]
            yield from _distribution(family.name, labels, value, exemplars, sums=sums)  # type: ignore[arg-type]
        return
    name = family.name + "_total" if family.kind == COUNTER else family.name
    for labels, value in family.series.items():
        exemplar = family.exemplars.get(labels, {}).get(0) if openmetrics else None
        yield f"{name}{_braces(labels)} {_number(value)}{_exemplar(exemplar)}"  # type: ignore[arg-type]


def _may_go_down(value: Distribution) -> bool:
    """Say whether the sum of observations is none that only grows."""
    return value.sum < 0 or any(bound < 0 for bound in value.bounds[:1])


def _distribution(
    name: str, labels: Labels, value: Distribution, exemplars: Mapping[int, Exemplar], *, sums: bool
) -> Iterator[str]:
    inner = _texts.text(labels)
    start = f"{name}_bucket{{{inner}," if inner else f"{name}_bucket{{"
    below = 0
    if value.bounds:
        for index, bound in enumerate(value.bounds):
            below += value.counts[index]
            yield f'{start}le="{_number(bound)}"}} {below}{_exemplar(exemplars.get(index))}'
        yield f'{start}le="+Inf"}} {value.count}{_exemplar(exemplars.get(len(value.bounds)))}'
    braces = _braces(labels)
    if sums or not value.bounds:  # the last bucket has it as well, and OpenMetrics wants it with a sum alone
        yield f"{name}_count{braces} {value.count}"
    if sums:
        yield f"{name}_sum{braces} {_number(value.sum)}"


def _exemplar(exemplar: Exemplar | None) -> str:
    if exemplar is None:
        return ""
    ids = f'trace_id="{exemplar.trace_id}",span_id="{exemplar.span_id}"'
    return f" # {{{ids}}} {_number(exemplar.value)} {exemplar.time:.3f}"


def _braces(labels: Labels) -> str:
    return f"{{{_texts.text(labels)}}}" if labels else ""


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

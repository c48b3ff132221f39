"""The only home of private OpenTelemetry imports: each is named here, tried when its part starts, and has a fallback.

A private name that has moved in a later release costs its feature and one warning, never the start.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from contextvars import ContextVar
from importlib import import_module, metadata
from importlib.metadata import EntryPoint
from typing import Any, Final, NamedTuple

_logger = logging.getLogger(__name__)
_CONFIGURATION: Final = "opentelemetry.sdk._configuration"
_NO_SPAN: Final = (0, 0, 0)
warned: set[str] = set()

PRIVATE_NAMES: Final = (
    (_CONFIGURATION, "_import_sampler"),
    (_CONFIGURATION, "_import_id_generator"),
    (_CONFIGURATION, "_import_tracer_configurator"),
    (_CONFIGURATION, "_import_meter_configurator"),
    (_CONFIGURATION, "_import_logger_configurator"),
    ("opentelemetry.trace.propagation", "_SPAN_KEY"),
    ("opentelemetry._logs", "set_logger_provider"),
    ("opentelemetry._logs", "get_logger_provider"),
    ("opentelemetry._logs", "LogRecord"),
    ("opentelemetry._logs", "SeverityNumber"),
    ("opentelemetry.sdk._logs", "LoggerProvider"),
    ("opentelemetry.sdk._logs", "ReadableLogRecord"),
)


def missing() -> list[str]:
    """Return the private names that this OpenTelemetry release no longer has; empty on the releases we are made for."""
    return [f"{module}.{name}" for module, name in PRIVATE_NAMES if find(module, name) is None]


def find(module: str, name: str) -> Any:
    """Return what a module has under a name, or None."""
    try:
        return getattr(import_module(module), name, None)
    except ImportError:
        return None


def private(module: str, name: str, lost: str) -> Any:
    """Return what a module has under a name, or None with one warning that says what is lost by it."""
    found = find(module, name)
    if found is None and name not in warned:
        warned.add(name)
        _logger.warning("this OpenTelemetry release has no %s.%s: %s", module, name, lost)
    return found


def entry_points(group: str) -> Sequence[EntryPoint]:
    """Return the entry points of a group; OpenTelemetry has read all of them already, where this release keeps them."""
    kept = find("opentelemetry.util._importlib_metadata", "entry_points")
    return tuple((kept or metadata.entry_points)(group=group))


def sampler(name: str | None) -> Any:
    """Return the sampler that `OTEL_TRACES_SAMPLER` names, or None to let the SDK read the variable itself.

    A name that nobody knows gives the SDK's one warning and its default sampler.
    """
    if not name:  # its module brings most of the SDK
        return None
    load = private(_CONFIGURATION, "_import_sampler", "OTEL_TRACES_SAMPLER takes the SDK's own samplers only")
    if load is None:
        return None
    from opentelemetry.sdk.trace.sampling import DEFAULT_ON

    return load(name) or DEFAULT_ON


def id_generator(name: str | None) -> Any:
    """Return the id generator that `OTEL_PYTHON_ID_GENERATOR` names, or None for the SDK's default."""
    if not name:
        return None
    load = private(_CONFIGURATION, "_import_id_generator", "OTEL_PYTHON_ID_GENERATOR is not in force")
    return load(name) if load else None


def provider_configurator(signal: str, name: str | None) -> dict[str, Any]:
    """Return the provider's argument for `OTEL_PYTHON_<SIGNAL>_CONFIGURATOR`; `signal` is tracer, meter or logger."""
    if not name:
        return {}
    lost = f"OTEL_PYTHON_{signal.upper()}_CONFIGURATOR is not in force"
    load = private(_CONFIGURATION, f"_import_{signal}_configurator", lost)
    return {f"_{signal}_configurator": load(name)} if load else {}


def current_span_ids() -> Callable[[], tuple[int, int, int]]:
    """Return what gives trace id, span id and flags of the current span, zeros where there is none valid.

    Quicker than the API's way: it is asked for each log record.
    """
    from opentelemetry.context import get_current
    from opentelemetry.trace import Span, SpanContext, get_current_span

    key = find("opentelemetry.trace.propagation", "_SPAN_KEY")
    variable = getattr(find("opentelemetry.context", "_RUNTIME_CONTEXT"), "_current_context", None)
    current: Callable[[], Any] = variable.get if isinstance(variable, ContextVar) else get_current
    # A context is a tuple in this release; by its names each part costs a call.
    by_place = issubclass(SpanContext, tuple) and tuple(SpanContext(1, 2, False))[::5] == (1, True)

    def span_ids() -> tuple[int, int, int]:
        if key is None:
            span: Any = get_current_span()
        else:
            span = current().get(key)
            if span is None or not isinstance(span, Span):
                return _NO_SPAN
        context: Any = span.get_span_context()
        if by_place and type(context) is SpanContext:
            trace_id, span_id, _, flags, _, valid = context
        else:
            trace_id, span_id, flags, valid = context.trace_id, context.span_id, context.trace_flags, context.is_valid
        return (trace_id, span_id, int(flags)) if valid else _NO_SPAN

    return span_ids


class MetricsSdk(NamedTuple):
    """The private parts of the metrics SDK that fast recording rests on."""

    counter: Any
    up_down_counter: Any
    histogram: Any
    gauge: Any
    storage: Any
    match: Any
    measurement: Any
    sum: Any
    last_value: Any
    explicit: Any
    exponential: Any
    drop: Any
    hash_attributes: Any
    always_off: Any
    trace_based: Any
    current_context: Callable[[], Any]
    span_key: str


def metrics_sdk() -> MetricsSdk | None:
    """Return the parts of the metrics SDK that fast recording replaces, or None with one warning where one has gone."""
    # After a fork a meter provider of the SDK uses a thread pool in the child. Were the pool's module imported after
    # the provider was made, its lock, which a fork takes, would be free only after that: the child would hang.
    import_module("concurrent.futures.thread")
    lost = "metrics are recorded the SDK's own way: slower, and each process for itself"
    inner = "opentelemetry.sdk.metrics._internal"
    parts = [
        private(module, name, lost)
        for module, name in (
            ("opentelemetry.sdk.metrics", "Counter"),
            ("opentelemetry.sdk.metrics", "UpDownCounter"),
            ("opentelemetry.sdk.metrics", "Histogram"),
            ("opentelemetry.sdk.metrics", "_Gauge"),
            (f"{inner}.metric_reader_storage", "MetricReaderStorage"),
            (f"{inner}._view_instrument_match", "_ViewInstrumentMatch"),
            (f"{inner}.measurement", "Measurement"),
            (f"{inner}.aggregation", "_SumAggregation"),
            (f"{inner}.aggregation", "_LastValueAggregation"),
            (f"{inner}.aggregation", "_ExplicitBucketHistogramAggregation"),
            (f"{inner}.aggregation", "_ExponentialBucketHistogramAggregation"),
            (f"{inner}.aggregation", "_DropAggregation"),
            (f"{inner}._view_instrument_match", "_hash_attributes"),
            ("opentelemetry.sdk.metrics", "AlwaysOffExemplarFilter"),
            ("opentelemetry.sdk.metrics", "TraceBasedExemplarFilter"),
            ("opentelemetry.context", "_RUNTIME_CONTEXT"),
            ("opentelemetry.trace.propagation", "_SPAN_KEY"),
        )
    ]
    if any(part is None for part in parts) or not _has_private_attributes():
        return None
    runtime = parts[-2]
    # The context variable itself, where there is one, saves two calls a measurement.
    variable = getattr(runtime, "_current_context", None)
    parts[-2] = variable.get if isinstance(variable, ContextVar) else runtime.get_current
    return MetricsSdk(*parts)


def exemplar_filter(name: str) -> Any:
    """Return the filter that `OTEL_METRICS_EXEMPLAR_FILTER` names; the SDK raises by any text that names none."""
    from opentelemetry.sdk import metrics

    kinds = {"always_on": metrics.AlwaysOnExemplarFilter, "always_off": metrics.AlwaysOffExemplarFilter}
    return kinds.get(name, metrics.TraceBasedExemplarFilter)()


def keep_instance_id(provider: Any, instance_id: str) -> None:
    """Let forked children keep an instance id that the user has set, which the SDK would replace by one of its own."""
    update = getattr(provider, "_update_resource", None)
    if not instance_id or update is None:
        return
    from opentelemetry.sdk.resources import Resource

    own = Resource({"service.instance.id": instance_id})
    provider._update_resource = lambda resource: update(resource.merge(own))


def renew_meter_locks(provider: Any) -> None:
    """Give a provider and its meters free locks in a forked child: a thread of the parent may have held them."""
    if hasattr(provider, "_meter_lock"):
        provider._meter_lock = threading.Lock()
    meters = getattr(provider, "_meters", None)
    # The API's stand-in for a provider that is to be set has a list of stand-ins, which have no locks.
    for meter in list(meters.values()) if isinstance(meters, dict) else ():
        if hasattr(meter, "_instrument_registration_lock"):
            meter._instrument_registration_lock = threading.Lock()


def make_mappings() -> None:
    """Make what all exponential histograms of a process share, a mapping for each scale, before anyone needs it.

    The SDK makes them one by one, under a lock that a fork may leave to the child held, and that who records by a
    finalizer or signal handler, in the midst of that, would want once more. It takes that lock to look one up as well,
    and Python 3.14 runs such a handler, or another thread, right after it is taken: now there is none.
    """
    inner = "opentelemetry.sdk.metrics._internal.exponential_histogram.mapping"
    kinds = (
        ("exponent_mapping", "ExponentMapping", range(-10, 1)),
        ("logarithm_mapping", "LogarithmMapping", range(1, 21)),
    )
    for module, name, scales in kinds:
        with suppress(Exception):  # this release makes them in another way
            kind = find(f"{inner}.{module}", name)
            for scale in scales:
                kind(scale)
            if hasattr(kind, "_mappings_lock"):
                kind._mappings_lock = nullcontext()


def _has_private_attributes() -> bool:
    """Try the attributes that fast recording reads, on a provider of its own."""
    from opentelemetry.metrics import NoOpCounter
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader
    from opentelemetry.sdk.resources import Resource

    chosen = exemplar_filter("trace_based")
    provider: Any = MeterProvider([InMemoryMetricReader()], Resource({}), chosen, shutdown_on_exit=False)
    meter = provider.get_meter("otel_distro.check")
    counter, histogram = meter.create_counter("counter"), meter.create_histogram("histogram")
    if type(counter) is NoOpCounter:  # the SDK is off, as its user knows
        return False
    try:
        counter.add(1)
        histogram.record(1)
        consumer = counter._measurement_consumer
        counted, recorded = (_only_aggregation(consumer, instrument) for instrument in (counter, histogram))
        found = (counted._value, recorded._sum, recorded._min, recorded._max, sum(recorded._value))
        wanted = (recorded._boundaries, recorded._record_min_max, recorded._lock, recorded._sample_exemplar)
        reads = (consumer._sdk_config.exemplar_filter, consumer.add_metric_reader, consumer.remove_metric_reader)
        return found == (1,) * 5 and counter._meter_config._config.is_enabled and None not in (*wanted, *reads)
    except (AttributeError, TypeError, ValueError) as error:
        if "attributes" not in warned:
            warned.add("attributes")
            _logger.warning("this OpenTelemetry release keeps measurements in another way (%s): %s", error, "slow path")
        return False
    finally:
        provider.shutdown()


def _only_aggregation(consumer: Any, instrument: Any) -> Any:
    (storage,) = consumer._reader_storages.values()
    (match,) = storage._get_or_init_view_instrument_match(instrument)
    if match._view._attribute_keys is not None or match._name != instrument.name:
        raise ValueError("views have other attributes")
    (aggregation,) = match._attributes_aggregation.values()
    return aggregation

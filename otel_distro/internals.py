"""The only home of private OpenTelemetry imports: each is named here, tried when its part starts, and has a fallback.

A private name that has moved in a later release costs its feature and one warning, never the start.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from importlib import import_module
from inspect import signature
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource

_logger = logging.getLogger(__name__)
_CONFIGURATION: Final = "opentelemetry.sdk._configuration"
_warned: set[str] = set()

# The attribute of a log record that holds how many bytes its line has.
RECORD_SIZE: Final = "_otel_distro_size"

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
    return [f"{module}.{name}" for module, name in PRIVATE_NAMES if _find(module, name) is None]


def _find(module: str, name: str) -> Any:
    try:
        return getattr(import_module(module), name, None)
    except ImportError:
        return None


def _private(module: str, name: str, lost: str) -> Any:
    found = _find(module, name)
    if found is None and name not in _warned:
        _warned.add(name)
        _logger.warning("this OpenTelemetry release has no %s.%s: %s", module, name, lost)
    return found


def sampler(name: str | None) -> Any:
    """Return the sampler that `OTEL_TRACES_SAMPLER` names, or None to let the SDK read the variable itself.

    A name that nobody knows gives the SDK's one warning and its default sampler.
    """
    if not name:  # its module brings most of the SDK
        return None
    load = _private(_CONFIGURATION, "_import_sampler", "OTEL_TRACES_SAMPLER takes the SDK's own samplers only")
    if load is None:
        return None
    from opentelemetry.sdk.trace.sampling import DEFAULT_ON

    return load(name) or DEFAULT_ON


def id_generator(name: str | None) -> Any:
    """Return the id generator that `OTEL_PYTHON_ID_GENERATOR` names, or None for the SDK's default."""
    if not name:
        return None
    load = _private(_CONFIGURATION, "_import_id_generator", "OTEL_PYTHON_ID_GENERATOR is not in force")
    return load(name) if load else None


def provider_configurator(signal: str, name: str | None) -> dict[str, Any]:
    """Return the provider's argument for `OTEL_PYTHON_<SIGNAL>_CONFIGURATOR`; `signal` is tracer, meter or logger."""
    if not name:
        return {}
    lost = f"OTEL_PYTHON_{signal.upper()}_CONFIGURATOR is not in force"
    load = _private(_CONFIGURATION, f"_import_{signal}_configurator", lost)
    return {f"_{signal}_configurator": load(name)} if load else {}


def current_span_context() -> Callable[[], Any]:
    """Return what gives the context of the current span, or None where there is none; quicker than the API's way."""
    from opentelemetry.context import get_current
    from opentelemetry.trace import Span, get_current_span

    key = _find("opentelemetry.trace.propagation", "_SPAN_KEY")
    if key is None:
        return lambda: get_current_span().get_span_context()

    def span_context() -> Any:
        span = get_current().get(key)
        return span.get_span_context() if span is not None and isinstance(span, Span) else None

    return span_context


def log_record_types() -> tuple[Any, Any]:
    """Return the classes of a log record and of its severity.

    Raises ImportError where this OpenTelemetry release has them no more; then no logger provider can be made either.
    """
    from opentelemetry._logs import LogRecord, SeverityNumber

    return LogRecord, SeverityNumber


def start_log_export(
    resource: Resource, processors: Callable[[Callable[..., Any]], Sequence[Any]], arguments: dict[str, Any]
) -> Any:
    """Make the global logger provider with the processors; return it, or None.

    `processors` makes them of what makes the SDK's readable record. The logs API and SDK still stand in modules with an
    underscore.
    """
    lost = "log records are not exported; the log file and the console are as they were"
    provider_class = _private("opentelemetry.sdk._logs", "LoggerProvider", lost)
    readable = _private("opentelemetry.sdk._logs", "ReadableLogRecord", lost)
    set_provider: Callable[[Any], None] | None = _private("opentelemetry._logs", "set_logger_provider", lost)
    if provider_class is None or readable is None or set_provider is None:
        return None
    provider = provider_class(resource=resource, **arguments)
    for processor in processors(readable):
        provider.add_log_record_processor(processor)
    set_provider(provider)
    return provider


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
        _private(module, name, lost)
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


class CurrentContext(NamedTuple):
    """How the current OpenTelemetry context is read, set and set back, and the key of the span in it."""

    get: Callable[[], Any]
    set: Callable[[Any], Any]
    reset: Callable[[Any], None]
    span_key: str


def current_context() -> CurrentContext | None:
    """Return the ways to the current context, the context variable's own where there is one; None without the key."""
    span_key = _private("opentelemetry.trace.propagation", "_SPAN_KEY", "requests are traced the contrib package's way")
    if span_key is None:
        return None
    variable = getattr(_find("opentelemetry.context", "_RUNTIME_CONTEXT"), "_current_context", None)
    if isinstance(variable, ContextVar):
        return CurrentContext(variable.get, variable.set, variable.reset, span_key)
    from opentelemetry.context import attach, detach, get_current

    return CurrentContext(get_current, attach, detach, span_key)


class FlaskInstrumentation(NamedTuple):
    """The module of the contrib Flask instrumentation, and the keys under which it keeps a request's parts."""

    module: Any
    start_key: str
    span_key: str
    activation_key: str


_FLASK: Final = "opentelemetry.instrumentation.flask"
_FLASK_FACTORIES: Final = {
    "_rewrapped_app": (
        "wsgi_app",
        "active_requests_counter",
        "duration_histogram_old",
        "response_hook",
        "excluded_urls",
        "sem_conv_opt_in_mode",
        "duration_histogram_new",
    ),
    "_wrapped_before_request": (
        "request_hook",
        "tracer",
        "excluded_urls",
        "enable_commenter",
        "commenter_options",
        "sem_conv_opt_in_mode",
    ),
    "_wrapped_teardown_request": ("excluded_urls",),
}


def flask_instrumentation() -> FlaskInstrumentation | None:
    """Return the parts of the contrib Flask instrumentation that ours replaces, or None with one warning.

    Its instrumentor makes what serves a request by three functions of its module; these have to take what they take
    in the releases that we are made for.
    """
    lost = "requests of Flask are instrumented the contrib package's way: slower"
    for name, parameters in _FLASK_FACTORIES.items():
        factory = _private(_FLASK, name, lost)
        if factory is None:
            return None
        if tuple(signature(factory).parameters) != parameters:
            if name not in _warned:
                _warned.add(name)
                _logger.warning("%s.%s takes other parameters in this release: %s", _FLASK, name, lost)
            return None
    names = ("STARTTIME_KEY", "SPAN_KEY", "ACTIVATION_KEY")
    keys = [_private(_FLASK, f"_ENVIRON_{name}", lost) for name in names]
    return None if None in keys else FlaskInstrumentation(import_module(_FLASK), *keys)


def excludes(excluded_urls: Any) -> Callable[[str], bool] | None:
    """Return what tells whether a URL is excluded, or None where none is."""
    if excluded_urls is None or not getattr(excluded_urls, "_excluded_urls", True):
        return None
    told: Callable[[str], bool] = excluded_urls.url_disabled
    return told


def kept_attributes(span: Any) -> dict[str, Any] | None:
    """Return the attributes of one of the SDK's own spans as they are, not to be changed; None for any other span."""
    found = getattr(getattr(span, "_attributes", None), "_dict", None)
    return found if type(found) is dict else None


def span_class() -> Any:
    """Return the class of the SDK's recorded spans, or None where it is made of other parts in this release."""
    lost = "spans are started the SDK's own way: slower"
    found = _private("opentelemetry.sdk.trace", "_Span", lost)
    tracer = _find("opentelemetry.sdk.trace", "Tracer")
    wanted = ("name", "context", "sampler", "resource", "attributes", "span_processor", "kind", "links")
    others = ("instrumentation_info", "record_exception", "set_status_on_exception", "limits", "instrumentation_scope")
    takes = signature(found.__init__).parameters if found is not None else {}
    if not {*wanted, *others, "record_end_metrics"} <= takes.keys() or not hasattr(tracer, "_is_enabled"):
        return None
    return found


def bounded_attributes() -> Any:
    """Return the SDK's class that holds the attributes of a span, or None where it works in another way."""
    lost = "attributes of spans are set the SDK's own way: slower"
    found = _private("opentelemetry.attributes", "BoundedAttributes", lost)
    if found is None:
        return None
    try:
        made = found(2, {"a": 1}, immutable=False, max_value_len=None)
        made._set_items({"b": "c"})
        with made._lock:
            known = made._dict == {"a": 1, "b": "c"} and (made.maxlen, made.dropped, made.max_value_len) == (2, 0, None)
    except (AttributeError, TypeError) as error:
        known = False
        _logger.debug("attributes of spans: %s", error)
    if not known and "_set_items" not in _warned:
        _warned.add("_set_items")
        _logger.warning("this OpenTelemetry release keeps attributes in another way: %s", lost)
    return found if known else None


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
    for meter in list(getattr(provider, "_meters", {}).values()):
        if hasattr(meter, "_instrument_registration_lock"):
            meter._instrument_registration_lock = threading.Lock()


def _has_private_attributes() -> bool:
    """Try the attributes that fast recording reads, on a provider of its own."""
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader
    from opentelemetry.sdk.resources import Resource

    provider: Any = MeterProvider([InMemoryMetricReader()], resource=Resource({}), shutdown_on_exit=False)
    meter = provider.get_meter("otel_distro.check")
    counter, histogram = meter.create_counter("counter"), meter.create_histogram("histogram")
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
        if "attributes" not in _warned:
            _warned.add("attributes")
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

"""Where the three signals go: the providers with the readers and exporters that the settings name.

Each exporter starts by itself through `isolated(part, start)`: one that raises is named in a warning, the rest runs.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from otel_distro import internals
from otel_distro.errors import InputError
from otel_distro.settings import Settings

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from opentelemetry.sdk.resources import Resource

Isolated: TypeAlias = Callable[[str, Callable[[], Any]], Any]

_PROTOCOL_EXPORTERS: Final = {"grpc": "otlp_proto_grpc", "http/protobuf": "otlp_proto_http"}
_logger = logging.getLogger(__name__)
_HEADER_NAME: Final = re.compile(r"\s*([\w.-]+)\s*[=:]")
_told: Final[set[str]] = set()


def start_traces(settings: Settings, resource: Resource, isolated: Isolated, outlets: list[Any]) -> None:
    """Make the global tracer provider; one that records nothing where no exporter is named or none starts.

    What sends is added to `outlets`, here and below.
    """
    from opentelemetry.trace import set_tracer_provider

    from otel_distro.tracing import DormantTracerProvider

    named = f"OTEL_PYTHON_ID_GENERATOR={settings.id_generator!r}"
    provider = DormantTracerProvider(
        sampler=internals.sampler(settings.traces_sampler),
        id_generator=isolated(named, lambda: internals.id_generator(settings.id_generator)),
        resource=resource,
        **internals.provider_configurator("tracer", settings.tracer_configurator),
    )
    for exporter in _started("traces", settings.traces_exporters, settings, isolated):
        from otel_distro import otlp_spans
        from otel_distro.delivery.outbox import Batching, Outbox, SpanOutbox, puts_of
        from otel_distro.delivery.sender import Sender
        from otel_distro.internals import recorded

        recorded.install()
        provider.puts_of = puts_of
        batching = Batching(settings.span_delay / 1000, settings.span_batch, settings.span_queue)
        sender = Sender("traces", exporter)
        outlets.append(Outbox("OtelDistroSpans", sender, batching, otlp_spans.size_of, settings.exit_timeout))
        provider.add_span_processor(SpanOutbox(outlets[-1]))
    internals.keep_instance_id(provider, settings.instance_id)
    set_tracer_provider(provider)


def start_metrics(settings: Settings, resource: Resource, isolated: Isolated, outlets: list[Any]) -> None:
    """Make the global meter provider with its readers, and serve the page; no provider where no exporter is named.

    Where the application has a page already, by `start_metrics_server` or `metrics_app`, its provider gets the others.
    """
    names = wanted(settings.metrics_exporters)
    readers: list[Any] = []
    page_is_there = "prometheus" in names and _page_is_attached()
    if "prometheus" in names and not page_is_there:
        readers.append(isolated("metrics exporter 'prometheus'", lambda: _page_reader(settings)))
    others = tuple(name for name in names if name != "prometheus")
    for exporter in _started("metrics", others, settings, isolated):
        readers.append(_reader_of(exporter, settings))
        if hasattr(readers[-1], "hurry"):
            outlets.append(readers[-1])
    readers = [reader for reader in readers if reader is not None]
    if page_is_there:
        from opentelemetry.metrics import get_meter_provider

        there: Any = get_meter_provider()
        for reader in readers:
            there.add_metric_reader(reader)
        isolated("the metrics page", lambda: _serve_page(settings))
        return
    if not readers:
        return
    from opentelemetry.metrics import set_meter_provider
    from opentelemetry.sdk.metrics import MeterProvider

    arguments = internals.provider_configurator("meter", settings.meter_configurator)
    provider = MeterProvider(metric_readers=readers, resource=resource, **arguments)
    internals.keep_instance_id(provider, settings.instance_id)
    set_meter_provider(provider)
    if "prometheus" not in names:
        isolated("fast recording", lambda: _record_fast(provider, settings))
    else:
        isolated("metrics of the process", _observe)
        isolated("the metrics page", lambda: _serve_page(settings))


def start_logs(settings: Settings, resource: Resource, isolated: Isolated, outlets: list[Any]) -> Any:
    """Make the global logger provider and return it; None where no exporter is named or none starts."""
    exporters = list(_started("logs", settings.logs_exporters, settings, isolated))
    if not exporters:
        return None
    from otel_distro import otlp_logs
    from otel_distro.delivery.outbox import Batching, LogOutbox, Outbox
    from otel_distro.delivery.sender import Sender
    from otel_distro.internals.logs import start_log_export
    from otel_distro.logs.entry import Draft

    def outbox(exporter: Any) -> Outbox:
        form_of = None if otlp_logs.encodes(exporter) else otlp_logs.readable
        sender = Sender("logs", exporter)
        parts = (otlp_logs.size_of, settings.exit_timeout, form_of, otlp_logs.made, Draft)
        return Outbox("OtelDistroLogs", sender, batching, *parts)

    batching = Batching(settings.log_delay / 1000, settings.log_batch, settings.log_queue)
    boxes = [outbox(exporter) for exporter in exporters]
    arguments = internals.provider_configurator("logger", settings.logger_configurator)
    provider = start_log_export(resource, lambda readable: [LogOutbox(box, readable) for box in boxes], arguments)
    if provider is not None:
        outlets.extend(boxes)
    internals.keep_instance_id(provider, settings.instance_id)
    return provider


def wanted(names: tuple[str, ...]) -> list[str]:
    """Return the names of exporters without `none` and repetitions."""
    return list(dict.fromkeys(name for name in names if name.lower() != "none"))


def _started(signal: str, names: tuple[str, ...], settings: Settings, isolated: Isolated) -> Iterator[Any]:
    for name in wanted(names):
        exporter = isolated(f"{signal} exporter {name!r}", lambda name=name: load(signal, name, settings))  # type: ignore[misc]
        if exporter is not None:
            yield exporter


def load(signal: str, name: str, settings: Settings) -> Any:
    """Return a new exporter of a signal by its name in the settings; raises InputError where none is installed."""
    component = entry_of(signal, name, settings)
    hide_headers()
    kind = component.load()
    if component.name != _PROTOCOL_EXPORTERS["http/protobuf"]:
        return _by_grpc(kind, signal, settings) if component.name == _PROTOCOL_EXPORTERS["grpc"] else kind()
    exporter = _by_http(kind, settings)
    _encode_by_hand(signal, exporter, settings)
    return exporter


def entry_of(signal: str, name: str, settings: Settings) -> EntryPoint:
    """Return where an exporter is, without loading it; raises InputError where none is installed."""
    component = _PROTOCOL_EXPORTERS[settings.protocol_of(signal)] if name == "otlp" else name
    group = f"opentelemetry_{signal}_exporter"
    installed = {entry.name: entry for entry in reversed(internals.entry_points(group))}  # the first of a name counts
    if component in installed:
        return installed[component]
    known = sorted(installed.keys() | {"otlp", "none"})
    variable = f"OTEL_{signal.upper()}_EXPORTER"
    raise InputError(f"{variable} names {name!r}; installed are {', '.join(known)}")


def hide_headers() -> None:
    """Have OpenTelemetry say once of a header that it cannot read what it is called, and not what stands in it."""
    logging.getLogger("opentelemetry.util.re").addFilter(_names_header)


def _names_header(record: logging.LogRecord) -> bool:
    if not str(record.msg).startswith("Header format invalid") or not isinstance(record.args, tuple):
        return True
    found = _HEADER_NAME.match(str(record.args[0]))
    name = found[1] if found else "(no name)"
    known = name in _told
    _told.add(name)
    record.args = (f"{name}=[redacted]",)
    return not known


def _by_grpc(kind: Any, signal: str, settings: Settings) -> Any:
    """Return an exporter of this class, which by itself does not know all names of compression."""
    from grpc import Compression

    from otel_distro.internals.otlp import check_client_files

    check_client_files()
    kinds = {"gzip": Compression.Gzip, "deflate": Compression.Deflate}
    name = getattr(settings, f"otlp_{signal}_compression") or settings.otlp_compression
    exporter = kind(compression=kinds.get(name, Compression.NoCompression))
    if signal == "traces":
        from otel_distro import otlp_spans

        otlp_spans.install_spelling(exporter, settings.redact_names if settings.redact else None)
    return exporter


def _by_http(kind: Any, settings: Settings) -> Any:
    """Return an exporter of this class that sends by what is least for where it sends."""
    from otel_distro.delivery.plain_http import PlainTransport, is_plain
    from otel_distro.internals.otlp import exporter_over

    exporter = exporter_over(kind, PlainTransport())
    if exporter is not None and is_plain(getattr(exporter, "_endpoint", None), settings.netrc):
        return exporter
    from otel_distro.connections import keep_apart

    exporter = kind()
    keep_apart(exporter)
    return exporter


def _encode_by_hand(signal: str, exporter: Any, settings: Settings) -> None:
    if signal == "traces":
        from otel_distro import otlp_spans

        otlp_spans.install(exporter, settings.redact_names if settings.redact else None)
    elif signal == "logs":
        from otel_distro import otlp_logs

        otlp_logs.install(exporter)


def _page_is_attached() -> bool:
    server = sys.modules.get("otel_distro.metrics.server")
    return server is not None and server.page_service.attached


def _page_reader(settings: Settings) -> Any:
    from otel_distro.metrics.server import page_service

    return page_service.reader(settings)


def _record_fast(provider: Any, settings: Settings) -> None:
    """Do for a provider without a page what the page's reader does for one with it."""
    from otel_distro.metrics import adoption, recording
    from otel_distro.metrics.limits import Limits

    sdk = internals.metrics_sdk()
    if sdk is not None:
        recording.install(sdk)
        adoption.limit(sdk, provider, Limits(settings.series_limit, dict(settings.series_limits)))


def _observe() -> None:
    from otel_distro.metrics.server import page_service

    page_service.observe_process()


def _serve_page(settings: Settings) -> None:
    from otel_distro.metrics.server import serve_page

    serve_page(settings)


def _reader_of(exporter: Any, settings: Settings) -> Any:
    from opentelemetry.sdk.metrics.export import MetricReader

    from otel_distro.delivery.metrics import PeriodicReader
    from otel_distro.delivery.sender import Sender

    if isinstance(exporter, MetricReader):
        return exporter
    form_of = _otlp_form if type(exporter).__module__.startswith("opentelemetry.exporter.otlp.") else None
    sender = Sender("metrics", exporter)
    interval, patience = settings.metric_interval / 1000, settings.metric_timeout / 1000
    return PeriodicReader(sender, interval, settings.exit_timeout, form_of, patience)


def _otlp_form(data: Any) -> Any:
    from otel_distro.otlp_metrics import sendable  # with what is sent first: a start does not pay for it

    return sendable(data)

"""The way of the logs through the Collector into Elasticsearch (the Collector's own metrics)."""

from __future__ import annotations

from typing import Final

from otel_distro.monitoring.model import Alert, Group, Unit
from otel_distro.monitoring.objectives import MEMORY, MINUTE, RATE_WINDOW
from otel_distro.monitoring.parameters import Parameters, selector
from otel_distro.monitoring.promql import grown

# As the Collector 0.156 shows them.
QUEUE_SIZE: Final = "otelcol_exporter_queue_size"
QUEUE_CAPACITY: Final = "otelcol_exporter_queue_capacity"
SENT: Final = "otelcol_exporter_sent_log_records"
ACCEPTED: Final = "otelcol_receiver_accepted_log_records"
FAILED: Final = "otelcol_exporter_send_failed_log_records"
DOCUMENTS: Final = "otelcol_elasticsearch_docs_processed"
# Answers to the Collector's own requests: the exporter tries again by itself and says nothing of it.
ANSWERS: Final = "http_client_request_duration_count"
_UNKNOWN_TO_THEM: Final = 'http_response_status_code=~"401|403"'
# To Elasticsearch, or from an agent with forward.yaml to a gateway.
WITH_LOGS: Final = 'exporter=~"elasticsearch.*|otlp_http/gateway"'
_LOGS: Final = 'data_type="logs"'
# A document that is there already (409) was sent a second time after an end in between; its first copy is stored.
_REFUSED: Final = 'outcome="failed_client",http_response_status_code!="409"'
# Who refuses counts it. The receivers of files and TCP count nothing while they try again, which is for ever.
NOT_QUEUED: Final = "otelcol_exporter_enqueue_failed_log_records"
NO_MEMORY: Final = "otelcol_processor_memory_limiter_refused_log_records"
# Of the exporters without a queue: what they fail at comes back to the receivers.
_TO_FILES: Final = 'exporter=~"file.*"'


def group(parameters: Parameters) -> Group:
    """Return the alerts on the Collector."""
    made = (_credentials, _stalled, _refusing, _refused, _filling)
    return Group("pipeline-alerts", tuple(alert(parameters) for alert in made))


def _credentials(parameters: Parameters) -> Alert:
    window = parameters.span(RATE_WINDOW)
    labels = ("job", "instance", "server_address", "server_port", "http_response_status_code")
    return Alert(
        "CollectorCredentialsRefused",
        grown(", ".join(labels), selector(ANSWERS, _UNKNOWN_TO_THEM), window, parameters.span(MEMORY)),
        "",
        "critical",
        labels,
        Unit.NUMBER,
        {"window": window},
        queries=(
            f"sum by (instance, server_address, server_port, http_response_status_code) (increase({ANSWERS}[1h]))",
            selector(QUEUE_SIZE, _LOGS),
        ),
        commands=("otel-distro elasticsearch check",),
    )


def _stalled(parameters: Parameters) -> Alert:
    by, window = "job, instance", parameters.span(RATE_WINDOW)
    waiting = f"sum by ({by}) ({selector(QUEUE_SIZE, WITH_LOGS, _LOGS)})"
    sent = f"sum by ({by}) (rate({selector(SENT, WITH_LOGS)}[{window}]))"
    return Alert(
        "LogPipelineStalled",
        f"{waiting} > 0\nand\n(\n  {sent}\n  or\n  {waiting} * 0\n) == 0",
        parameters.span(5 * MINUTE),
        "critical",
        ("job", "instance"),
        Unit.NUMBER,
        {"window": window},
        queries=(
            selector(QUEUE_SIZE, _LOGS),
            f"sum by (instance, exporter) (rate({SENT}[5m]))",
            f"sum by (instance, receiver) (rate({ACCEPTED}[5m]))",
        ),
        commands=("otel-distro elasticsearch check", "otel-distro logs rate --hours 1"),
    )


def _refusing(parameters: Parameters) -> Alert:
    by, window = "job, instance", parameters.span(RATE_WINDOW)
    # Each try is counted again: a limit of memory that holds up one try of two and no more is at work as it should be.
    counters = (selector(FAILED, _TO_FILES), NOT_QUEUED, NO_MEMORY)
    refused = "\n  or\n  ".join(f"increase({counter}[{window}])" for counter in counters)
    accepted = f"sum by ({by}) (increase({ACCEPTED}[{window}]))"
    return Alert(
        "LogsRefusedByCollector",
        f"sum by ({by}) (\n  {refused}\n)\n>\n(\n  {accepted}\n  or\n  max by ({by}) ({QUEUE_CAPACITY}) * 0\n)",
        parameters.span(5 * MINUTE),
        "critical",
        ("job", "instance"),
        Unit.NUMBER,
        {"window": window},
        queries=(
            f"sum by (instance, exporter) (rate({FAILED}[5m]))",
            f"sum by (instance, exporter) (rate({NOT_QUEUED}[5m]))",
            f"sum by (instance, processor) (rate({NO_MEMORY}[5m]))",
            f"sum by (instance, receiver) (rate({ACCEPTED}[5m]))",
            'node_filesystem_avail_bytes{fstype!~"tmpfs|ramfs|overlay"}',
        ),
        commands=("otel-distro logs rate --hours 1",),
    )


def _refused(parameters: Parameters) -> Alert:
    window = parameters.span(15 * MINUTE)
    return Alert(
        "LogsRefusedByElasticsearch",
        grown("job, instance, error_type", selector(DOCUMENTS, _REFUSED), window, parameters.span(MEMORY)),
        "",
        "warning",
        ("job", "instance", "error_type"),
        Unit.NUMBER,
        {"window": window},
        queries=(f"sum by (instance, outcome, error_type, http_response_status_code) (increase({DOCUMENTS}[1h]))",),
        commands=("otel-distro elasticsearch refused", "otel-distro logs top --hours 1"),
    )


def _filling(parameters: Parameters) -> Alert:
    limit, by = parameters.objectives.queue_share, "job, instance, exporter, data_type"
    return Alert(
        "CollectorQueueFilling",
        f"max by ({by}) ({QUEUE_SIZE})\n/\nmax by ({by}) ({QUEUE_CAPACITY}) > {limit:g}",
        parameters.span(5 * MINUTE),
        "warning",
        ("job", "instance", "exporter", "data_type"),
        Unit.SHARE,
        {"limit_percent": f"{limit * 100:g}%"},
        queries=(
            f"max by (instance, exporter, data_type) ({QUEUE_SIZE})",
            f"sum by (instance, exporter) (rate({SENT}[5m]))",
            f"sum by (instance, receiver) (rate({ACCEPTED}[5m]))",
        ),
        commands=("otel-distro logs rate --hours 1",),
    )

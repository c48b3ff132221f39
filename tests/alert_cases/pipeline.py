"""The way of the logs through the Collector, in the series that its version 0.156 shows."""

from __future__ import annotations

from typing import Final

from tests.alert_cases.model import QUIET, Case, Firing

AT: Final = 'job="otel-collector",instance="app:8888"'
QUEUE: Final = f'otelcol_exporter_queue_size{{{AT},exporter="elasticsearch",data_type="logs"}}'
ROOM: Final = f'otelcol_exporter_queue_capacity{{{AT},exporter="elasticsearch",data_type="logs"}}'
SENT: Final = f'otelcol_exporter_sent_log_records{{{AT},exporter="elasticsearch"}}'
DEBUG: Final = f'otelcol_exporter_sent_log_records{{{AT},exporter="debug"}}'
TO: Final = {"server_address": "search", "server_port": "9200"}
HERE: Final = {"job": "otel-collector", "instance": "app:8888"}


def documents(status: int, outcome: str, error: str = "") -> str:
    error_type = f',error_type="{error}"' if error else ""
    labels = f'{AT},outcome="{outcome}",http_response_status_code="{status}"{error_type}'
    return f"otelcol_elasticsearch_docs_processed{{{labels}}}"


def answers(status: int) -> str:
    to = 'server_address="search",server_port="9200"'
    return f'http_client_request_duration_count{{{AT},{to},http_response_status_code="{status}"}}'


def credentials(status: int, times: str) -> Firing:
    return Firing(
        {**HERE, **TO, "http_response_status_code": str(status), "severity": "critical"},
        f"Collector app:8888: search:9200 refuses its credentials ({status})",
        f"search:9200 has answered the Collector app:8888 (otel-collector) with {status} in the last 5m: {times} "
        "times. Its key or password is wrong, has expired or lacks a right.",
    )


REFUSED: Final = documents(400, "failed_client", "document_parsing_exception")
STORED: Final = documents(200, "success")
AGAIN: Final = documents(409, "failed_client", "version_conflict_engine_exception")


def stalled(held: str) -> Firing:
    return Firing(
        {**HERE, "severity": "critical"},
        "Collector app:8888: logs wait and none are sent",
        f"The queue of logs of the Collector app:8888 (otel-collector) holds {held} "
        "(bytes or records, as it is measured), and nothing has been sent for 5m.",
    )


def refused(number: str) -> Firing:
    return Firing(
        {**HERE, "error_type": "document_parsing_exception", "severity": "warning"},
        "Collector app:8888: Elasticsearch refuses documents",
        "Documents of the Collector app:8888 (otel-collector) that Elasticsearch refused in the last 15m for "
        f"document_parsing_exception: {number}.",
    )


def filling(share: str) -> Firing:
    return Firing(
        {**HERE, "exporter": "elasticsearch", "data_type": "logs", "severity": "warning"},
        f"Collector app:8888: the queue of elasticsearch is {share} full",
        f"The queue of elasticsearch (logs) of the Collector app:8888 (otel-collector) is {share} full; "
        "80% is the limit.",
    )


CASES: Final = (
    Case(
        "fires",
        "fires at the first request that is refused for the key, and once, however often it is tried again",
        "CollectorCredentialsRefused",
        {answers(401): "_x10 1x30", answers(200): "0+10x40"},
        {"9m": QUIET, "11m": [credentials(401, "1")], "13m": [credentials(401, "1")]},
    ),
    Case(
        "fires",
        "fires for a right that is missing",
        "CollectorCredentialsRefused",
        {answers(403): "0+12x40"},
        {"20m": [credentials(403, "60")]},
    ),
    Case(
        "just under",
        "is quiet about answers that are no question of credentials",
        "CollectorCredentialsRefused",
        {answers(429): "0+50x40", answers(503): "0+50x40", answers(404): "0+50x40"},
        {"30m": QUIET},
    ),
    Case(
        "no traffic",
        "is quiet when nothing is sent any more",
        "CollectorCredentialsRefused",
        {answers(401): "7x40"},
        {"30m": QUIET},
    ),
    Case(
        "missing series",
        "is quiet when nothing was ever refused",
        "CollectorCredentialsRefused",
        {answers(200): "0+10x40"},
        {"30m": QUIET},
    ),
    Case(
        "recovers",
        "ends minutes after the mend",
        "CollectorCredentialsRefused",
        {answers(401): "0+12x20 240x20"},
        {"18m": [credentials(401, "60")], "26m": QUIET},
    ),
    Case(
        "no traffic",
        "is quiet after a quarter of an hour in which nothing was read, over answers of long ago",
        "CollectorCredentialsRefused",
        {answers(401): "7x20 _x15 7x20", 'up{job="otel-collector",instance="app:8888"}': "1x20 _x15 1x20"},
        {"37m": QUIET, "41m": QUIET, "50m": QUIET},
    ),
    Case(
        "fires",
        "fires when logs wait and what was sent stands still, though another exporter goes on",
        "LogPipelineStalled",
        {QUEUE: "0x10 34490x30", SENT: "0+100x10 1000x30", DEBUG: "0+100x40"},
        {"18m": QUIET, "20m": [stalled("34.49k")]},
    ),
    Case(
        "fires",
        "fires when an agent has logs for a gateway that it cannot send to",
        "LogPipelineStalled",
        {series.replace('"elasticsearch"', '"otlp_http/gateway"'): "800x40" for series in (QUEUE, SENT)},
        {"20m": [stalled("800")]},
    ),
    Case(
        "just under",
        "is quiet when the queue is never empty and a little is sent",
        "LogPipelineStalled",
        {QUEUE: "500x40", SENT: "0+1x40"},
        {"40m": QUIET},
    ),
    Case(
        "no traffic",
        "is quiet at night: nothing waits, nothing is sent",
        "LogPipelineStalled",
        {QUEUE: "0x40", SENT: "1000x40"},
        {"40m": QUIET},
    ),
    Case(
        "missing series",
        "fires when nothing was ever sent, so that there is no counter yet",
        "LogPipelineStalled",
        {QUEUE: "800x40"},
        {"20m": [stalled("800")]},
    ),
    Case(
        "missing series",
        "is quiet where there is no Collector",
        "LogPipelineStalled",
        {'up{job="shop",instance="app:8000"}': "1x40"},
        {"40m": QUIET},
    ),
    Case(
        "recovers",
        "ends when the queue is empty again",
        "LogPipelineStalled",
        {QUEUE: "800x20 0x20", SENT: "_x20 500+100x20"},
        {"18m": [stalled("800")], "22m": QUIET},
    ),
    Case(
        "fires",
        "fires for documents refused for what is in them",
        "LogsRefusedByElasticsearch",
        {STORED: "0+100x60", REFUSED: "_x20 2x40"},
        {"19m": QUIET, "22m": [refused("2")]},
    ),
    Case(
        "just under",
        "is quiet about documents that were there already",
        "LogsRefusedByElasticsearch",
        {STORED: "0+100x60", AGAIN: "0+50x60"},
        {"40m": QUIET},
    ),
    Case(
        "no traffic",
        "is quiet when nothing new is refused",
        "LogsRefusedByElasticsearch",
        {STORED: "100x60", REFUSED: "5x60"},
        {"40m": QUIET},
    ),
    Case(
        "missing series",
        "is quiet when nothing was ever refused",
        "LogsRefusedByElasticsearch",
        {STORED: "0+100x60"},
        {"40m": QUIET},
    ),
    Case(
        "recovers",
        "ends a quarter of an hour after the last refusal",
        "LogsRefusedByElasticsearch",
        {STORED: "0+100x60", REFUSED: "_x20 2x40"},
        {"30m": [refused("2")], "40m": QUIET},
    ),
    Case(
        "fires",
        "fires when the queue is more than four fifths full",
        "CollectorQueueFilling",
        {QUEUE: "850x30", ROOM: "1000x30"},
        {"4m": QUIET, "5m": [filling("85%")]},
    ),
    Case("just under", "is quiet at 79 %", "CollectorQueueFilling", {QUEUE: "790x30", ROOM: "1000x30"}, {"30m": QUIET}),
    Case(
        "no traffic",
        "is quiet while nothing waits",
        "CollectorQueueFilling",
        {QUEUE: "0x30", ROOM: "9x30"},
        {"30m": QUIET},
    ),
    Case(
        "missing series",
        "is quiet where the capacity is not shown",
        "CollectorQueueFilling",
        {QUEUE: "9x30"},
        {"30m": QUIET},
    ),
    Case(
        "recovers",
        "ends when the queue has room again",
        "CollectorQueueFilling",
        {QUEUE: "900x15 100x15", ROOM: "1000x30"},
        {"10m": [filling("90%")], "17m": QUIET},
    ),
)

"""A Collector that refuses what comes in, whoever of its parts it is, in the series that its version 0.156 shows."""

from __future__ import annotations

from typing import Final

from tests.alert_cases.model import QUIET, Case, Firing
from tests.alert_cases.pipeline import AT, HERE, QUEUE, ROOM, SENT

TAKEN: Final = f'otelcol_exporter_send_failed_log_records{{{AT},exporter="file/taken"}}'
DROPPED: Final = f'otelcol_exporter_send_failed_log_records{{{AT},exporter="elasticsearch"}}'
QUEUED: Final = f'otelcol_exporter_enqueue_failed_log_records{{{AT},exporter="elasticsearch"}}'
MEMORY: Final = f'otelcol_processor_memory_limiter_refused_log_records{{{AT},processor="memory_limiter"}}'
FILES: Final = f'otelcol_receiver_accepted_log_records{{{AT},receiver="file_log"}}'
SENDERS: Final = f'otelcol_receiver_accepted_log_records{{{AT},receiver="otlp"}}'


def refusing(number: str) -> Firing:
    return Firing(
        {**HERE, "severity": "critical"},
        "Collector app:8888: it refuses the logs that come in",
        "Log records that the Collector app:8888 (otel-collector) refused in the last 5m, each counted with every try: "
        f"{number}. It has accepted fewer.",
    )


CASES: Final = (
    Case(
        "fires",
        "fires when the disk has no room for what is taken, though the queue is empty and Elasticsearch answers",
        "LogsRefusedByCollector",
        {TAKEN: "_x10 100+800x30", FILES: "0+1000x10 10000x30", ROOM: "1000x40", QUEUE: "0x40", SENT: "0+1000x40"},
        {"17m": QUIET, "18m": [refusing("4k")]},
    ),
    Case(
        "fires",
        "fires when the queue cannot write what comes",
        "LogsRefusedByCollector",
        {QUEUED: "0+100x40", FILES: "10x40", SENDERS: "10x40", ROOM: "1000x40"},
        {"20m": [refusing("500")]},
    ),
    Case(
        "fires",
        "fires for the limit of memory, though one in ten tries is accepted, and adds up who refuses",
        "LogsRefusedByCollector",
        {MEMORY: "0+60x40", TAKEN: "0+40x40", FILES: "0+10x40", ROOM: "1000x40"},
        {"20m": [refusing("500")]},
    ),
    Case(
        "just under",
        "is quiet about a moment's refusal that the next try mends",
        "LogsRefusedByCollector",
        {MEMORY: "0x10 900x30", FILES: "0+10x40", ROOM: "1000x40"},
        {f"{minute}m": QUIET for minute in range(10, 20)},
    ),
    Case(
        "just under",
        "is quiet while as much is accepted as is refused, over all ways in",
        "LogsRefusedByCollector",
        {MEMORY: "0+100x40", FILES: "0+30x40", SENDERS: "0+70x40", ROOM: "1000x40"},
        {"30m": QUIET},
    ),
    Case(
        "just under",
        "is quiet about what an exporter with a queue fails at: it has been accepted",
        "LogsRefusedByCollector",
        {DROPPED: "0+100x40", FILES: "0+1x40", ROOM: "1000x40"},
        {"30m": QUIET},
    ),
    Case(
        "no traffic",
        "is quiet when nothing comes any more",
        "LogsRefusedByCollector",
        {TAKEN: "500x40", MEMORY: "70x40", FILES: "1000x40", ROOM: "1000x40"},
        {"30m": QUIET},
    ),
    Case(
        "missing series",
        "fires when nothing was ever accepted, so that there is no counter yet",
        "LogsRefusedByCollector",
        {TAKEN: "0+20x40", ROOM: "1000x40"},
        {"20m": [refusing("100")]},
    ),
    Case(
        "missing series",
        "is quiet when nothing was ever refused",
        "LogsRefusedByCollector",
        {FILES: "1000x40", ROOM: "1000x40"},
        {"30m": QUIET},
    ),
    Case(
        "recovers",
        "ends when what waited is accepted",
        "LogsRefusedByCollector",
        {TAKEN: "0+800x20 16000x20", FILES: "0x20 9000+1000x20", ROOM: "1000x40"},
        {"18m": [refusing("4k")], "22m": QUIET, "30m": QUIET},
    ),
)

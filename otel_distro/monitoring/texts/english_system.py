"""English: what is said about telemetry, targets, the Collector and machines."""

from __future__ import annotations

from typing import Final

from otel_distro.monitoring.texts.model import Text

SYSTEM: Final = {
    "SeriesLimitReached": Text(
        summary="{job}: {instrument} has more series than its limit",
        description="Measurements of {instrument} at {job} that went into the overflow series in the last {window}: {value}. New label values have no series.",
        meaning=(
            "An instrument has as many series as its limit allows (`OTEL_DISTRO_SERIES_LIMIT`, 2,000). Further label values are added "
            'up in one series with `otel_metric_overflow="true"`: totals stay right, the breakdown does not.'
        ),
        causes=(
            "a label with endless values: a user id, an order number, a raw path",
            "somebody scans the service and each try makes a new value",
        ),
        mend=(
            "Take the label out of the instrument, or map its values to a few.",
            "Raise `OTEL_DISTRO_SERIES_LIMIT` only if the number of values has an end; restart the service.",
        ),
    ),
    "TelemetryRejected": Text(
        summary="{job}: values of {instrument} are rejected",
        description="Values of {instrument} at {job} that could not be recorded in the last {window}: {value}.",
        meaning="The service gave an instrument what no metric can take: a negative or impossible amount, a text, wrong labels.",
        causes=(
            "a missing amount (None) or a refund recorded as a negative order",
            "a label renamed in the code and not in the declaration",
        ),
        mend=("The service's log has one warning for each instrument, with the value; mend the call that it names.",),
    ),
    "LogLinesDropped": Text(
        summary="{job} on {instance}: log lines are lost",
        description="Log lines of {job} on {instance} that could not be written in the last {window}: {value}.",
        meaning="The log file, or the console where `OTEL_DISTRO_LOG_FORMAT` writes to it, refuses lines. They are lost there, the service runs on.",
        causes=(
            "the disk is full",
            "the file or its folder belongs to another user",
            "a quota or a read-only file system",
            "who read the console has gone: the program behind a pipe, a container's log driver; the file has all lines then",
        ),
        mend=(
            "Free space or mend the permissions: the file is tried again each second, no restart is needed.",
            "A torn line is isolated by a newline; nothing has to be repaired in the file.",
        ),
    ),
    "TargetDown": Text(
        summary="{job} on {instance} does not answer",
        description="Prometheus has not been able to read the metrics of {job} on {instance} for {held}.",
        meaning="The metrics page did not answer, or not in time. Other alerts on this instance, and those on the job as a whole, are held back meanwhile.",
        causes=(
            "the process is gone or hangs",
            "the page listens on another address (`OTEL_EXPORTER_PROMETHEUS_HOST`, default localhost) or port",
            "credentials or certificates of the page have changed",
        ),
        mend=(
            "Read the page from Prometheus' machine: the error that `Status > Targets` shows says which of the three it is.",
            "Restart the service, or take the target out of the discovery file if it is gone for good.",
        ),
    ),
    "MetricsPageSlow": Text(
        summary="{job} on {instance}: reading the metrics takes {value}",
        description="The metrics page of {job} on {instance} takes {value}; the limit is {limit}s, and Prometheus gives up after 10s.",
        meaning="The page is close to being too slow to be read at all; then every alert on this job goes blind.",
        causes=(
            "very many series: a label with endless values",
            "an observable instrument whose callback waits for something",
            "the machine is overloaded",
        ),
        mend=("Bring the number of series down (see SeriesLimitReached), or scrape less often.",),
    ),
    "CollectorCredentialsRefused": Text(
        summary="Collector {instance}: {server_address}:{server_port} refuses its credentials ({http_response_status_code})",
        description="{server_address}:{server_port} has answered the Collector {instance} ({job}) with {http_response_status_code} in the last {window}: {value} times. Its key or password is wrong, has expired or lacks a right.",
        meaning=(
            "What the Collector sends there is not taken. Logs to Elasticsearch wait on its disk and are sent after the mend; nothing else tells of "
            "it. Metrics and traces that are refused so are lost."
        ),
        causes=(
            "an API key that has expired or was invalidated, a changed password",
            "a key that lacks a right on the indices",
        ),
        mend=(
            "Give the key its rights, which needs no restart; or kill the Collector, as a stop in order can lose lines now, and start it with a new one in `ELASTICSEARCH_API_KEY`.",
            "`otel-distro elasticsearch check` with the Collector's credentials says which right is missing.",
        ),
    ),
    "LogPipelineStalled": Text(
        summary="Collector {instance}: logs wait and none are sent",
        description="The queue of logs of the Collector {instance} ({job}) holds {value} (bytes or records, as it is measured), and nothing has been sent for {window}.",
        meaning=(
            "The Collector has logs and cannot pass them on. Nothing is lost: the queue is on disk, and when it is full the files wait. "
            "Searches miss what is new."
        ),
        causes=(
            "Elasticsearch is down, its disk is over the flood stage, or it answers 429",
            "credentials have expired: then CollectorCredentialsRefused says so",
            "the Collector's key has no right to the indices: `otel-distro elasticsearch check` says which is missing",
            "it sends to a gateway, and that is away or refuses its certificate: the Collector's log says which",
        ),
        mend=(
            "Mend Elasticsearch or the gateway; the Collector tries again by itself and catches up.",
            "Meanwhile ask the files: `otel-distro logs errors --hours 1 --logs 'logs/*.log'`.",
        ),
    ),
    "LogsRefusedByCollector": Text(
        summary="Collector {instance}: it refuses the logs that come in",
        description="Log records that the Collector {instance} ({job}) refused in the last {window}, each counted with every try: {value}. It has accepted fewer.",
        meaning=(
            "The Collector has no room for what comes in, on its disk or in its memory. Nothing of what it has acknowledged is lost. Files and "
            "TCP senders wait and try again; a service that sends by OTLP drops what its own queue cannot hold. Searches miss what is new. "
            "The queue may be empty meanwhile, and Elasticsearch answer."
        ),
        causes=(
            "`file/taken` fails: the file system of `STORAGE_DIR` is full",
            "the queue fails: its file has no share of that file system, or it is full and senders by OTLP give up waiting",
            "`memory_limiter` refuses: the Collector is above `MEMORY_LIMIT_MIB` less `MEMORY_SPIKE_MIB`",
        ),
        mend=(
            "The first three queries name who refuses; the Collector's log says why.",
            "Make room on the file system of `STORAGE_DIR`, or make it larger: the Collector goes on by itself, no restart is needed.",
            "On one that is too small nobody makes any: kill the Collector, delete `STORAGE_DIR/taken` and start it.",
            "Raise `MEMORY_LIMIT_MIB`; kill the Collector for it and start it, as a stop in order can lose lines.",
        ),
    ),
    "LogsRefusedByElasticsearch": Text(
        summary="Collector {instance}: Elasticsearch refuses documents",
        description="Documents of the Collector {instance} ({job}) that Elasticsearch refused in the last {window} for {error_type}: {value}.",
        meaning=(
            "Single documents are refused for what is in them; the rest goes through. They are not lost: the Collector has on its disk what it has "
            "taken last."
        ),
        causes=(
            "a field that has another type than in the index: a text where there was a number",
            "an index template that is missing or older than the package",
            "an index that is closed, or cannot be made as at the limit of shards (`validation_exception`): then all of a day is refused",
        ),
        mend=(
            "`otel-distro elasticsearch refused --taken STORAGE_DIR/taken` beside the Collector shows each record with the reason, and keeps it in an index.",
            "Rename the field in the service, or change the mapping: of the index now, of the template for the next day's.",
            "The same command again stores what is no longer refused; with `--create-indices` also what came while its index could not be made.",
        ),
    ),
    "CollectorQueueFilling": Text(
        summary="Collector {instance}: the queue of {exporter} is {value} full",
        description="The queue of {exporter} ({data_type}) of the Collector {instance} ({job}) is {value} full; {limit_percent} is the limit.",
        meaning="More comes in than goes out. When the queue is full, sources have to wait, or their data is refused.",
        causes=("what the exporter sends to is slow or away", "far more logs than usual: an error in a loop"),
        mend=(
            "Find out which side changed: what comes in, or what goes out.",
            "Mend the receiver's side, give the queue more room, or take the source that shouts down a level.",
        ),
    ),
    "NodeDiskFilling": Text(
        summary="{instance}: {mountpoint} has {value} free",
        description=(
            "{mountpoint} on {instance} ({job}) has {value} free: less than {limit_percent}, or at the pace of the last hours it will be full "
            "within {hours}."
        ),
        meaning="A file system is nearly full, or will be. Logs, queues and databases on it stop when it is.",
        causes=(
            "logs that nobody rotates",
            "a Collector's queue while Elasticsearch is away",
            "old indices or core dumps",
        ),
        mend=(
            "Find what grows (`du -xh --max-depth 2`) and remove or move it.",
            "Set up rotation, then watch the trend.",
        ),
    ),
    "NodeMemoryLow": Text(
        summary="{instance}: {value} of the memory is available",
        description="{instance} ({job}) has {value} of its memory available; {limit_percent} is the limit.",
        meaning="The machine is about to kill a process or to swap.",
        causes=("a process that grows: look at resident memory over the last day", "too many workers for the machine"),
        mend=(
            "Restart what grows and keep its memory profile; bring the number of workers down or move one service away.",
        ),
    ),
}

"""English: dashboards."""

from __future__ import annotations

from typing import Final

from otel_distro.monitoring.texts.model import DashboardText, DashboardWords, PanelText

SERVICE: Final = DashboardText(
    "Service",
    {
        "now": "Now",
        "requests": "Requests",
        "durations": "Durations",
        "answers": "Answers",
        "objectives": "Objectives",
    },
    {
        "rate": PanelText("Requests", "Requests a second, over the last 5 minutes."),
        "error_share": PanelText(
            "Failing", "Share of the requests that end with a status 5xx; `HighErrorRate` fires over {limit}."
        ),
        "p95": PanelText("Slowest 5%", "One request in twenty takes longer; `HighResponseTime` fires over {limit} s."),
        "in_flight": PanelText("In flight", "Requests that have begun and not ended, in all processes."),
        "availability_left": PanelText(
            "Budget of errors left",
            "What is left of the failures that an objective of {objective} allows in 30 days; below 0 it is overspent.",
        ),
        "latency_left": PanelText(
            "Budget of slow requests left",
            "What is left of the requests that may be slow in 30 days, where {objective} must be answered within {seconds} s.",
        ),
        "rate_by_endpoint": PanelText("Requests by endpoint", "Requests a second, by the route's template."),
        "rate_by_status": PanelText("Requests by method and status", "Requests a second; points are traced requests."),
        "error_share_by_endpoint": PanelText(
            "Failing by endpoint",
            "Share of each endpoint's requests that end with a status 5xx; `HighErrorRate` fires over {limit} of all.",
        ),
        "quantiles": PanelText(
            "Durations",
            "Half of the chosen endpoints' requests take longer than p50, 5% than p95, 1% than p99, as estimated inside a bucket. Points are traced requests. The line is the limit of {limit} s.",
        ),
        "p95_by_endpoint": PanelText(
            "Slowest 5% by endpoint", "The 95th percentile of each endpoint; the line is the limit of {limit} s."
        ),
        "p50_by_endpoint": PanelText(
            "Median by endpoint", "Half of an endpoint's requests take longer; the line is the limit of {limit} s."
        ),
        "size": PanelText("Mean size of answers", "Bytes of a body, by endpoint."),
        "traffic": PanelText("Bytes sent", "Bytes of bodies a second, by endpoint."),
        "in_flight_over_time": PanelText(
            "In flight by instance",
            "Requests that have begun and not ended. A level line at the number of workers says that all are busy.",
        ),
        "availability_burning": PanelText(
            "How fast errors burn their budget",
            "1 spends the budget of 30 days in 30 days; the alert on the shortest windows fires at {factor}.",
        ),
        "latency_burning": PanelText(
            "How fast slow requests burn their budget",
            "1 spends the budget of 30 days in 30 days; the alert on the shortest windows fires at {factor}.",
        ),
        "budgets_left": PanelText(
            "Budgets left", "1 is all of the budget of 30 days, 0 is nothing, less is overspent."
        ),
    },
)

BUSINESS: Final = DashboardText(
    "Business",
    {"total": "In the chosen time", "orders": "Orders", "money": "Money and time", "own": "Metrics of your own"},
    {
        "orders_total": PanelText("Orders", "Orders by status, in the time that is chosen above."),
        "revenue_total": PanelText("Revenue", "Money taken by currency, in the time that is chosen above."),
        "users": PanelText("Active users", "As the service last said, by the time that it looks back."),
        "orders_by_status": PanelText("Orders by status", "Orders a second."),
        "orders_by_method": PanelText("Orders by payment method", "Orders a second, whatever became of them."),
        "failed_by_method": PanelText(
            "Failed by payment method", "Share of the orders that failed; `PaymentFailures` fires over {limit}."
        ),
        "revenue": PanelText("Revenue by currency", "Money taken a minute."),
        "processing": PanelText(
            "Processing time",
            "Half of the orders of a type take longer than p50, 5% longer than p95. Points are traced orders.",
        ),
        "users_over_time": PanelText(
            "Active users over time", "As the service last said, by the time that it looks back."
        ),
    },
)

FUNCTIONS: Final = DashboardText(
    "Functions",
    {"functions": "Measured functions", "dearest": "Where the time goes"},
    {
        "calls": PanelText("Calls", "Calls a second of functions under `track_performance`."),
        "mean": PanelText("Mean duration", "Seconds of a call."),
        "p95": PanelText("Slowest 5%", "One call in twenty takes longer. Points are traced calls."),
        "p50": PanelText("Median", "Half of the calls take longer. Points are traced calls."),
        "spent": PanelText(
            "Time spent",
            "Seconds that all calls took together, in the time that is chosen above; a function's time has in it that of the functions it calls.",
        ),
    },
)

LOGS: Final = DashboardText(
    "Logs",
    {"volume": "How many", "errors": "Most frequent errors", "documents": "Documents"},
    {
        "volume": PanelText("Documents by level", "Log documents of the chosen services, levels and search."),
        "count": PanelText("Documents", "Log documents in the time that is chosen above."),
        "errors": PanelText("Errors", "Log documents of level ERROR or CRITICAL, whichever levels are chosen."),
        "top_errors": PanelText(
            "Errors by type", "The exception's type; errors without an exception are not among them."
        ),
        "top_loggers": PanelText("Errors by logger", "Which part of the service says them."),
        "top_users": PanelText("Errors by user", "Of requests whose user is known."),
        "error_table": PanelText(
            "Errors",
            "The newest documents of level ERROR or CRITICAL. The trace id leads to the trace, request and user lead to all documents of them.",
        ),
        "lines": PanelText("Log", "The newest documents of the chosen services, levels and search."),
    },
)

PIPELINE: Final = DashboardText(
    "Pipeline",
    {"queue": "Queues", "records": "Records", "services": "What services could not record"},
    {
        "fill": PanelText(
            "Queues filled", "Share of each exporter's queue that is used; `CollectorQueueFilling` fires over {limit}."
        ),
        "queue": PanelText(
            "Queues", "What waits in each exporter's queue, and how much fits in: bytes or records, as it is measured."
        ),
        "lag": PanelText(
            "Lag",
            "Seconds until what waits for Elasticsearch will have been sent at the present pace; no line while nothing is sent.",
        ),
        "newest": PanelText("Newest document", "How old the newest log document in Elasticsearch is, of any service."),
        "taken": PanelText("Taken and sent", "Log records a second."),
        "failed": PanelText(
            "Refused and failed",
            "Log records a second that a receiver did not take (the sender tries again), an exporter gave up, its queue had no room for, or the limit of memory kept out. Each try counts.",
        ),
        "documents": PanelText(
            "Documents by outcome",
            "What Elasticsearch said to each document. `failed_client` with a status other than 409 is refused for good; 409 is there already.",
        ),
        "log_lines_dropped": PanelText("Log lines dropped", "Lines a second that a service could not write."),
        "export_dropped": PanelText(
            "Not delivered by OTLP",
            "Spans, log records and metric points a second that no receiver has got, by reason.",
        ),
        "rejected": PanelText("Values rejected", "Values a second that no metric can take, by instrument."),
        "series_overflows": PanelText(
            "Beyond the limit of series", "Measurements a second whose labels were dropped, by instrument."
        ),
        "scrapes": PanelText(
            "Time to read a metrics page",
            "Seconds; `MetricsPageSlow` fires over {limit}, and Prometheus gives up after 10.",
        ),
    },
)

NODE: Final = DashboardText(
    "Node",
    {"processors": "Processors", "memory": "Memory and disks", "network": "Traffic"},
    {
        "cpu": PanelText("Processors busy", "Share of the time that all processors together are not idle."),
        "cpu_modes": PanelText("What processors do", "Share of the time of all processors, by mode."),
        "load": PanelText(
            "Load by processor", "Processes that run or want to, divided by the processors; over 1 some wait."
        ),
        "memory": PanelText(
            "Memory available", "Share that programs can have without swapping; `NodeMemoryLow` fires under {limit}."
        ),
        "memory_bytes": PanelText("Memory", "What programs can have, and what there is."),
        "disk": PanelText(
            "Disks free",
            "Share of each file system that is free; `NodeDiskFilling` fires under {limit}, or earlier if it will soon be full.",
        ),
        "network": PanelText("Network", "Bytes a second, by device."),
        "disk_traffic": PanelText("Disks", "Bytes a second, by device."),
    },
)

WORDS: Final = DashboardWords(
    {
        "service": SERVICE,
        "business": BUSINESS,
        "functions": FUNCTIONS,
        "logs": LOGS,
        "pipeline": PIPELINE,
        "node": NODE,
    },
    {
        "datasource": "Metrics",
        "logs": "Logs",
        "traces": "Traces",
        "job": "Service",
        "endpoint": "Endpoint",
        "function_name": "Function",
        "service": "Service",
        "level": "Level",
        "search": "Search",
        "instance": "Instance",
        "availability": "errors",
        "latency": "slow requests",
        "size": "waiting",
        "capacity": "capacity",
        "accepted": "taken",
        "sent": "sent",
        "refused": "refused",
        "failed": "failed",
        "not_queued": "no room in the queue",
        "available": "available",
        "total": "there is",
        "in": "in",
        "out": "out",
        "to_logs": "Logs of the same service and time",
        "to_trace": "Trace",
        "to_documents": "All documents of it",
    },
)

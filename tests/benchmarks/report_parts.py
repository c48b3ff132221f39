"""The parts of the report: which benchmark, with which arguments, what its figures are and how they are drawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tests.benchmarks import figures
from tests.benchmarks.figures import Plots, Targets
from tests.benchmarks.tables import Table


@dataclass(frozen=True)
class Part:
    """One benchmark: `arguments` of the long form and of the quick one; none: it has no quick form."""

    name: str
    title: str
    text: str
    arguments: tuple[str, ...]
    quick: tuple[str, ...] | None
    plots: Callable[[list[Table]], Plots]
    targets: Callable[[list[Table]], Targets]
    has_peers: bool = False


PARTS: Final = (
    Part(
        "flask_cost", "A Flask request",
        "One application, one request (`GET /api/orders/7`, a small JSON answer), every way in a process of its own. "
        "The ratio is the median over the rounds of CPU time of all threads, sending included, by bare Flask's in the "
        "same round. *bare again* is the control. Function calls are cProfile's and do not vary. The last column is "
        "what the page, the counter or the receiver of OTLP had in the end: it equals the requests that were served.",
        ("--rounds", "24", "--requests", "400"), ("--rounds", "4", "--requests", "100"),
        figures.flask_plots, figures.flask_targets, has_peers=True,
    ),
    Part(
        "asgi_cost", "A Starlette request",
        "The application called as a server calls it, without a socket; every way in a process of its own, and its "
        "counters are right in the end.",
        ("--rounds", "9"), ("--rounds", "2", "--requests", "200"), figures.no_plots, figures.asgi_targets,
    ),
    Part(
        "page_cost", "The metrics page",
        "A counter with three labels; each page in a process of its own, checked to say the total that was counted. "
        "The ratio is to prometheus_client in as many processes. *grown* is what the peak of memory has gained after "
        "the third page.",
        ("--rounds", "7"), ("--rounds", "3", "--most", "1000"), figures.page_plots, figures.page_targets,
    ),
    Part(
        "recording_cost", "One measurement",
        "Nanoseconds, `least/median (times ours shared)`. *shared* counts in memory that processes share, *+ OTLP* has "
        "a reader for OTLP beside the page; every total is read in the end and right to the unit.",
        ("--rounds", "20"), ("--rounds", "2", "--times", "1000"), figures.recording_plots, figures.recording_targets,
    ),
    Part(
        "log_line_cost", "One log line",
        "A line to a file by `logger.info` with two arguments; every file is checked to hold every line whole.",
        ("--rounds", "60"), ("--rounds", "4", "--lines", "200"),
        figures.line_plots, figures.line_targets, has_peers=True,
    ),
    Part(
        "start_cost", "The start",
        "Whole processes that import Flask, answer one request and end, with the prefix command before them; what is "
        "added to bare Flask in the same round.",
        ("--rounds", "6"), ("--rounds", "2"), figures.start_plots, figures.start_targets, has_peers=True,
    ),
    Part(
        "log_analyzer", "Questions to a log file",
        "LogAnalyzer over local files and jq give equal answers; times by the clock, and CPU.",
        ("--lines", "200000"), None, figures.no_plots, figures.no_targets,
    ),
    Part(
        "pipeline_cost", "From a log file to Elasticsearch",
        "The Collector with agent.yaml beside a plain configuration that keeps the same promise; every record is in "
        "the store once.",
        (), None, figures.no_plots, figures.no_targets,
    ),
    Part(
        "elasticsearch_store", "The hourly question to Elasticsearch",
        "LogAnalyzer and a plain call of the client give equal counts, from a real Elasticsearch; times by the clock.",
        ("--documents", "50000"), None, figures.no_plots, figures.no_targets,
    ),
)  # fmt: skip

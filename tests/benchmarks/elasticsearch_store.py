"""What LogAnalyzer adds to a plain call of the Elasticsearch client, for the hourly question.

    python -m tests.benchmarks.elasticsearch_store --documents 100000

starts a real Elasticsearch, puts so many documents into it, asks for the error rate of a day by LogAnalyzer and by the
client alone in turn, checks that both give the same counts, and prints the medians and their ratio. The analyzer also
looks whether the indices have the right fields, counts the documents without a time, and fills hours without documents.
The client's own cache of answers is off for both, as each question has another window.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from otel_distro.analyzer.analyzer import LogAnalyzer
from otel_distro.analyzer.model import iso
from tests.elastic import install, load, new_prefix
from tests.log_oracle import NOW, log_document
from tests.services.elasticsearch import Elasticsearch, find

HOURS: Final = 24
PAIRS: Final = 30


def main() -> int:
    """Measure and print; 1 where the two differ."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--documents", type=int, default=100_000)
    number = parser.parse_args().documents
    with Elasticsearch(find()["elasticsearch"]) as server:
        install(server)
        prefix = new_prefix()
        chosen = random.Random(1)
        load(
            server,
            prefix,
            (
                log_document(
                    NOW - timedelta(seconds=chosen.uniform(0, 30 * 3600)),
                    n,
                    level=chosen.choices(["INFO", "ERROR"], [95, 5])[0],
                )
                for n in range(number)
            ),
        )
        return _compare(server, f"{prefix}-*", number)


def _compare(server: Elasticsearch, index: str, number: int) -> int:
    from elasticsearch import Elasticsearch as Client

    client = Client(server.url)
    spent: dict[str, list[float]] = {"LogAnalyzer": [], "client": []}
    for pair in range(PAIRS + 3):
        end = NOW - timedelta(seconds=pair)
        analyzer = LogAnalyzer(server.url, index=index, now=partial(_same, end))
        ways: dict[str, Callable[[], int]] = {
            "LogAnalyzer": partial(_analyzed, analyzer),
            "client": partial(_plain, client, index, end),
        }
        analyzer.extent()  # its connection is made, as the client's is
        answers = set()
        for name in sorted(ways, reverse=bool(pair % 2)):
            began = time.perf_counter()
            answers.add(ways[name]())
            if pair >= 3:
                spent[name].append(time.perf_counter() - began)
        if len(answers) != 1:
            print(f"the answers differ: {answers}", file=sys.stderr)
            return 1
    medians = {name: statistics.median(times) * 1000 for name, times in spent.items()}
    ratio = statistics.median(a / b for a, b in zip(spent["LogAnalyzer"], spent["client"], strict=True))
    print(f"error rate of {HOURS} hours, {number:,} documents, {PAIRS} pairs:")
    print(f"LogAnalyzer {medians['LogAnalyzer']:.1f} ms, client alone {medians['client']:.1f} ms, ratio {ratio:.2f}")
    return 0


def _same(moment: datetime) -> datetime:
    return moment


def _analyzed(analyzer: LogAnalyzer) -> int:
    return analyzer.get_error_rate(HOURS)["total"]


def _plain(client: Any, index: str, end: datetime) -> int:
    window = {"gte": iso(end - timedelta(hours=HOURS)), "lt": iso(end)}
    found = client.search(
        index=index,
        size=0,
        query={"range": {"@timestamp": window}},
        aggs={
            "hours": {
                "date_histogram": {"field": "@timestamp", "fixed_interval": "1h"},
                "aggs": {"errors": {"filter": {"terms": {"level": ["ERROR", "CRITICAL"]}}}},
            }
        },
    )
    return sum(bucket["doc_count"] for bucket in found["aggregations"]["hours"]["buckets"])


if __name__ == "__main__":
    sys.exit(main())

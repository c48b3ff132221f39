"""The measurement of the Collector at a small size: every record arrives by each configuration."""

from __future__ import annotations

from pathlib import Path

from tests.benchmarks import pipeline_cost
from tests.services.elasticsearch import Elasticsearch


def test_each_configuration_stores_every_record_and_has_its_line_in_the_report(
    collector_binary: Path, elasticsearch_server: Elasticsearch, tmp_path: Path
) -> None:
    costs = pipeline_cost.run(collector_binary, elasticsearch_server, 1000, 1, tmp_path)
    assert all(cost.cpu > 0 and cost.megabytes > 10 for runs in costs.values() for cost in runs)
    report = pipeline_cost.report(1000, costs)
    assert all(f"| {name} |" in report for name in pipeline_cost.CONFIGURATIONS)

"""The measurement of the Collector at a small size: every record arrives by each configuration."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from tests.agent import AGENT
from tests.benchmarks import pipeline_cost
from tests.services.elasticsearch import Elasticsearch


def test_each_configuration_stores_every_record_and_has_its_line_in_the_report(
    collector_binary: Path, elasticsearch_server: Elasticsearch, tmp_path: Path
) -> None:
    costs = pipeline_cost.run(collector_binary, elasticsearch_server, 1000, 1, tmp_path)
    assert all(cost.cpu > 0 and cost.megabytes > 10 for runs in costs.values() for cost in runs)
    report = pipeline_cost.report(1000, costs)
    assert all(f"| {name} |" in report for name in pipeline_cost.CONFIGURATIONS)


def exporter(configuration: Path) -> dict[str, Any]:
    """The settings of a configuration's exporter where no variable is set."""
    defaults = re.sub(r"\$\{env:\w+:-([^}]*)\}", r"\1", configuration.read_text())
    settings: dict[str, Any] = yaml.safe_load(defaults)["exporters"]["elasticsearch"]
    return settings


def test_the_least_has_the_exporter_of_the_agent_so_that_it_is_no_slower_way() -> None:
    agent, least = exporter(AGENT), exporter(pipeline_cost.FLOOR)
    # What it does after an error, where Elasticsearch is, and who asks: nothing of it in a run in which all goes well.
    elsewhere = {"endpoint", "retry", "suppress_conflict_errors", "api_key", "user", "password", "tls"}
    assert {name: value for name, value in least.items() if name not in elsewhere} == {
        name: value for name, value in agent.items() if name not in elsewhere
    }

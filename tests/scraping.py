"""How the committed configuration has Prometheus scrape a Collector, for the configurations of tests."""

from __future__ import annotations

import json

import yaml

from tests.processes import ROOT

CONFIGURATION = ROOT / "collector-config" / "prometheus" / "prometheus.yml"


def collector_job(*targets: str) -> str:
    """Return the job of the Collector's own metrics with these targets in the place of its own, as one line."""
    jobs = yaml.safe_load(CONFIGURATION.read_text())["scrape_configs"]
    (job,) = (job for job in jobs if job["job_name"] == "otel-collector")
    del job["file_sd_configs"]
    return json.dumps({**job, "static_configs": [{"targets": list(targets)}]})

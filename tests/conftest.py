"""Fixtures for every test: the real servers, got once a session."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests import certificates
from tests.certificates import Certificates
from tests.services import alertmanager, collector, elasticsearch, node_exporter, prometheus, prometheus3
from tests.services.elasticsearch import Elasticsearch
from tests.services.prometheus import Generation

# An example may be slow because the machine is busy: that is no failure.
settings.register_profile("without-deadline", deadline=None)
settings.load_profile("without-deadline")

# Grafana's SDK does not exist for Python 3.10; newer ones test what is said there.
if sys.version_info < (3, 11):
    collect_ignore = [
        "integration/test_dashboards.py",
        "unit/test_cli_dashboards.py",
        "unit/test_cli_declared_metrics.py",
        "unit/test_docs_dashboards.py",
        "unit/test_monitoring_dashboards_files.py",
    ]


def pytest_configure() -> None:
    """Let the programs under test be interrupted: what a shell starts in the background is deaf to SIGINT."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def prometheus_binary() -> Path:
    """Path of a real Prometheus, fetched where the machine has none; a test that cannot have it fails, never skips."""
    return prometheus.find()["prometheus"]


@pytest.fixture(scope="session")
def prometheus3_binary() -> Path:
    """Path of a real Prometheus of the third generation, built where the machine has none."""
    return prometheus3.find()["prometheus3"]


@pytest.fixture(scope="session", params=["2", "3"])
def each_prometheus(request: pytest.FixtureRequest) -> Generation:
    """Give a real Prometheus: a test that asks for it runs with each generation."""
    if request.param == "2":
        return Generation(request.getfixturevalue("prometheus_binary"), "--enable-feature=agent")
    return Generation(request.getfixturevalue("prometheus3_binary"), "--agent")


@pytest.fixture(scope="session")
def collector_binary() -> Path:
    """Path of a real Collector, built where the machine has none."""
    return collector.find()["otelcol"]


@pytest.fixture(scope="session")
def alertmanager_binary() -> Path:
    """Path of a real Alertmanager, built where the machine has none."""
    return alertmanager.find()["alertmanager"]


@pytest.fixture(scope="session")
def node_exporter_binary() -> Path:
    """Path of a real node exporter, fetched where the machine has none."""
    return node_exporter.find()["node_exporter"]


@pytest.fixture(scope="session")
def elasticsearch_home() -> Path:
    """Home folder of a real Elasticsearch, fetched where the machine has none: for tests that break their own."""
    return elasticsearch.find()["elasticsearch"]


@pytest.fixture(scope="session")
def elasticsearch_server(elasticsearch_home: Path) -> Iterator[Elasticsearch]:
    """Give the one running Elasticsearch of the test run, without security: every test has index names of its own."""
    with Elasticsearch(elasticsearch_home) as server:
        yield server


@pytest.fixture(scope="session")
def known_certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Give the certificates of the run: those of `secured_elasticsearch`, and strangers to them."""
    return certificates.make(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="session")
def _secured(elasticsearch_home: Path, known_certificates: Certificates) -> Iterator[Elasticsearch]:
    with Elasticsearch(elasticsearch_home, security=known_certificates) as server:
        yield server


@pytest.fixture(scope="module")
def secured_elasticsearch(_secured: Elasticsearch) -> Iterator[Elasticsearch]:
    """Give the one running Elasticsearch with security, without an index of another module."""
    yield _secured
    _secured.delete("*,-.*")

"""Fixtures for every test: the real servers, got once a session."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.services import prometheus


@pytest.fixture(scope="session")
def prometheus_binary() -> Path:
    """Path of a real Prometheus, fetched where the machine has none; a test that cannot have it fails, never skips."""
    return prometheus.find()["prometheus"]

"""Configuration of gunicorn that says when a worker has its own signal handlers and its application."""

from __future__ import annotations

from typing import Any


def post_worker_init(worker: Any) -> None:
    """Log that this worker is ready."""
    worker.log.info("Ready: %s", worker.pid)

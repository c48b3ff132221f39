"""The sample programs of the mission in one: helpers called as their users call them, without the prefix command."""

from __future__ import annotations

import logging
import os
import sys
import time
from typing import Any

from otel_distro import (
    BusinessMetrics,
    monitor_request,
    setup_logging,
    start_metrics_server,
    track_performance,
)

logger = setup_logging(log_level=logging.INFO, log_file=os.environ["LOG_FILE"])


@monitor_request
def handle_request(method: str = "GET", endpoint: str = "/api/users") -> dict[str, Any]:
    return {"status_code": 200, "size": 1024}


@track_performance
def compute(n: int) -> int:
    return n * n


def main() -> None:
    start_metrics_server(port=int(os.environ["PORT"]))
    logger.info("application started", extra={"version": "1.0.0"})
    for _ in range(10):
        handle_request(method="GET", endpoint="/api/users")
    business = BusinessMetrics()
    business.record_order("completed", "alipay", 99.99)
    business.record_order("failed", "wechat", 10)
    business.update_active_users(150)
    business.record_processing_time(3.5)
    compute(7)
    try:
        _ = 1 / 0
    except ZeroDivisionError:
        logger.error("could not divide", exc_info=True)  # noqa: G201 -- as the sample calls it
    logger.info("user logged in", extra={"user_id": "12345", "request_id": "req-001"})
    start_metrics_server(port=int(os.environ["PORT"]))
    print("ready", flush=True)
    while "--stay" in sys.argv:
        time.sleep(1)


if __name__ == "__main__":
    main()

"""A service that gives its instruments what they cannot take: too many label values, and impossible amounts."""

from __future__ import annotations

import time

from otel_distro import BusinessMetrics, counter

signups = counter("signups", "New accounts.", labels=("user",))


def main() -> None:
    for number in range(20):
        signups.labels(user=f"user-{number}").inc()
    BusinessMetrics.record_order("completed", "card", -1)
    time.sleep(3600)


if __name__ == "__main__":
    main()

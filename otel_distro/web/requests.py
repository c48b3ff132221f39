"""The four classic request metrics and the rules for their labels."""

from __future__ import annotations

from functools import lru_cache
from typing import Final, Protocol

from opentelemetry.context import Context

from otel_distro.metrics.instruments import distro_meter
from otel_distro.metrics.together import Answers

DURATION_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
UNMATCHED: Final = "(unmatched)"
OTHER_METHOD: Final = "_OTHER"
# RFC 9110 and RFC 5789, as the semantic conventions name them.
METHODS: Final = frozenset(("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"))
# What is answered so, or to HEAD, has no body for the client, whatever the application hands over.
NO_BODY: Final = frozenset((204, 304))


def normal_method(method: str) -> str:
    """Return the standard method in upper case, or `_OTHER` for any text that is none."""
    if method in METHODS:
        return method
    upper = method.upper()
    return upper if upper in METHODS else OTHER_METHOD


class Answered(Protocol):
    """What records one answered request: seconds, bytes of the body, and the context of the span for exemplars."""

    def __call__(  # noqa: PLR0913, PLR0917 -- the figures of one request
        self, method: str, endpoint: str, status: int, seconds: float, size: int, context: Context | None = None, /
    ) -> None:
        """Record it."""


class RequestMetrics:
    """`http_requests_total`, `http_request_duration_seconds`, `http_response_size_bytes`, `active_connections`.

    Labels: method, endpoint (and status on the counter). `started` counts one more request in flight; `answered`
    records one that is in flight no more. Its method must come from `normal_method` and its endpoint be a route
    template, so that the labels stay bounded. Thread and fork safety are those of OpenTelemetry instruments.
    """

    def __init__(self) -> None:
        meter = distro_meter()
        requests = meter.create_counter("http_requests", "{request}", "HTTP requests that were answered.")
        duration = meter.create_histogram(
            "http_request_duration",
            "s",
            "Time from the start of a request until its last byte.",
            explicit_bucket_boundaries_advisory=DURATION_BUCKETS,
        )
        # No bounds: the page shows a summary, as the size of a response is asked for in sums and means.
        size = meter.create_histogram(
            "http_response_size",
            "By",
            "Bytes of response bodies that were sent.",
            explicit_bucket_boundaries_advisory=(),
        )
        active = meter.create_up_down_counter("active_connections", "{request}", "HTTP requests in flight.")
        answers = Answers(active.add, duration.record, size.record, requests.add)
        self.started: Final = answers.started
        self.answered: Final[Answered] = answers.record


@lru_cache(maxsize=1)
def request_metrics() -> RequestMetrics:
    """Return the request metrics of this process, made on first use."""
    return RequestMetrics()

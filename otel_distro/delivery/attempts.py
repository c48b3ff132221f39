"""What an OTLP exporter's attempts come to, and how long it waits between two: its public parts tell neither.

Where an exporter keeps its parts in another way, or is of another make, its results are all that is known of it.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from time import monotonic
from typing import Any, Final

from otel_distro.delivery.reasons import Reasons, elsewhere, is_page, place_of, unusable
from otel_distro.delivery.worker import Awaited

# HTTP statuses after which the same request may be sent again. Source: OTLP specification, "Retryable Response Codes".
_AGAIN: Final = frozenset((429, 502, 503, 504))
_RESPONSES: Final = {
    "traces": ("opentelemetry.proto.collector.trace.v1.trace_service_pb2", "ExportTraceServiceResponse"),
    "metrics": ("opentelemetry.proto.collector.metrics.v1.metrics_service_pb2", "ExportMetricsServiceResponse"),
    "logs": ("opentelemetry.proto.collector.logs.v1.logs_service_pb2", "ExportLogsServiceResponse"),
}
# Seconds that a fork waits for a call by gRPC: one made in its midst ends the child that calls, or never answers it.
_CALL: Final = 0.5
_REJECTED: Final = {"traces": "rejected_spans", "metrics": "rejected_data_points", "logs": "rejected_log_records"}


@dataclass(frozen=True)
class Attempt:
    """What came of a request: `again` says that the same one may be sent once more, `rejected` counts items.

    `spoilt` counts those that were not in it, as they cannot be encoded, and `of_spoilt` says why. `page` says that the
    answer is a page of HTML, which no receiver gives.
    """

    delivered: bool
    why: str = ""
    again: bool = False
    rejected: int = 0
    spoilt: int = 0
    of_spoilt: str = ""
    page: bool = False


class Attempts:
    """Watches the requests of one exporter; `last` is what came of the latest one, None where nothing is known.

    One thread exports; `hurry` and `relax` may come from any, also from a signal's handler.
    """

    def __init__(self, signal: str, exporter: Any) -> None:
        self.last: Attempt | None = None
        self.endpoint = place_of(getattr(exporter, "_endpoint", None))
        self._signal = signal
        self.reasons = Reasons(exporter)
        self._pause = _Pause()
        self._deadline = float("inf")
        self._calling = Awaited(_CALL)
        with suppress(AttributeError):
            self._watch_http(exporter)
        with suppress(AttributeError):
            self._watch_grpc(exporter)

    @property
    def hurried(self) -> bool:
        """Whether there is a deadline, and it is not over."""
        return self._pause.hurried and monotonic() < self._deadline

    @property
    def ending(self) -> bool:
        """Whether there is a deadline, be it over or not."""
        return self._pause.hurried

    def hurry(self, deadline: float) -> None:
        """Let no request last beyond the deadline (`time.monotonic`), and have the exporter wait between none."""
        self._deadline = deadline
        self._pause.hurry()

    def relax(self) -> None:
        """Let the exporter wait as long as it likes again."""
        self._deadline = float("inf")
        self._pause.relax()

    def _within(self, timeout: float | None) -> float | None:
        left = self._deadline - monotonic()
        if timeout is None and left == float("inf"):
            return None
        # A client refuses a request without any time, in words that say nothing of it.
        return max(0.01, left if timeout is None else min(timeout, left))

    def _watch_http(self, exporter: Any) -> None:
        client = exporter._client
        request = client._transport.request
        if not hasattr(client, "_shutdown_event"):
            return

        def watched(*args: Any, timeout: float | None = None, **kwargs: Any) -> Any:
            result = request(*args, timeout=self._within(timeout), **kwargs)
            self.last = self._of_http(result)
            return result

        client._transport.request = watched
        client._shutdown_event = self._pause

    def _of_http(self, result: Any) -> Attempt:
        status = result.status_code
        if status is None:
            if isinstance(result.error, ValueError):
                return Attempt(False, unusable(result.error))
            return Attempt(False, self.reasons.of(result.error), again=True)
        if 200 <= status < 300:
            rejected, why = self._rejected(result)
            return Attempt(True, why, rejected=rejected, page=is_page(result))
        # Nobody follows a redirection, and the exporter takes it for a success.
        why = f"{status} {result.reason or ''}" + (elsewhere(result) if 300 <= status < 400 else "")
        return Attempt(False, self.reasons.short(why), again=status in _AGAIN)

    def _rejected(self, result: Any) -> tuple[int, str]:
        """Return how many items an answer says were not taken, and why; an answer that is none says nothing."""
        try:
            body = result.content()
            if not body:
                return 0, ""
            module, name = _RESPONSES[self._signal]
            return self._partial(getattr(import_module(module), name).FromString(body))
        except Exception:  # noqa: BLE001 -- a server may answer anything; the status has said that it took the request
            return 0, ""

    def _partial(self, response: Any) -> tuple[int, str]:
        partial = response.partial_success
        return max(0, getattr(partial, _REJECTED[self._signal])), self.reasons.short(partial.error_message)

    def _watch_grpc(self, exporter: Any) -> None:
        stub = exporter._stub
        if not hasattr(exporter, "_shutdown_in_progress"):
            return
        exporter._client = _Client(self, exporter._client)
        exporter._stub = lambda channel: _Client(self, stub(channel))
        exporter._shutdown_in_progress = self._pause

    def call(self, export: Any, request: Any, metadata: Any, timeout: float | None) -> Any:
        """Make one gRPC call, and keep what came of it."""
        from grpc import RpcError, StatusCode

        try:
            with self._calling:
                response = export(request=request, metadata=metadata, timeout=self._within(timeout))
        except RpcError as error:
            code = error.code()
            final = (StatusCode.INVALID_ARGUMENT, StatusCode.UNAUTHENTICATED, StatusCode.PERMISSION_DENIED)
            again = code not in (*final, StatusCode.UNIMPLEMENTED, StatusCode.NOT_FOUND, StatusCode.INTERNAL)
            self.last = Attempt(False, self.reasons.short(f"{code.name}: {error.details()}"), again=again)
            raise
        self.last = Attempt(True)
        with suppress(AttributeError):
            rejected, why = self._partial(response)
            self.last = Attempt(True, why, rejected=rejected)
        return response


class _Client:
    """A gRPC client of OTLP whose calls are watched."""

    def __init__(self, attempts: Attempts, client: Any) -> None:
        self._attempts = attempts
        self._client = client

    def Export(self, request: Any, metadata: Any = None, timeout: float | None = None) -> Any:  # noqa: N802 -- as the service names it
        return self._attempts.call(self._client.Export, request, metadata, timeout)


class _Pause:
    """Stands in the place of an exporter's shutdown event: what it waits for between two attempts.

    Without `threading.Event`, whose lock a signal's handler might find held by the code that it interrupts.
    """

    def __init__(self) -> None:
        self.hurried = False
        self._set = False
        self._bell = threading.Lock()
        self._bell.acquire()

    def hurry(self) -> None:
        self.hurried = True
        self._ring()

    def relax(self) -> None:
        self.hurried = False
        self._bell.acquire(blocking=False)  # what has rung for nobody, else the next wait would be none

    def set(self) -> None:
        self._set = True
        self._ring()

    def is_set(self) -> bool:
        return self._set or self.hurried

    def wait(self, seconds: float | None = None) -> bool:
        if not self.is_set():
            self._bell.acquire(timeout=-1 if seconds is None else max(0.0, seconds))
        return self.is_set()

    def _ring(self) -> None:
        with suppress(RuntimeError):  # it has rung already
            self._bell.release()

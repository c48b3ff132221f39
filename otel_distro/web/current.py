"""The request that the hook is serving in this context: what `monitor_request` asks before it counts."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Final, Protocol

from otel_distro.context import served


class CurrentRequest(Protocol):
    """A request under way; belongs to the thread or task that serves it."""

    @property
    def method(self) -> str:
        """The method, one of the standard's or `_OTHER`."""

    @property
    def endpoint(self) -> str | None:
        """The route template, or None while no route is known."""

    @property
    def counted(self) -> bool:
        """Whether the hook itself records this request in the classic metrics."""


current_request: Final[ContextVar[CurrentRequest | None]] = served

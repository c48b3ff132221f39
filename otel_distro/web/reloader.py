"""Werkzeug's reloader: the process that only watches files gives the metrics port to the one that serves."""

from __future__ import annotations

from typing import Any

from werkzeug import _reloader

from otel_distro.metrics.server import page_service


def install() -> None:
    """Free the metrics port in the watching process before it starts the serving one; a second call does nothing."""
    loop: Any = getattr(_reloader, "ReloaderLoop", None)
    original = getattr(loop, "restart_with_reloader", None)
    if original is None or hasattr(original, "_otel_distro"):
        return

    def restart_with_reloader(self: Any) -> int:
        page_service.close()
        code: int = original(self)
        return code

    restart_with_reloader._otel_distro = True  # type: ignore[attr-defined]  # noqa: SLF001 -- our own mark
    loop.restart_with_reloader = restart_with_reloader

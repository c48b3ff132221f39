"""What is done when the application imports a framework that has a hook of ours, or a further part of it.

Named by the start, which imports none of this before.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable

from otel_distro.settings import Settings

_logger = logging.getLogger(__name__)


def asgi(_: object) -> None:
    """Have Starlette and FastAPI served through their hook, as far as they have been imported."""

    def follow(http_metrics: str) -> None:
        from otel_distro.web import starlette

        starlette.follow(http_metrics)

    _follow("Starlette", "starlette.applications", follow)


def django(_: object) -> None:
    """Have Django served through its hook, as far as it has been imported."""

    def follow(http_metrics: str) -> None:
        from otel_distro.web import django

        django.follow(http_metrics)

    _follow("BaseHandler", "django.core.handlers.base", follow)


def _follow(what: str, needed: str, follow: Callable[[str], None]) -> None:
    # Not where the import of what the hook itself needs is under way.
    if hasattr(sys.modules.get(needed), what):
        try:
            follow(Settings.current().http_metrics)
        except Exception as error:  # noqa: BLE001 -- telemetry must not take the import down
            framework, kind = needed.partition(".")[0], type(error).__name__
            _logger.warning("requests of %s are not measured: %s: %s; everything else goes on", framework, kind, error)

"""What is done when the application imports a framework that has a hook of ours, or a further part of it.

Named by the start, which imports none of this before.
"""

from __future__ import annotations

import logging
import sys
from importlib import import_module

from otel_distro.settings import Settings

_logger = logging.getLogger(__name__)


def asgi(_: object) -> None:
    """Have Starlette and FastAPI served through their hook, as far as they have been imported."""
    _follow("starlette", "starlette.applications", "Starlette")


def django(_: object) -> None:
    """Have Django served through its hook, as far as it has been imported."""
    _follow("django", "django.core.handlers.base", "BaseHandler")


def _follow(hook: str, needed: str, what: str) -> None:
    # Not where the import of what the hook itself needs is under way.
    if hasattr(sys.modules.get(needed), what):
        try:
            import_module(f"otel_distro.web.{hook}").follow(Settings.current().http_metrics)
        except Exception as error:  # noqa: BLE001 -- telemetry must not take the import down
            kind = type(error).__name__
            _logger.warning("requests of %s are not measured: %s: %s; everything else goes on", hook, kind, error)

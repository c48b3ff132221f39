"""The counted application with a page of metrics inside of it, and by PAGE_PORT with one on a port of its own."""

from __future__ import annotations

import os

from werkzeug.middleware.dispatcher import DispatcherMiddleware

import otel_distro
from tests.data.apps.counted import app

__all__ = ["app"]

if "PAGE_PORT" in os.environ:
    otel_distro.start_metrics_server(int(os.environ["PAGE_PORT"]))
else:
    app.wsgi_app = DispatcherMiddleware(app.wsgi_app, {"/metrics": otel_distro.metrics_app()})  # type: ignore[method-assign]

"""The meter that all instruments of this package come from."""

from __future__ import annotations

from opentelemetry.metrics import Meter, get_meter

import otel_distro

SCOPE = "otel_distro"


def distro_meter() -> Meter:
    """Return the meter of this package from the global provider, or a proxy that follows the provider set later."""
    return get_meter(SCOPE, otel_distro.__version__)

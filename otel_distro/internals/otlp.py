"""Private parts that sending by OTLP rests on: what an exporter is made over."""

from __future__ import annotations

import sys
from typing import Any


def exporter_over(kind: Any, transport: Any) -> Any:
    """Return an OTLP/HTTP exporter of this class that sends by a transport of ours.

    None where this release makes them in another way, or where the user has named a session of requests to send by.
    """
    module = sys.modules[kind.__module__]
    try:
        named = [name for name in vars(module) if name.endswith("_CREDENTIAL_PROVIDER")]
        if any(module._load_session_from_envvar(getattr(module, name)) is not None for name in named):
            return None
        exporter = kind(_transport=transport)
        over = exporter._client._transport
    except Exception:  # noqa: BLE001 -- made in the usual way it says what is wrong
        return None
    return exporter if over is transport else None

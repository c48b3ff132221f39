"""prometheus_client's own metrics in a forked child, whose page shows them as well."""

from __future__ import annotations

import threading
from typing import Any


def renew_locks(registry: Any) -> None:
    """Give a registry and its metrics free locks in a forked child: a thread of the parent may have held them.

    prometheus_client does not do that itself. A lock is replaced only where there is one of the expected kind.
    """
    _renew(registry)
    for collector in list(getattr(registry, "_collector_to_names", ())):
        _renew_metric(collector)


def _renew_metric(metric: Any) -> None:
    _renew(metric)
    for part in (*(getattr(metric, name, None) for name in ("_value", "_sum", "_count")), *_list(metric, "_buckets")):
        _renew(part)
    children = getattr(metric, "_metrics", None)
    for child in list(children.values()) if isinstance(children, dict) else ():
        _renew_metric(child)


def _list(metric: Any, name: str) -> list[Any]:
    found = getattr(metric, name, None)
    return found if isinstance(found, list) else []


def _renew(owner: Any) -> None:
    if isinstance(getattr(owner, "_lock", None), type(threading.Lock())):
        owner._lock = threading.Lock()  # noqa: SLF001 -- the library has no other way

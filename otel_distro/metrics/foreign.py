"""prometheus_client's own metrics, which the page shows as well: found when asked for, free in a forked child."""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Iterable, Iterator
from typing import Any

from otel_distro.settings import Settings

_logger = logging.getLogger(__name__)


class DefaultRegistry:
    """prometheus_client's default registry, alone, as an iterable; the library is imported with the first page.

    A start does not pay for it. Thread-safe and fork-safe: a fork waits for the import, as a child would find the lock
    of a module that a thread of its parent imports held for ever.
    """

    def __init__(self) -> None:
        lock = self._lock = threading.RLock()  # a signal handler may fork in the midst of the import
        os.register_at_fork(before=lock.acquire, after_in_parent=lock.release, after_in_child=lock.release)

    def __iter__(self) -> Iterator[Any]:
        with self._lock:
            import prometheus_client.openmetrics.exposition  # with it all that the page takes of the library
        return iter((prometheus_client.REGISTRY,))


def registries_of(settings: Settings) -> Iterable[Any]:
    """Return the registries whose metrics belong on the page; in prometheus_client's process mode that of its files.

    A folder that is none is one warning, and no registry.
    """
    if not settings.prometheus_multiproc_dir:
        return DefaultRegistry()
    from prometheus_client import CollectorRegistry
    from prometheus_client.multiprocess import MultiProcessCollector

    registry = CollectorRegistry()
    try:
        MultiProcessCollector(registry, path=settings.prometheus_multiproc_dir)  # type: ignore[no-untyped-call]
    except ValueError:
        _logger.warning(
            "metrics of prometheus_client are left out: PROMETHEUS_MULTIPROC_DIR=%s is no folder; "
            "make it before the service starts",
            settings.prometheus_multiproc_dir,
        )
        return ()
    return (registry,)


def after_fork(registries: Iterable[Any]) -> None:
    """Give the registries that exist in a forked child free locks, without importing anything."""
    if isinstance(registries, DefaultRegistry):
        # Not by an import: the application may have been in the middle of it.
        default = getattr(sys.modules.get("prometheus_client"), "REGISTRY", None)
        registries = () if default is None else (default,)
    for registry in registries:
        renew_locks(registry)


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
    held = getattr(owner, "_lock", None)
    for kind in (threading.Lock, threading.RLock):  # the latter in earlier releases
        if isinstance(held, type(kind())):
            owner._lock = kind()  # noqa: SLF001 -- the library has no other way

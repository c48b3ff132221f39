"""Whose storages a consumer has: the page's with cells, the other readers' limited ones that follow it; over forks."""

from __future__ import annotations

import threading
from typing import Any

from otel_distro.internals import MetricsSdk
from otel_distro.metrics.limits import Limits
from otel_distro.metrics.storages import classes
from otel_distro.metrics.store import CellStore


def adopt(sdk: MetricsSdk, consumer: Any, page_reader: Any, limits: Limits, store: CellStore) -> None:
    """Give a consumer's readers our storages: the page's has its series in cells, the others have the SDK's, limited.

    What others can get from the page's series they do, and record nothing themselves. The consumer's mapping is
    replaced, as the SDK itself does it, never changed. Readers that come later are treated alike. What a thread records
    while a reader comes or the page goes is in every reader once, except for what goes the SDK's own way at that very
    moment: that may be missing in the reader that comes, and missing or twice in those that the page leaves.
    """
    ours = classes(sdk)
    with consumer._lock:
        stock = consumer._reader_storages[page_reader]
        if not isinstance(stock, ours.shared):
            page = ours.shared(
                stock._sdk_config, stock._instrument_class_temporality, stock._instrument_class_aggregation
            )
            consumer._reader_storages = {**consumer._reader_storages, page_reader: _ours(page, limits, store)}
        _arrange(sdk, consumer, limits, store)
    if "add_metric_reader" in vars(consumer):
        return
    stock_add, stock_remove = consumer.add_metric_reader, consumer.remove_metric_reader

    def add_metric_reader(metric_reader: Any) -> None:
        stock_add(metric_reader)
        with consumer._lock:
            _arrange(sdk, consumer, limits, store)

    def remove_metric_reader(metric_reader: Any) -> None:
        storage = consumer._reader_storages.get(metric_reader)
        with consumer._lock:
            for other in consumer._reader_storages.values():
                if type(other) is ours.limited and other.leading is storage:
                    other.lead_by(None)
        stock_remove(metric_reader)
        with consumer._lock:
            if type(storage) is ours.limited:
                storage.lead_by(None)
            _arrange(sdk, consumer, limits, store)

    consumer.add_metric_reader = add_metric_reader
    consumer.remove_metric_reader = remove_metric_reader


def limit(sdk: MetricsSdk, provider: Any, limits: Limits) -> None:
    """Limit the series of a provider's readers where no page leads them; a page that comes later adopts them."""
    consumer = provider._measurement_consumer
    with consumer._lock:
        _arrange(sdk, consumer, limits, None)


def _arrange(sdk: MetricsSdk, consumer: Any, limits: Limits, store: CellStore | None) -> None:
    """Turn the SDK's storages into limited ones where they are, so that nothing is lost, and have them follow a page.

    The pages come last: a measurement finds all its followers there before it is written.
    """
    ours = classes(sdk)
    storages = consumer._reader_storages
    pages = {reader: storage for reader, storage in storages.items() if isinstance(storage, ours.shared)}
    others = {reader: storage for reader, storage in storages.items() if reader not in pages}
    for storage in others.values():
        if type(storage) is sdk.storage:
            _ours(storage, limits, store).__class__ = ours.limited
        if type(storage) is ours.limited and storage.leading not in pages.values():
            storage.lead_by(next(iter(pages.values()), None))
    consumer._reader_storages = {**others, **pages}


def _ours(storage: Any, limits: Limits, store: CellStore | None) -> Any:
    storage.limits = limits
    storage.store = store
    storage._ready = {}
    return storage


def after_fork(consumer: Any) -> None:
    """Let a forked child begin at zero, with locks that no thread of the parent holds."""
    consumer._lock = threading.Lock()
    for storage in consumer._reader_storages.values():
        if hasattr(storage, "after_fork"):
            storage.after_fork()
            storage.limits.after_fork()
    # Another mapping than before: every remembered series is looked up anew.
    consumer._reader_storages = dict(consumer._reader_storages)

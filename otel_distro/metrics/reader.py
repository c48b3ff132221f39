"""The page's reader: where its numbers come from."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from opentelemetry.sdk.metrics import Counter, Histogram, ObservableCounter, ObservableUpDownCounter, UpDownCounter
from opentelemetry.sdk.metrics.export import AggregationTemporality, MetricReader, MetricsData

from otel_distro.internals import metrics_sdk
from otel_distro.metrics import foreign
from otel_distro.metrics.adoption import adopt, after_fork
from otel_distro.metrics.collected import add_collected
from otel_distro.metrics.families import Families
from otel_distro.metrics.instruments import SCOPE
from otel_distro.metrics.limits import Limits
from otel_distro.metrics.merge import Merger
from otel_distro.metrics.prometheus import EOF, OPENMETRICS, TARGET, TEXT, foreign_text, page_text
from otel_distro.metrics.sources import GaugeRules
from otel_distro.metrics.store import CellStore


class PrometheusReader(MetricReader):
    """Reader whose metrics are fetched as a page.

    Its series are in the cells of `store`, which the page sums up over all processes that share `folder`; where fast
    recording is not to be had, the page shows what the SDK collects in this process. Safe to read from several threads:
    pages are made one after another. `registries` are prometheus_client registries whose metrics stand on the page as
    well, as far as their names are not taken.
    """

    def __init__(  # noqa: PLR0913 -- each is one part, all named
        self,
        *,
        scope_labels: bool = False,
        target_info: bool = True,
        registries: Iterable[Any] = (),
        store: CellStore | None = None,
        folder: Path | None = None,
        rules: GaugeRules | None = None,
        limits: Limits | None = None,
    ) -> None:
        cumulative = AggregationTemporality.CUMULATIVE
        kinds = (Counter, UpDownCounter, Histogram, ObservableCounter, ObservableUpDownCounter)
        super().__init__(preferred_temporality=dict.fromkeys(kinds, cumulative))
        self.limits = limits or Limits()
        self.store = store or CellStore()
        self._scope_labels = scope_labels
        self._target_info = target_info
        self._registries = registries if isinstance(registries, foreign.DefaultRegistry) else tuple(registries)
        self._folder = folder
        self._rules = rules
        self._merger = Merger(self.store, folder, rules, self.limits)
        self._sdk = metrics_sdk()
        self._consumer: Any = None
        self._lock = threading.Lock()
        self._data: MetricsData | None = None
        self._warned: set[str] = set()

    def page(self, content_type: str = TEXT) -> bytes:
        """Return the whole page in the format that `content_type` (`TEXT` or `OPENMETRICS`) names."""
        openmetrics = content_type == OPENMETRICS
        with self._lock:
            self._data = None
            self.collect()
            data, self._data = self._data, None
            families = Families(self._warned, TARGET if self._target_info else {})
            if self._consumer is not None:
                self._merger.add_to(families, scope_labels=self._scope_labels)
            elif data is not None:
                add_collected(families, data, scope_labels=self._scope_labels)
            resource = self._resource(data) if self._target_info else None
            own, taken = page_text(families, resource, openmetrics=openmetrics)
            rest = foreign_text(self._registries, taken, self._warned, openmetrics=openmetrics)
            return own + rest + (EOF if openmetrics else b"")

    def observe(self) -> None:
        """Run the callbacks of observable instruments, so that other processes see the values of this one."""
        with self._lock:
            self.collect()

    def observe_own(self) -> None:
        """Run the callbacks of this package's instruments alone: at the end of a process others may fail, or hang.

        Does nothing while a page is made.
        """
        if self._consumer is None or not self._lock.acquire(blocking=False):
            return
        try:
            storage = self._consumer._reader_storages.get(self)  # noqa: SLF001 -- as in `_set_collect_callback`
            for instrument in getattr(self._consumer, "_async_instruments", ()) if storage is not None else ():
                if instrument.instrumentation_scope.name == SCOPE:
                    storage.observe(instrument)
        finally:
            self._lock.release()

    def fold(self) -> None:
        """Fold what ended processes have left into one file."""
        if self._folder is not None:
            with self._lock:
                self._merger.fold(self._folder)

    def after_fork(self) -> None:
        """Begin anew in a forked child: at zero, in a file of its own, with free locks."""
        self._lock = threading.Lock()
        self.store.after_fork()
        self._merger.close()
        self._merger = Merger(self.store, self._folder, self._rules, self.limits)
        foreign.after_fork(self._registries)
        if self._consumer is not None:
            after_fork(self._consumer)

    def _set_collect_callback(self, func: Any) -> None:  # type: ignore[misc]
        # The one moment at which the SDK shows a reader where its measurements come from.
        super()._set_collect_callback(func)
        consumer = getattr(func, "__self__", None)
        if self._sdk is not None and hasattr(consumer, "_reader_storages"):
            self._consumer = consumer
            adopt(self._sdk, consumer, self, self.limits, self.store)

    def _resource(self, data: MetricsData | None) -> Any:
        if self._consumer is not None:
            return self._consumer._sdk_config.resource.attributes  # noqa: SLF001 -- else the SDK shows it with data only
        return data.resource_metrics[0].resource.attributes if data is not None and data.resource_metrics else None

    def _receive_metrics(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **_: object) -> None:  # noqa: ARG002 -- the SDK's signature
        self._data = metrics_data

    def shutdown(self, timeout_millis: float = 30_000, **_: object) -> None:
        """Do nothing: the page shows what was counted to the end."""

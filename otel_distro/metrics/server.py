"""Who serves the metrics page of this process and its group, and on which ports."""

from __future__ import annotations

import atexit
import errno
import logging
import os
import socket
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from opentelemetry.metrics import get_meter_provider, set_meter_provider
from opentelemetry.sdk.metrics import MeterProvider

from otel_distro.errors import InputError
from otel_distro.internals import exemplar_filter, metrics_sdk, renew_meter_locks
from otel_distro.metrics import group as groups
from otel_distro.metrics.access import Access
from otel_distro.metrics.election import Seat, Ticker
from otel_distro.metrics.foreign import registries_of
from otel_distro.metrics.group import Group
from otel_distro.metrics.http import MetricsServer
from otel_distro.metrics.instruments import distro_meter
from otel_distro.metrics.limits import Limits
from otel_distro.metrics.own import observe_limits, observe_process
from otel_distro.metrics.reader import PrometheusReader
from otel_distro.metrics.recording import install
from otel_distro.metrics.sources import GaugeRules
from otel_distro.metrics.store import CellStore
from otel_distro.settings import Settings

_OBSERVE_EVERY: Final = 5.0  # seconds between two rounds of observable instruments for the other processes' pages
# Longer than the watching thread sleeps, where gevent does not wake it.
_TICK_SECONDS: Final = 2.0

_logger = logging.getLogger(__name__)


@dataclass
class _Wish:
    """An address that the page is to be served at by one process of the group."""

    host: str
    port: int
    seat: Seat | None
    access: Access
    server: MetricsServer | None = None
    warned: bool = False


class PageService:
    """The page of one process and its group: its reader, and the addresses it is served at.

    Safe to use from any thread. Every process of the group wishes to serve; the one that has the seat does, and when it
    dies another one takes over within two seconds. A forked child goes on wishing with its parent's wishes.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._reader: PrometheusReader | None = None
        self._group: Group | None = None
        self._wishes: dict[int, _Wish] = {}
        self._ticker = Ticker(self.tick)
        self._observed = 0.0
        self._observes_process = False
        self._fed = True

    @property
    def attached(self) -> bool:
        """Whether the page's reader has been made, and a meter provider feeds it."""
        return self._reader is not None and self._fed

    @property
    def folder(self) -> str:
        """Folder of the group that this package made, for the processes that this one starts; else empty."""
        return str(self._group.folder) if self._group is not None and self._group.ours else ""

    def reader(self, settings: Settings, port: int | None = None) -> PrometheusReader:
        """Return the reader of this process's page; made on the first call, and the group joined."""
        with self._lock:
            if self._reader is None:
                self._reader = self._new_reader(settings, settings.prometheus_port if port is None else port)
            return self._reader

    def attach(self, settings: Settings, port: int) -> bool:
        """Make sure that the global meter provider feeds the page; False where it is not the SDK's and so cannot."""
        with self._lock:
            if self._reader is not None:
                return self._fed
            provider = get_meter_provider()
            if isinstance(provider, MeterProvider):
                provider.add_metric_reader(self.reader(settings, port))
            else:
                reader = self.reader(settings, port)
                try:
                    provider = MeterProvider(metric_readers=[reader])
                except ValueError:  # the variable has a text that the SDK does not take
                    provider = MeterProvider([reader], exemplar_filter=exemplar_filter(settings.exemplar_filter))
                set_meter_provider(provider)
            self._fed = get_meter_provider() is provider
            if self._fed:
                self.observe_process()
            return self._fed

    def observe_process(self) -> None:
        """Have the process itself observed, once the provider that feeds the page is in force; twice is as once."""
        with self._lock:
            if self._reader is not None and not self._observes_process:
                self._observes_process = True
                observe_process(distro_meter())
                observe_limits(distro_meter(), self._reader)

    def serve(self, settings: Settings, host: str, port: int) -> MetricsServer | None:
        """Serve the page at an address, now or as soon as no other process of the group does.

        Returns the server where this process serves, else None. Raises OSError where a stranger has the address and
        InputError where the page is to be protected and cannot be.
        """
        with self._lock:
            wish = self._wishes.get(port)
            if wish is None:
                seat = Seat(self._group.folder, f"port-{port}") if self._group is not None and port else None
                wish = _Wish(host, port, seat, Access.from_settings(settings))
                self._wishes[port] = wish
            if _is_closed(wish):
                wish.server = None
            try:
                self._fulfil(wish)
            except OSError:
                wish.warned = True
                raise
            finally:
                self._ticker.start()
            return wish.server

    def serving(self, port: int) -> MetricsServer | None:
        """Return the server of this process at the port, if there is one."""
        wish = self._wishes.get(port)
        return wish.server if wish and not _is_closed(wish) else None

    def close(self) -> None:
        """Stop every server, free its port and wish for none."""
        self._ticker.stop()
        self._close_servers()

    def _close_servers(self) -> None:
        with self._lock:
            while self._wishes:
                _, wish = self._wishes.popitem()
                if wish.server is not None:
                    wish.server.close()
                if wish.seat is not None:
                    wish.seat.leave()

    def tick(self) -> None:
        """Do what is to be done every second: take over from a process that died, observe, fold."""
        try:
            with self._lock:
                if self._reader is not None:
                    self._reader.store.hold()
                for wish in list(self._wishes.values()):
                    self._retry(wish)
                reader = self._reader
            now = time.monotonic()
            if reader is not None and now - self._observed >= _OBSERVE_EVERY:
                self._observed = now
                reader.observe()
                reader.store.watch()
                # Where a stranger has the port as well: else the files of the dead would add up.
                if any(wish.server or (wish.seat and wish.seat.taken) for wish in self._wishes.values()):
                    reader.fold()
        except Exception as error:  # noqa: BLE001 -- the next second tries again; the application must not see it
            _logger.debug("the metrics page was not tended: %r", error)

    def _new_reader(self, settings: Settings, port: int) -> PrometheusReader:
        sdk = metrics_sdk()
        if sdk is not None:
            install(sdk)
            self._group = groups.join(settings, settings.prometheus_host, port)
        group = self._group
        store = CellStore(group.new_file if group is not None else None)
        if group is not None:
            # At once, not with the first measurement: whoever comes next must see that the group lives.
            store.open()
            atexit.register(self._leave)
        os.register_at_fork(after_in_child=self._after_fork)
        folder = group.folder if group is not None else None
        return PrometheusReader(
            scope_labels=settings.scope_labels,
            registries=registries_of(settings),
            store=store,
            folder=folder,
            rules=GaugeRules(settings.gauge_rule, settings.gauge_rules),
            limits=Limits(settings.series_limit, dict(settings.series_limits), folder),
        )

    def _fulfil(self, wish: _Wish) -> None:
        if wish.server is None and self._reader is not None and (wish.seat is None or wish.seat.take()):
            wish.server = MetricsServer(self._reader.page, wish.host, wish.port, access=wish.access)

    def _retry(self, wish: _Wish) -> None:
        if _is_closed(wish):
            # By the application: not opened again by itself, and another process may have the port.
            if wish.seat is not None:
                wish.seat.leave()
            return
        try:
            self._fulfil(wish)
        except (OSError, InputError) as error:
            if not wish.warned:
                wish.warned = True
                warn_not_served(wish.host, wish.port, error)

    def _leave(self) -> None:
        """Leave the group at the end of the process: first the port, then the seat; the values stay for the others."""
        self._close_servers()
        self._ticker.end(_TICK_SECONDS)
        if self._reader is not None:
            with suppress(Exception):  # the process ends
                self._reader.observe_own()
            self._reader.store.close()
        if self._group is not None:
            self._group.leave()

    def _after_fork(self) -> None:
        self._lock = threading.RLock()
        for wish in self._wishes.values():
            if wish.server is not None:
                wish.server.forget()
                wish.server = None
            if wish.seat is not None:
                wish.seat.forget()
            wish.warned = False
        # Where there is no group, the parent serves its own values and the child cannot add to them.
        self._wishes = {port: wish for port, wish in self._wishes.items() if wish.seat is not None}
        if self._reader is not None:
            renew_meter_locks(get_meter_provider())
            self._reader.after_fork()
            if self._group is not None and os.geteuid() == 0 and "gunicorn.arbiter" in sys.modules:
                # A worker of root's becomes another user next, by `--user`, who can make and read no file here. No
                # other child makes one before it measures: it may never measure, or be a daemon that closes all.
                self._reader.store.reserve()
                self._reader.limits.full.look()
        self._observed = time.monotonic() - _OBSERVE_EVERY
        if self._wishes:
            self._ticker.start()


def _is_closed(wish: _Wish) -> bool:
    return wish.server is not None and wish.server.closed


page_service: Final = PageService()


def serve_page(settings: Settings) -> MetricsServer | None:
    """Serve the page at the address of the variables; where that cannot be, one warning and None."""
    try:
        return page_service.serve(settings, settings.prometheus_host, settings.prometheus_port)
    except (OSError, InputError) as error:
        warn_not_served(settings.prometheus_host, settings.prometheus_port, error)
        return None


def warn_not_served(host: str, port: int, error: Exception) -> None:
    """Warn that a page is not served."""
    reason = getattr(error, "strerror", None) or str(error)
    if isinstance(error, OSError):
        reason += f"; {mend_of(error)}"
    _logger.warning("metrics are not served on %s:%s: %s; the application runs on", host, port, reason)


def mend_of(error: OSError) -> str:
    """Return what helps where an address cannot be taken."""
    # EINVAL: an address of one link (fe80::) without its zone.
    if isinstance(error, socket.gaierror) or error.errno in (errno.EADDRNOTAVAIL, errno.EINVAL):
        return "name an address of this machine (OTEL_EXPORTER_PROMETHEUS_HOST)"
    if error.filename:  # of the folder that the processes share
        return f"let this process write to {error.filename}, or name another folder (OTEL_DISTRO_PROMETHEUS_DIR)"
    return "free the port or choose another one (OTEL_EXPORTER_PROMETHEUS_PORT)"

"""The shop as the demo's child: its folder, its ports, its start under `opentelemetry-instrument`, and its end."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path
from typing import Final

from examples.shop.page import Values, read_page

SHOP_PORT: Final = 5000
METRICS_PORT: Final = 8000


class DemoError(Exception):
    """The demo cannot go on; the message says why."""


class Files:
    """The demo's own folder: the log, what the shop prints, and a lock, as two demos in one would spoil each other."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.log = folder / "shop.log"
        self.output = folder / "shop.out"
        self._lock = (folder / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise DemoError(f"another demo runs in {folder}; end it, or name another folder with --folder") from None
        for old in folder.glob("shop.*"):  # what an earlier demo logged is no part of this one
            old.unlink()

    def tail(self) -> str:
        """Return the end of what the shop has printed."""
        return "\n".join(self.output.read_text(errors="replace").splitlines()[-15:])


class Shop:
    """The shop as a process of its own, started as the README says."""

    def __init__(self, port: int, metrics_port: int, files: Files) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.metrics_url = f"http://localhost:{metrics_port}/metrics"
        self._port = port
        self.log = files.log
        self._files = files
        instrument = shutil.which("opentelemetry-instrument", path=str(Path(sys.executable).parent))
        if instrument is None:
            raise DemoError(f"opentelemetry-instrument is not installed beside {sys.executable}")
        # What the caller has set for other services would make this another demo.
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "SHOP_"))}
        environment["OTEL_SERVICE_NAME"] = "shop"
        environment["OTEL_EXPORTER_PROMETHEUS_PORT"] = str(metrics_port)
        environment["OTEL_DISTRO_LOG_FILE"] = str(files.log)
        if port != SHOP_PORT:
            environment["SHOP_PORT"] = str(port)
        with files.output.open("wb") as output:
            self._process = subprocess.Popen(
                [instrument, sys.executable, "examples/shop/app.py"],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # the terminal's Ctrl-C is for the demo, which ends the shop afterwards
            )

    def wait_until_up(self, stop: threading.Event, seconds: float = 60.0) -> None:
        """Wait until shop and metrics page answer; raises DemoError when they do not."""
        deadline = time.monotonic() + seconds
        while not stop.is_set():
            self.check_alive()
            with suppress(OSError, HTTPException, ValueError):
                # No request to the shop: it would be counted and is not in the ledger.
                socket.create_connection(("127.0.0.1", self._port), timeout=1).close()
                read_page(self.metrics_url)
                return
            if time.monotonic() > deadline:
                raise DemoError(f"no answer from the shop within {seconds:.0f} s; its output:\n{self._files.tail()}")
            stop.wait(0.1)

    def check_alive(self) -> None:
        """Raise DemoError when the shop has ended."""
        if (status := self._process.poll()) is not None:
            raise DemoError(f"the shop ended with status {status}; its output:\n{self._files.tail()}")

    def read_metrics(self) -> Values:
        """Return what the metrics page says; raises DemoError when it does not answer any more."""
        try:
            return read_page(self.metrics_url)
        except (OSError, HTTPException) as error:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(2)  # it may be on its way out
            self.check_alive()
            raise DemoError(f"{self.metrics_url} does not answer any more: {error}") from None

    def end(self) -> None:
        """End the shop: ask, and after five seconds kill."""
        self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


def choose_port(wanted: int, what: str) -> int:
    """Return the wanted port of this machine, or a free one where it is taken."""
    for port in (wanted, 0):
        with socket.socket() as probe, suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            found = int(probe.getsockname()[1])
            if found != wanted:
                print(f"port {wanted} is taken: the {what} is on {found}")
            return found
    raise DemoError(f"there is no free port for the {what}")

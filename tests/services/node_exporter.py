"""A real node exporter: found or fetched, and started on 127.0.0.1 with the collectors that a test wants."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path
from typing import Final

from tests.services import debian, lookup
from tests.services.server import Server
from tests.support import free_port, request

VARIABLE: Final = "OTEL_DISTRO_NODE_EXPORTER"

WANTED: Final = lookup.Wanted(
    name="node_exporter",
    variable=VARIABLE,
    programs={"node_exporter": ["node_exporter", "prometheus-node-exporter"]},
    fetch=lambda: debian.fetch("prometheus-node-exporter") / "usr" / "bin",
    mend="Install the node exporter 1.5 or newer",
)


def find() -> dict[str, Path]:
    """Return the path of `node_exporter`: from `$OTEL_DISTRO_NODE_EXPORTER`, PATH, the cache, or fetched.

    Raises ServiceError naming what was tried and the mend.
    """
    return lookup.locate(WANTED)


class NodeExporter(Server):
    """One node exporter; its port stays the same from `start` to `start`."""

    name = "node_exporter"

    def __init__(self, binary: Path, *, flags: Sequence[str] = ()) -> None:
        """Prepare it with these flags; nothing runs yet."""
        super().__init__()
        self.address = f"127.0.0.1:{free_port()}"
        self.url = f"http://{self.address}"
        self._command: list[str | Path] = [binary, f"--web.listen-address={self.address}", *flags]

    def command(self) -> Sequence[str | Path]:
        """Return the command with its flags."""
        return self._command

    def ready(self) -> bool:
        """Whether it answers."""
        with suppress(OSError, HTTPException):
            return request(f"{self.url}/", seconds=5).status == 200
        return False

    @property
    def page(self) -> str:
        """The text of its metrics page."""
        return request(f"{self.url}/metrics", seconds=30).text

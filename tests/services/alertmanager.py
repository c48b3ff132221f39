"""A real Alertmanager with its amtool: found or built, started with a configuration, asked for its alerts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path
from typing import Any, Final

from tests.services import commands, golang, lookup
from tests.services.server import Server
from tests.support import free_port, request

VARIABLE: Final = "OTEL_DISTRO_ALERTMANAGER"
# The last release whose Go module carries its templates and its page; Debian's package is no use without installing it,
# as its programs look for both under /usr/share.
VERSION: Final = "0.28.1"
_PACKAGE: Final = "github.com/prometheus/alertmanager/cmd"

WANTED: Final = lookup.Wanted(
    name="alertmanager",
    variable=VARIABLE,
    programs={"alertmanager": ["alertmanager", "prometheus-alertmanager"], "amtool": ["amtool"]},
    fetch=lambda: golang.fetch("alertmanager", VERSION, f"{_PACKAGE}/alertmanager", f"{_PACKAGE}/amtool"),
    mend="Install Go, or Alertmanager with amtool beside it",
)


def find() -> dict[str, Path]:
    """Return the paths of `alertmanager` and `amtool`: from `$OTEL_DISTRO_ALERTMANAGER`, PATH, the cache, or built.

    Raises ServiceError naming what was tried and the mend.
    """
    return lookup.locate(WANTED)


def amtool(*arguments: str | Path) -> str:
    """Run amtool and return what it says; raises AssertionError with that when it ends with an error."""
    return commands.judge(find()["amtool"], *arguments)


class Alertmanager(Server):
    """One Alertmanager without peers; its port stays from `start` to `start`.

    So do its silences and notification log after `stop`; after `kill`, those of its last snapshot (every 15 minutes).
    """

    name = "alertmanager"

    def __init__(self, binary: Path, config: str, folder: Path, *, flags: Sequence[str] = ()) -> None:
        """Write the configuration into `folder`, where its data goes too; nothing runs yet."""
        super().__init__()
        folder.mkdir(parents=True, exist_ok=True)
        self.file = folder / "alertmanager.yml"
        self.file.write_text(config)
        self._folder = folder
        self._address = f"127.0.0.1:{free_port()}"
        self._command: list[str | Path] = [
            binary,
            f"--config.file={self.file}",
            f"--storage.path={folder / 'data'}",
            f"--web.listen-address={self._address}",
            "--cluster.listen-address=",
            *flags,
        ]
        self.url = f"http://{self._address}"

    def command(self) -> Sequence[str | Path]:
        """Return the command with its flags."""
        return self._command

    def folder(self) -> Path:
        """Return its own folder."""
        return self._folder

    def ready(self) -> bool:
        """Whether it says so."""
        with suppress(OSError, HTTPException):
            return request(f"{self.url}/-/ready", seconds=5).status == 200
        return False

    def alerts(self) -> list[dict[str, Any]]:
        """Return the alerts that fire, as its API version 2 gives them."""
        alerts: list[dict[str, Any]] = self._api("GET", "alerts")
        return alerts

    def silences(self) -> list[str]:
        """Return the ids of the silences that hold."""
        return [silence["id"] for silence in self._api("GET", "silences") if silence["status"]["state"] == "active"]

    def post(self, alerts: Sequence[dict[str, Any]]) -> None:
        """Give it alerts as Prometheus does: each with `labels`, perhaps `annotations`, `startsAt` and `endsAt`."""
        self._api("POST", "alerts", alerts)

    def reload(self) -> None:
        """Read the configuration in `file` again; raises AssertionError with its words when it refuses."""
        answer = request(f"{self.url}/-/reload", method="POST")
        assert answer.status == 200, f"{answer.text}\n{self.log}"

    def _api(self, method: str, path: str, body: Any = None) -> Any:
        sent = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        answer = request(f"{self.url}/api/v2/{path}", method=method, headers=headers, body=sent)
        assert answer.status == 200, f"{method} {path}: {answer.status} {answer.text}"
        return json.loads(answer.body) if answer.body else None

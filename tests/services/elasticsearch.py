"""A real Elasticsearch: found or fetched, started on 127.0.0.1, asked, broken, and started again with its data."""

from __future__ import annotations

import json
import secrets
import shutil
import ssl
from collections.abc import Mapping, Sequence
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path
from typing import ClassVar, Final

from tests.certificates import Certificates
from tests.services import cache, commands, lookup
from tests.services.elasticsearch_client import Client, basic
from tests.services.elasticsearch_place import QUICK_START, Place
from tests.services.server import Server
from tests.support import free_port

VARIABLE: Final = "OTEL_DISTRO_ELASTICSEARCH"
VERSION: Final = "9.5.3"
# The server alone, with its launcher and the x-pack core, as Elastic publishes it for tests of other projects.
_ARTIFACT: Final = f"org.elasticsearch.distribution.integ-test-zip:elasticsearch:{VERSION}:zip"
_PLUGIN: Final = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:unpack"
_JAVA: Final = f"-Xms512m -Xmx512m -XX:-AlwaysPreTouch -XX:+UseSerialGC {QUICK_START}"
_SETTINGS: Final = {
    "cluster.name": "tests",
    "discovery.type": "single-node",
    "http.host": "127.0.0.1",
    "transport.host": "127.0.0.1",
    "transport.port": "0",
    "xpack.security.enabled": "false",
    # A machine whose disk is nearly full would make every index read-only.
    "cluster.routing.allocation.disk.threshold_enabled": "false",
}
_SECURED: Final = {
    "xpack.security.enabled": "true",
    "xpack.security.http.ssl.enabled": "true",
    "xpack.security.http.ssl.certificate": "server.pem",
    "xpack.security.http.ssl.key": "server.key",
}


def find() -> dict[str, Path]:
    """Return the home folder as `elasticsearch`: from `$OTEL_DISTRO_ELASTICSEARCH`, PATH, the cache, or fetched.

    Raises ServiceError naming what was tried and the mend.
    """
    program = lookup.locate(WANTED)["elasticsearch"]
    return {"elasticsearch": program.resolve().parent.parent}


def _fetch() -> Path:
    def fill(folder: Path) -> None:
        commands.need("mvn", why="Maven fetches it")
        # What a killed run has unpacked may be half of it; what it has fetched Maven keeps for itself.
        for path in folder.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        unpack = ["mvn", "--batch-mode", _PLUGIN, f"-Dartifact={_ARTIFACT}", f"-DoutputDirectory={folder}"]
        commands.run(*unpack, cwd=folder, what=f"elasticsearch: fetching {VERSION} (132 MB) with Maven")
        remains = list(folder.iterdir())  # Maven's own marks are among them
        for path in (folder / f"elasticsearch-{VERSION}").iterdir():
            path.rename(folder / path.name)
        for path in remains:
            shutil.rmtree(path)

    return cache.obtain("elasticsearch", VERSION, fill) / "bin"


WANTED: Final = lookup.Wanted(
    name="elasticsearch",
    variable=VARIABLE,
    programs={"elasticsearch": ["elasticsearch"]},
    fetch=_fetch,
    mend="Install Maven with a Java, or Elasticsearch 9",
)


class Elasticsearch(Server, Client):
    """One server of one node, on a port and with data that stay the same from `start` to `start`."""

    name = "elasticsearch"
    start_seconds: ClassVar[float] = 180.0

    def __init__(
        self,
        home: Path,
        *,
        port: int = 0,
        security: Certificates | None = None,
        settings: Mapping[str, str] | None = None,
        java_options: str = "",
    ) -> None:
        """Prepare a server with a folder of its own, on a port (0: a free one); nothing runs yet.

        With `security` it serves TLS as their `server` and wants credentials: the user `elastic` has `password`.
        `settings` are further lines of elasticsearch.yml; `java_options` come after those that keep it small.
        Raises ServiceError where no Java 21 is to be had.
        """
        Server.__init__(self)
        self.port = port or free_port()
        self.password = secrets.token_urlsafe(12) if security else ""
        self._java_options = f"{_JAVA} {java_options}".strip()
        kind = {**_SETTINGS, **(_SECURED if security else {}), "http.port": str(self.port)}
        self._place = Place(home, {**kind, **(settings or {})})
        if security:
            self._place.secure(security, self.password)
        Client.__init__(
            self,
            f"{'https' if security else 'http'}://127.0.0.1:{self.port}",
            authorization=basic("elastic", self.password) if security else "",
            tls=ssl.create_default_context(cafile=security.authority.certificate) if security else None,
        )

    def command(self) -> Sequence[str | Path]:
        """Return its own launcher."""
        return self._place.command("elasticsearch")

    def environment(self) -> Mapping[str, str]:
        """Return its folders, its Java and how big that may be."""
        return {**self._place.environment(), "ES_JAVA_OPTS": self._java_options}

    def folder(self) -> Path:
        """Return its own folder."""
        return self._place.folder

    def ready(self) -> bool:
        """Whether the cluster has all primary shards."""
        with suppress(OSError, HTTPException):
            answer = self.respond("GET", "/_cluster/health", seconds=5)
            return answer.status == 200 and json.loads(answer.body)["status"] in ("green", "yellow")
        return False

    def close(self) -> None:
        """Kill it and remove its data."""
        super().close()
        self._place.remove()

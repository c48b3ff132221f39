"""A real Elasticsearch: found or fetched, started on 127.0.0.1, asked, broken, and started again with its data."""

from __future__ import annotations

import base64
import json
import os
import re
import secrets
import shutil
import ssl
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any, ClassVar, Final

from tests.certificates import Certificates
from tests.services import cache, commands, java, lookup
from tests.services.server import Server
from tests.support import Response, free_port, request

VARIABLE: Final = "OTEL_DISTRO_ELASTICSEARCH"
VERSION: Final = "9.5.3"
# The server alone, with its launcher and the x-pack core, as Elastic publishes it for tests of other projects.
_ARTIFACT: Final = f"org.elasticsearch.distribution.integ-test-zip:elasticsearch:{VERSION}:zip"
_PLUGIN: Final = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:unpack"
_NOBODY: Final = 65534
_JAVA: Final = "-Xms512m -Xmx512m -XX:-AlwaysPreTouch -XX:+UseSerialGC -XX:TieredStopAtLevel=1"
# Lines of jvm.options that choose another collector, write big files, or name a module this server does not have.
_UNWANTED_OPTION: Final = re.compile(r"Xlog:gc|UseG1GC|HeapDump|arrow")
_PAGE: Final = 1000


def find() -> dict[str, Path]:
    """Return the home folder as `elasticsearch`: from `$OTEL_DISTRO_ELASTICSEARCH`, PATH, the cache, or fetched.

    Raises ServiceError naming what was tried and the mend.
    """
    program = lookup.find(WANTED)["elasticsearch"]
    return {"elasticsearch": program.resolve().parent.parent}


def _fetch() -> Path:
    def fill(folder: Path) -> None:
        commands.need("mvn", why="Maven fetches it")
        output = f"-DoutputDirectory={folder}"
        commands.run(
            "mvn",
            "--batch-mode",
            _PLUGIN,
            f"-Dartifact={_ARTIFACT}",
            output,
            cwd=folder,
            what=f"elasticsearch: fetching {VERSION} (132 MB) with Maven",
        )
        for path in (folder / f"elasticsearch-{VERSION}").iterdir():
            path.rename(folder / path.name)

    return cache.obtain("elasticsearch", VERSION, fill) / "bin"


WANTED: Final = lookup.Wanted(
    name="elasticsearch",
    variable=VARIABLE,
    programs={"elasticsearch": ["elasticsearch"]},
    fetch=_fetch,
    mend="Install Maven with a Java, or Elasticsearch 9",
)


@dataclass(frozen=True)
class Document:
    """One stored document."""

    index: str
    id: str
    source: dict[str, Any]


@dataclass(frozen=True)
class ApiKey:
    """An API key: its id, by which it is invalidated, and what a client sends after `ApiKey`."""

    id: str
    encoded: str


class Elasticsearch(Server):
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
        super().__init__()
        self.port = port or free_port()
        self.security = security
        self.password = secrets.token_urlsafe(12) if security else ""
        self.authorization = _basic("elastic", self.password) if security else ""
        self.tls = ssl.create_default_context(cafile=security.authority.certificate) if security else None
        self.url = f"{'https' if security else 'http'}://127.0.0.1:{self.port}"
        self._place = Path(tempfile.mkdtemp(prefix="elasticsearch-"))
        self._java_options = f"{_JAVA} {java_options}".strip()
        self._java_home = java.home(home)
        self._home = self._reachable(home)
        self._configure(settings or {})

    def command(self) -> Sequence[str | Path]:
        """Return its own launcher, as a user without rights where we are root, since it refuses to run as root."""
        return [*self._unprivileged(), self._home / "bin" / "elasticsearch"]

    def environment(self) -> Mapping[str, str]:
        """Return its folders and its Java."""
        folders = {"ES_PATH_CONF": str(self._place / "config"), "ES_TMPDIR": str(self._place / "tmp")}
        return {**folders, "ES_JAVA_HOME": str(self._java_home), "ES_JAVA_OPTS": self._java_options}

    def folder(self) -> Path:
        """Return its own folder."""
        return self._place

    def ready(self) -> bool:
        """Whether the cluster has all primary shards."""
        with suppress(OSError, HTTPException):
            answer = self.respond("GET", "/_cluster/health", seconds=5)
            return answer.status == 200 and json.loads(answer.body)["status"] in ("green", "yellow")
        return False

    def close(self) -> None:
        """Kill it and remove its data."""
        super().close()
        shutil.rmtree(self._place, ignore_errors=True)

    def respond(
        self, method: str, path: str, body: Any = None, *, authorization: str | None = None, seconds: float = 60.0
    ) -> Response:
        """Send one request and return the answer, whatever its status; raises OSError where nobody answers.

        `body` is sent as JSON, a `str` as it is (NDJSON). `authorization` stands in for that of the user `elastic`.
        """
        headers = {"Content-Type": "application/x-ndjson" if isinstance(body, str) else "application/json"}
        if authorization if authorization is not None else self.authorization:
            headers["Authorization"] = self.authorization if authorization is None else authorization
        data = None if body is None else body.encode() if isinstance(body, str) else json.dumps(body).encode()
        return request(self.url + path, method=method, headers=headers, body=data, seconds=seconds, tls=self.tls)

    def request(self, method: str, path: str, body: Any = None) -> Any:
        """Send one request and return the JSON of its answer; raises AssertionError with it on an error status."""
        answer = self.respond(method, path, body)
        assert answer.status < 400, f"{method} {path}: {answer.status} {answer.text}"
        return json.loads(answer.body) if answer.body else None

    def refresh(self, index: str = "_all") -> None:
        """Make everything stored until now visible to searches."""
        self.request("POST", f"/{index}/_refresh?ignore_unavailable=true")

    def count(self, index: str) -> int:
        """Return the number of documents stored in the indices of this name or pattern; 0 where there is none."""
        self.refresh(index)
        return int(self.request("GET", f"/{index}/_count?ignore_unavailable=true")["count"])

    def documents(self, index: str) -> list[Document]:
        """Return every document stored in the indices of this name or pattern, however many."""
        self.refresh(index)
        return list(self._all(index))

    def delete(self, index: str) -> None:
        """Delete the indices of this name or pattern, if there are any."""
        for name in self.request("GET", f"/{index}?ignore_unavailable=true&expand_wildcards=all"):
            self.request("DELETE", f"/{name}")

    def create_api_key(self, name: str, roles: Mapping[str, Any] | None = None) -> ApiKey:
        """Make an API key with these role descriptors (none: the rights of `elastic`); needs `security`."""
        key = self.request("POST", "/_security/api_key", {"name": name, "role_descriptors": dict(roles or {})})
        return ApiKey(key["id"], key["encoded"])

    def invalidate_api_key(self, key: ApiKey) -> None:
        """Take every right from the key, for ever."""
        self.request("DELETE", "/_security/api_key", {"ids": [key.id]})

    def _all(self, index: str) -> Iterator[Document]:
        opened = self.request("POST", f"/{index}/_pit?keep_alive=1m&ignore_unavailable=true")["id"]
        search: dict[str, Any] = {"size": _PAGE, "sort": ["_shard_doc"], "track_total_hits": False}
        try:
            while True:
                answer = self.request("POST", "/_search", {**search, "pit": {"id": opened, "keep_alive": "1m"}})
                opened, hits = answer["pit_id"], answer["hits"]["hits"]
                if not hits:
                    return
                yield from (Document(hit["_index"], hit["_id"], hit["_source"]) for hit in hits)
                search["search_after"] = hits[-1]["sort"]
        finally:
            self.request("DELETE", "/_pit", {"id": opened})

    def _unprivileged(self) -> list[str]:
        if os.geteuid() != 0:
            return []
        commands.need("setpriv", why="Elasticsearch does not run as root; it is part of util-linux")
        return ["setpriv", f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups"]

    def _reachable(self, home: Path) -> Path:
        """Return a copy of the home that the other user can reach, since root's own folders are closed to it."""
        if os.geteuid() != 0:
            return home
        self._place.chmod(0o755)
        shutil.copytree(home, self._place / "home", copy_function=_link, ignore=shutil.ignore_patterns("logs"))
        return self._place / "home"

    def _configure(self, settings: Mapping[str, str]) -> None:
        config = self._place / "config"
        for folder in (config, self._place / "data", self._place / "logs", self._place / "tmp"):
            folder.mkdir()
        shutil.copy(self._home / "config" / "log4j2.properties", config)
        options = (self._home / "config" / "jvm.options").read_text().splitlines(keepends=True)
        (config / "jvm.options").write_text("".join(line for line in options if not _UNWANTED_OPTION.search(line)))
        lines = {**self._settings(), **self._secured(config), **settings}
        (config / "elasticsearch.yml").write_text("".join(f"{name}: {value}\n" for name, value in lines.items()))
        self._give_away()
        if self.security:
            (self._place / "password").write_text(self.password)
            self._keystore("create")
            self._keystore("add-file", "bootstrap.password", str(self._place / "password"))

    def _settings(self) -> dict[str, str]:
        return {
            "cluster.name": "tests",
            "discovery.type": "single-node",
            "http.host": "127.0.0.1",
            "http.port": str(self.port),
            "transport.host": "127.0.0.1",
            "transport.port": "0",
            "path.data": str(self._place / "data"),
            "path.logs": str(self._place / "logs"),
            "xpack.security.enabled": "false",
            # A machine whose disk is nearly full would make every index read-only.
            "cluster.routing.allocation.disk.threshold_enabled": "false",
        }

    def _secured(self, config: Path) -> dict[str, str]:
        if self.security is None:
            return {}
        shutil.copy(self.security.server.certificate, config / "server.pem")
        shutil.copy(self.security.server.key, config / "server.key")
        return {
            "xpack.security.enabled": "true",
            "xpack.security.http.ssl.enabled": "true",
            "xpack.security.http.ssl.certificate": "server.pem",
            "xpack.security.http.ssl.key": "server.key",
        }

    def _keystore(self, *arguments: str) -> None:
        program = self._home / "bin" / "elasticsearch-keystore"
        commands.run(*self._unprivileged(), program, *arguments, cwd=self._place, env=self.environment(), seconds=120)

    def _give_away(self) -> None:
        if os.geteuid() == 0:
            for name in ("config", "data", "logs", "tmp"):
                for path in (self._place / name, *(self._place / name).rglob("*")):
                    os.chown(path, _NOBODY, _NOBODY)


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def _link(source: str, target: str) -> None:
    """Give the file a second name, or copy it where the folders are on different disks."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)

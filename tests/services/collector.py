"""A real OpenTelemetry Collector: found or built, started with configurations, asked for its metrics, broken."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path
from typing import Final

from prometheus_client.parser import text_string_to_metric_families

from tests.processes import ROOT, clean_environment
from tests.services import cache, commands, golang, lookup
from tests.services.server import Server
from tests.support import free_ports, request

VARIABLE: Final = "OTEL_DISTRO_OTELCOL"
VERSION: Final = "0.156.0"
_BUILDER: Final = "go.opentelemetry.io/collector/cmd/builder"
COMPONENTS: Final = ROOT / "collector-config" / "builder.yaml"
# Records that the checksum database does not have; the builder's own `go mod tidy` adds the others, checked there.
_CHECKSUMS: Final = ROOT / "collector-config" / "builder.sum"
# The addresses that configurations take from variables; each is a free port of 127.0.0.1 unless the caller gives one.
_ENDPOINTS: Final = (
    "OTLP_GRPC_ENDPOINT",
    "OTLP_HTTP_ENDPOINT",
    "TCP_ENDPOINT",
    "PROMETHEUS_ENDPOINT",
    "HEALTH_ENDPOINT",
)
_TELEMETRY_PORT: Final = "TELEMETRY_PORT"


def find() -> dict[str, Path]:
    """Return the path of `otelcol`: from `$OTEL_DISTRO_OTELCOL`, PATH, the cache, or built (minutes, once).

    Raises ServiceError naming what was tried and the mend.
    """
    return lookup.locate(WANTED)


def _fetch() -> Path:
    key = hashlib.sha256(COMPONENTS.read_bytes() + _CHECKSUMS.read_bytes()).hexdigest()[:12]
    return cache.obtain("otelcol", f"{VERSION}-{key}", _build)


def _build(folder: Path) -> None:
    """Build it into the folder; what Go has fetched and compiled is in Go's own caches, so the next try goes on."""
    source = folder / "dist"
    source.mkdir(exist_ok=True)
    shutil.copy(COMPONENTS, folder / "builder.yaml")
    shutil.copy(_CHECKSUMS, source / "go.sum")
    golang.install(folder, "otelcol: 1 of 3, the Collector's builder", VERSION, _BUILDER)
    command = (folder / "builder", "--config=builder.yaml", "--skip-compilation")
    commands.run(*command, cwd=folder, what="otelcol: 2 of 3, fetching its modules")
    compiled = ["go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", str(folder / "otelcol"), "."]
    commands.run(*compiled, cwd=source, what="otelcol: 3 of 3, compiling (several minutes the first time)")
    shutil.rmtree(source)
    (folder / "builder").unlink()


WANTED: Final = lookup.Wanted(
    name="otelcol",
    variable=VARIABLE,
    programs={"otelcol": ["otelcol-contrib", "otelcol"]},
    fetch=_fetch,
    mend=f"Install Go 1.25 or newer, or the contrib distribution {VERSION} of the Collector",
)


def validate(*configs: Path | str, env: Mapping[str, str] | None = None) -> str:
    """Let the Collector judge the configurations as one and return what it says; AssertionError when it refuses."""
    files = [f"--config={config}" for config in configs]
    return commands.judge(find()["otelcol"], "validate", *files, env=clean_environment(env))


class Collector(Server):
    """One Collector with these configurations; ports and storage folder stay the same from `start` to `start`.

    Configurations find in their environment `OTLP_GRPC_ENDPOINT`, `OTLP_HTTP_ENDPOINT`, `TCP_ENDPOINT`,
    `PROMETHEUS_ENDPOINT`, `HEALTH_ENDPOINT` (each host:port), `TELEMETRY_PORT` and `STORAGE_DIR`, unless `env` has
    them; they must serve health_check at `HEALTH_ENDPOINT` and their own metrics at `TELEMETRY_PORT`.
    """

    name = "otelcol"

    def __init__(
        self,
        binary: Path,
        configs: Sequence[Path | str],
        folder: Path,
        env: Mapping[str, str] | None = None,
        *,
        flags: Sequence[str] = (),
    ) -> None:
        """Prepare a Collector that works in `folder` with `env` laid over its variables; nothing runs yet."""
        super().__init__()
        self.binary = binary
        self._arguments = [*(f"--config={config}" for config in configs), *flags]
        self._folder = folder
        ports = free_ports(len(_ENDPOINTS) + 1)
        self.env: dict[str, str] = {
            **{name: f"127.0.0.1:{port}" for name, port in zip(_ENDPOINTS, ports, strict=False)},
            _TELEMETRY_PORT: str(ports[-1]),
            "STORAGE_DIR": str(folder / "storage"),
            **(env or {}),
        }
        Path(self.env["STORAGE_DIR"]).mkdir(parents=True, exist_ok=True)

    def command(self) -> Sequence[str | Path]:
        """Return the command with all configurations and flags."""
        return [self.binary, *self._arguments]

    def environment(self) -> Mapping[str, str]:
        """Return the variables that the configurations take."""
        return self.env

    def folder(self) -> Path:
        """Return the folder it works in."""
        return self._folder

    def ready(self) -> bool:
        """Whether its health check says that every pipeline has started."""
        with suppress(OSError, HTTPException):
            return request(f"http://{self.env['HEALTH_ENDPOINT']}/", seconds=5).status == 200
        return False

    @property
    def otlp_http(self) -> str:
        """URL of its OTLP receiver over HTTP, without a path."""
        return f"http://{self.env['OTLP_HTTP_ENDPOINT']}"

    @property
    def otlp_grpc(self) -> str:
        """URL of its OTLP receiver over gRPC."""
        return f"http://{self.env['OTLP_GRPC_ENDPOINT']}"

    @property
    def metrics(self) -> str:
        """The page of its own metrics."""
        return request(f"http://127.0.0.1:{self.env[_TELEMETRY_PORT]}/metrics", seconds=60).text

    def metric(self, name: str, **labels: str) -> float:
        """Return the sum of the samples of this name, with or without `_total`, with these labels; 0 without any."""
        plain = name.removesuffix("_total")  # the parser gives every counter that ending
        return sum(
            sample.value
            for family in text_string_to_metric_families(self.metrics)
            for sample in family.samples
            if sample.name.removesuffix("_total") == plain and labels.items() <= sample.labels.items()
        )

"""A real Prometheus: found or fetched, started on a free port of 127.0.0.1 with a configuration, asked, stopped."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

from typing_extensions import Self

from tests.processes import AppProcess
from tests.services import commands, debian, lookup
from tests.services.errors import ServiceError
from tests.support import request, wait_for_http, wait_until

VARIABLE: Final = "OTEL_DISTRO_PROMETHEUS"
_AGENTS: Final = frozenset(("--enable-feature=agent", "--agent"))
_LISTENING: Final = re.compile(r"Listening on.*address=127\.0\.0\.1:(\d+)")
# Prometheus moves a scrape's timestamp by at most this much to even out its interval (scrape.ScrapeTimestampTolerance).
_ALIGNMENT_SECONDS: Final = 0.002
_START_SECONDS: Final = 60.0


class Generation(NamedTuple):
    """The Prometheus of a generation, and the flag that makes an agent of it."""

    binary: Path
    agent: str


@dataclass(frozen=True)
class Sample:
    """One series of an answer and its value."""

    labels: Mapping[str, str]
    value: float


WANTED: Final = lookup.Wanted(
    name="prometheus",
    variable=VARIABLE,
    programs={"prometheus": ["prometheus"], "promtool": ["promtool"]},
    fetch=lambda: debian.fetch("prometheus") / "usr" / "bin",
    mend="Install Prometheus 2.42 or newer with promtool beside it",
)


def find() -> dict[str, Path]:
    """Return the paths of `prometheus` and `promtool`: from `$OTEL_DISTRO_PROMETHEUS`, PATH, the cache, or fetched.

    Raises ServiceError naming what was tried and the mend.
    """
    return lookup.locate(WANTED)


def promtool(*arguments: str | Path, stdin: str = "") -> str:
    """Run promtool and return what it says; raises AssertionError with that when it ends with an error."""
    return commands.judge(find()["promtool"], *arguments, stdin=stdin)


class Prometheus:
    """One running Prometheus; as a context manager it is ready inside the block and gone after it."""

    def __init__(self, binary: Path, config: str, folder: Path, *, flags: Sequence[str] = ()) -> None:
        """Write the configuration into `folder` (a test's own; data goes there too), start, wait until it is ready.

        Files that the configuration names are looked for in `folder`. With the flag of the agent it keeps nothing.
        Raises ServiceError with the log on failure.
        """
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / "prometheus.yml"
        file.write_text(config)
        self._process = AppProcess(
            [
                binary,
                f"--config.file={file}",
                f"--storage.{'agent' if _AGENTS & {*flags} else 'tsdb'}.path={folder / 'data'}",
                # Port 0: the kernel picks one at the moment of listening, so no other program can be faster.
                "--web.listen-address=127.0.0.1:0",
                "--web.enable-lifecycle",
                *flags,
            ],
            cwd=folder,
        )
        try:
            port = wait_until(self._port, _START_SECONDS, what="Prometheus to listen")
            self.url = f"http://127.0.0.1:{port}"
            wait_for_http(f"{self.url}/-/ready", _START_SECONDS)
        except (AssertionError, ServiceError) as error:
            log = self.log
            self._process.close()
            raise ServiceError(f"prometheus: does not start: {error}\n{log}") from None

    @property
    def log(self) -> str:
        """What it logged until now."""
        return self._process.report

    @property
    def complaints(self) -> list[str]:
        """The lines of its log that warn or tell of an error."""
        return [line for line in self.log.splitlines() if re.search("level=(warn|error)", line, re.IGNORECASE)]

    def api(self, path: str, **parameters: str) -> Any:
        """Return `data` of an answer of the HTTP API (`query`, `targets`, `rules`, ...); AssertionError on an error."""
        url = f"{self.url}/api/v1/{path}" + ("?" + urlencode(parameters) if parameters else "")
        answer = request(url, seconds=30)
        body = json.loads(answer.body)
        assert answer.status == 200, f"{url}: {body}"
        return body["data"]

    def query(self, expression: str, *, at: float | None = None) -> list[Sample]:
        """Evaluate an instant query now, or `at` a time (Unix seconds); labels are all of the series' labels."""
        data = self.api("query", query=expression, **({} if at is None else {"time": repr(at)}))
        if data["resultType"] == "scalar":
            return [Sample({}, float(data["result"][1]))]
        return [Sample(row["metric"], float(row["value"][1])) for row in data["result"]]

    def value(self, expression: str, *, at: float | None = None) -> float:
        """Return the one value of an expression; AssertionError unless exactly one series answers."""
        samples = self.query(expression, at=at)
        assert len(samples) == 1, f"{expression}: {len(samples)} series: {samples}"
        return samples[0].value

    def wait_for_scrape(self, job: str, scrapes: int = 1, timeout: float = 60.0) -> float:
        """Wait until every target of the job was scraped `scrapes` times with success, each begun after this call.

        What the application counted before the call can be asked for after it: surely `at` the time that is returned,
        which is that of the target read first, since one that cannot be read in time later on has no series then. A new
        Prometheus takes 5 seconds to its first scrape whatever the interval (its discovery manager collects changes
        that long). Raises AssertionError with the target's last error when one scrape takes longer than `timeout`
        seconds.
        """
        since = time.time() + _ALIGNMENT_SECONDS
        for _ in range(scrapes):
            since = wait_until(
                partial(self._scraped, job, since),
                timeout,
                what=lambda: f"a scrape of job {job!r}: {self._targets(job)}",
                every=0.05,
            )
        return since

    def reload(self) -> None:
        """Read the configuration and rule files again, which the test has changed in `folder`."""
        answer = request(f"{self.url}/-/reload", method="POST")
        assert answer.status == 200, f"{answer.text}\n{self.log}"

    def close(self) -> None:
        """Stop it."""
        self._process.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.__exit__(kind, error, trace)

    def _port(self) -> int:
        found = _LISTENING.search(self._process.stderr)
        if found is None and not self._process.running:
            raise ServiceError(f"it ended with status {self._process.returncode}")
        return int(found[1]) if found else 0

    def _scraped(self, job: str, since: float) -> float:
        """Return when the slowest target of the job was scraped, or 0 unless all were, with success, after `since`."""
        up = f"up{{job={json.dumps(job)}}}"
        # One query: between two of them a scrape may fail. A failed one has the time 0 here.
        times = [sample.value for sample in self.query(f"timestamp({up}) * {up}")]
        if not times or min(times) <= since or len(times) < len(self._targets(job)):
            return 0.0
        return min(times)

    def _targets(self, job: str) -> list[str]:
        return [
            f"{target['scrapeUrl']} is {target['health']} {target['lastError']}".strip()
            for target in self.api("targets")["activeTargets"]
            if target["scrapePool"] == job
        ]

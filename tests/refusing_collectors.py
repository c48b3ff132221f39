"""Collectors with the project's configuration that refuse every log record, one for each of its parts that can."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from tests.agent import AGENT, SYNCHRONOUS, line
from tests.services.collector import Collector
from tests.support import wait_until

COUNTERS: Final = {
    "disk": "otelcol_exporter_send_failed_log_records",
    "memory": "otelcol_processor_memory_limiter_refused_log_records",
    "queue": "otelcol_exporter_enqueue_failed_log_records",
}
"""What each of them lacks room on, and who counts that."""
# A file is tried again within a second, not five: more than once in a window of rules at a sixtieth of their pace.
_SOON: Final = "yaml:receivers::file_log::retry_on_failure::max_interval: 500ms"
# In `queue` there is room for an empty database; the line of a file is larger.
_STORAGE: Final = "yaml:extensions::file_storage::max_size: ${env:STORAGE_BYTES:-0}"
_ROOM: Final = {"MEMORY_LIMIT_MIB": "512", "MEMORY_SPIKE_MIB": "128", "STORAGE_BYTES": "0"}
_LACK: Final = {
    "disk": {},
    "memory": {"MEMORY_LIMIT_MIB": "2", "MEMORY_SPIKE_MIB": "1"},
    "queue": {"STORAGE_BYTES": "65536"},
}


@contextmanager
def refusing(binary: Path, folder: Path, elasticsearch: str) -> Iterator[dict[str, Collector]]:
    """Let them run, each refusing the one line of a file, by what they lack room on."""
    made = {lack: _lacking(lack, binary, folder / lack, elasticsearch) for lack in COUNTERS}
    with ExitStack() as running:
        for collector in made.values():
            running.callback(collector.close)
        _start(made)
        wait_until(lambda: "Refusing data" in made["memory"].log, what="the limit of memory to be noticed")
        for lack in made:
            (folder / lack / "app.log").write_text(line(message="x" * 100_000, log_id=lack) + "\n")
        yield made


def mend(collectors: dict[str, Collector]) -> None:
    """Kill them, give each what it lacks, and start them again."""
    for collector in collectors.values():
        collector.kill()
        collector.env.update(_ROOM)
        _taken(collector).unlink(missing_ok=True)
    _start(collectors)


def _start(collectors: dict[str, Collector]) -> None:
    for collector in collectors.values():
        collector.start(wait=False)
    for collector in collectors.values():
        collector.wait_until_ready()


def _lacking(lack: str, binary: Path, folder: Path, elasticsearch: str) -> Collector:
    env = {"LOG_GLOB": str(folder / "*.log"), "ELASTICSEARCH_URL": elasticsearch, **_ROOM, **_LACK[lack]}
    collector = Collector(binary, [AGENT, _SOON, _STORAGE], folder, env, flags=[SYNCHRONOUS])
    if lack == "disk":
        _taken(collector).parent.mkdir()
        _taken(collector).symlink_to("/dev/full")
    return collector


def _taken(collector: Collector) -> Path:
    return Path(collector.env["STORAGE_DIR"]) / "taken" / "logs.otlp"

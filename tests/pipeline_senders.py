"""Applications that send records to the pipeline by file, TCP and OTLP, again until each is acknowledged."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from typing import Final

from tests.agent import Agent, line
from tests.pipeline_ledger import PipelineLedger, Record

BATCH: Final = 10


class LogFile:
    """The application's log file and both ways of rotating it; one rotation or write at a time.

    Every file of a rotation keeps a name that the Collector reads. With copytruncate that is what makes it safe: what
    was not read before the truncation is read from the copy.
    """

    def __init__(self, agent: Agent) -> None:
        """Begin an empty file."""
        self._path = agent.logs / "app.log"
        self._lock = threading.Lock()
        self.rotations = 0

    def write(self, records: Sequence[Record]) -> bool:
        """Append the records; they are in the file when it returns."""
        with self._lock, self._path.open("ab", buffering=0) as file:
            file.write("".join(line(**record) + "\n" for record in records).encode())
        return True

    def rename(self) -> None:
        """Give the file another name and begin a new one: logrotate's `create`."""
        with self._lock:
            self.rotations += 1
            self._path.rename(self._path.with_name(f"app.log.{self.rotations}"))
            self._path.touch()

    def copy_and_truncate(self) -> None:
        """Copy the file and empty it: logrotate's `copytruncate`."""
        with self._lock:
            self.rotations += 1
            copy = self._path.with_name(f"app.log.{self.rotations}")
            copy.write_bytes(self._path.read_bytes())
            os.truncate(self._path, 0)


class Sender(threading.Thread):
    """Sends records by one way, as fast as `pace` says; the ledger owes what was acknowledged."""

    def __init__(self, way: str, agent: Agent, file: LogFile, ledger: PipelineLedger) -> None:
        """Prepare it for the way `file`, `tcp` or `otlp`."""
        super().__init__(name=way, daemon=True)
        self._agent = agent
        self._file = file
        self._ledger = ledger
        self._wanted = 0
        self._pause = 0.0
        self._over = threading.Event()
        self._given_up = False
        self.made = 0
        self.refused = 0
        self.slowest = 0.0

    def pace(self, more: int, seconds: float) -> None:
        """Send so many more, spread over these seconds."""
        self._wanted += more
        self._pause = seconds * BATCH / max(more, 1)

    def finish(self, timeout: float) -> None:
        """Wait until everything that was asked for is acknowledged; raises AssertionError when the time is over."""
        self._pause = 0.0
        self._over.set()
        self.join(timeout)
        assert not self.is_alive(), f"{self.name}: {self._wanted - self.made} records are not acknowledged"

    def give_up(self) -> None:
        """Send nothing more; what was not acknowledged is not owed."""
        self._given_up = True
        self.finish(90)

    def run(self) -> None:
        """Send until there is nothing more to send."""
        while not self._given_up and (self.made < self._wanted or not self._over.is_set()):
            if self.made >= self._wanted:
                time.sleep(0.02)
                continue
            number = min(BATCH, self._wanted - self.made)
            records = [self._ledger.make(self.name, self.made + place) for place in range(number)]
            self._until_acknowledged(records)
            self.made += number
            self._over.wait(self._pause)

    def _until_acknowledged(self, records: Sequence[Record]) -> None:
        while not self._given_up:
            began = time.monotonic()
            if self.send(records):
                self.slowest = max(self.slowest, time.monotonic() - began)
                self._ledger.owe(records)
                return
            self.refused += 1
            time.sleep(0.1)

    def send(self, records: Sequence[Record]) -> bool:
        """Send the records once and return whether they were acknowledged."""
        if self.name == "file":
            return self._file.write(records)
        if self.name == "otlp":
            return self._agent.otlp(*records)
        return self._agent.tcp_until_known(*(line(**record) for record in records))

"""What can break in the log pipeline, broken while records are sent through it, and the books that must agree after."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from typing_extensions import Self

from otel_distro.analyzer.taken import records
from tests.agent import AGENT, Agent, install_templates
from tests.bulk_proxy import BulkProxy, Mode
from tests.full_disk import SmallDisk
from tests.pipeline_ledger import Outcome, PipelineLedger
from tests.pipeline_senders import LogFile, Sender
from tests.services.elasticsearch import Elasticsearch
from tests.support import wait_until

WAYS: Final = ("file", "tcp", "otlp")


@dataclass(frozen=True)
class Fault:
    """One thing that breaks and is whole again when it returns; `seconds` is about how long that takes."""

    name: str
    seconds: float
    happen: Callable[[Run], None]


@dataclass
class Run:
    """A Collector, its proxy, its senders and the books; as a context manager all of it runs inside the block."""

    binary: Path
    elasticsearch: Elasticsearch
    folder: Path
    configs: Sequence[Path] = (AGENT,)
    env: Mapping[str, str] = field(default_factory=dict)
    disk: SmallDisk | None = None  # where the Collector runs
    kills: int = 0
    added: int = 0
    seconds: dict[str, float] = field(default_factory=dict)

    def __enter__(self) -> Self:
        install_templates(self.elasticsearch)
        self.proxy = BulkProxy(self.elasticsearch.port)
        self.proxy.__enter__()
        env = {**self.env, "ELASTICSEARCH_URL": self.proxy.url}
        self.agent = Agent(self.binary, self.elasticsearch, self.folder, env, self.configs, self.disk)
        self.ledger, self.file = PipelineLedger(), LogFile(self.agent)
        self.senders = [Sender(way, self.agent, self.file, self.ledger) for way in WAYS]
        try:
            self.agent.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self.agent.close()
        self.proxy.__exit__()
        self.elasticsearch.delete(f"{self.agent.indices},rejected-{self.agent.indices}")

    def through(self, faults: Sequence[Fault], records: int, *, to_the_end: bool = True) -> None:
        """Send so many records while these faults happen one after the other; returns when all are acknowledged.

        Without `to_the_end` what is not acknowledged by the end of the last fault is given up.
        """
        for sender in self.senders:
            sender.start()
        for number, fault in enumerate(faults):
            share = records * (number + 1) // len(faults) - records * number // len(faults)
            for place, sender in enumerate(self.senders):
                sender.pace(share // len(WAYS) + (place < share % len(WAYS)), fault.seconds)
            began = time.monotonic()
            fault.happen(self)
            self.seconds[fault.name] = time.monotonic() - began
            made = sum(sender.made for sender in self.senders)
            print(f"  {fault.name}: {self.seconds[fault.name]:.1f} s, {made} records acknowledged", flush=True)
        for sender in self.senders:
            sender.finish(300) if to_the_end else sender.give_up()

    def add(self, number: int) -> None:
        """Write records to the file: all that the senders were asked for may be stored by now."""
        records = [self.ledger.make("added", self.added + place) for place in range(number)]
        self.added += number
        self.file.write(records)
        self.ledger.owe(records)

    def outcome(self, timeout: float = 300.0) -> Outcome:
        """Wait until as many documents are stored as records are owed, compare, and see fresh records get through."""
        self.agent.wait_for(len(self.ledger.owed), timeout)
        for way, sender in zip(WAYS, self.senders, strict=True):
            fresh = [self.ledger.make(way, sender.made)]
            assert sender.send(fresh), f"a fresh record by {way}"
            self.ledger.owe(fresh)
        self.agent.wait_for(len(self.ledger.owed), 60)
        return self._compare()

    def outcome_of_what_comes(self) -> Outcome:
        """Wait until a last line of the file is stored and the Collector has nothing more in its hands, and compare."""
        last = [self.ledger.make("last", 0)]
        self.file.write(last)
        self.ledger.owe(last)
        query = {"term": {"log_id": last[0]["log_id"]}}
        wait_until(lambda: self.elasticsearch.count(self.agent.indices, query), 120, what="the last line", every=0.5)
        # What was refused may come later than the line behind it.
        wait_until(lambda: self.agent.metric("otelcol_exporter_queue_size") == 0, 120, what="an empty queue", every=0.5)
        return self._compare()

    def _compare(self) -> Outcome:
        outcome = self.ledger.compare(self.agent.stored())
        refused = {sender.name: sender.refused for sender in self.senders}
        spent = sum(self.seconds.values())
        print(f"{outcome}; kills {self.kills}, sent again {refused}, {self.proxy.refused} times 429, {spent:.0f} s")
        return outcome

    def taken(self) -> set[str]:
        """Return the ids of all records that the Collector has kept beside its queue."""
        return {record.id for record in records(Path(self.agent.env["STORAGE_DIR"]) / "taken", 24)}

    def kill_collector(self) -> None:
        """Kill the Collector."""
        self.kills += 1
        self.agent.kill()


def elasticsearch_stops(seconds: float) -> Fault:
    """Elasticsearch is stopped in order and is away for so long."""

    def happen(run: Run) -> None:
        run.elasticsearch.stop()
        time.sleep(seconds)
        run.elasticsearch.start()

    return Fault(f"Elasticsearch stopped for {seconds:g} s", seconds + 15, happen)


def elasticsearch_is_killed(seconds: float = 0.0) -> Fault:
    """Elasticsearch is killed and starts again after so long."""

    def happen(run: Run) -> None:
        run.elasticsearch.kill()
        run.kills += 1
        time.sleep(seconds)
        run.elasticsearch.start()

    return Fault(f"Elasticsearch killed, away for {seconds:g} s", seconds + 15, happen)


def files_wait(seconds: float) -> Fault:
    """Elasticsearch is killed, and the log file renamed twice before it starts again, with `seconds` between."""

    def happen(run: Run) -> None:
        run.elasticsearch.kill()
        run.kills += 1
        for _ in range(2):
            time.sleep(seconds)
            run.file.rename()
        time.sleep(seconds)
        run.elasticsearch.start()

    return Fault(f"Elasticsearch killed while files are renamed, away for {3 * seconds:g} s", 3 * seconds + 15, happen)


def elasticsearch_refuses(seconds: float) -> Fault:
    """Elasticsearch answers 429 to everything, then to every second document."""

    def happen(run: Run) -> None:
        for mode in (Mode.REFUSE, Mode.REFUSE_HALF):
            refused = run.proxy.refused
            run.proxy.mode = mode
            run.add(2)
            wait_until(lambda: run.proxy.refused > refused, what=f"a refusal by {mode.name}")  # noqa: B023
            time.sleep(seconds / 2)
        run.proxy.mode = Mode.FORWARD

    return Fault(f"429 for {seconds:g} s", seconds, happen)


def collector_is_killed(times: int) -> Fault:
    """The Collector is killed after Elasticsearch has written and before the answer arrives, and again."""

    def happen(run: Run) -> None:
        for _ in range(times):
            run.proxy.hold()
            run.add(1)
            wait_until(lambda: run.proxy.held, what="an answer to hold back")
            run.kill_collector()
            run.proxy.release()
            run.agent.start()

    return Fault(f"Collector killed {times} times", 2.0 * times, happen)


def files_rotate(rounds: int) -> Fault:
    """The log file is rotated both ways, while the Collector runs and while it does not."""

    def happen(run: Run) -> None:
        for _ in range(rounds):
            for rotate in (run.file.rename, run.file.copy_and_truncate):
                time.sleep(0.3)
                rotate()
                time.sleep(0.3)
                run.kill_collector()
                time.sleep(0.3)
                rotate()
                time.sleep(0.3)
                run.agent.start()

    return Fault(f"files rotated {4 * rounds} times", 4.0 * rounds, happen)

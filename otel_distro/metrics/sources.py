"""What one process's file or memory says, understood once and read again and again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, Protocol

from otel_distro.metrics import streams
from otel_distro.metrics.columns import Columns
from otel_distro.metrics.families import Exemplar, Labels, freed
from otel_distro.metrics.shared import CellReader, Cells, ForeignFileError
from otel_distro.metrics.streams import Stream, decoded

MOST_RECENT: Final = "most_recent"
GAUGES: Final = (streams.GAUGE, streams.OBSERVED_GAUGE)


@dataclass(frozen=True)
class GaugeRules:
    """How the values that several processes set for one gauge become one: `most_recent`, `sum`, `min`, `max`, `each`.

    `each` shows every living process by itself, under a label `pid`.
    """

    default: str = MOST_RECENT
    by_name: tuple[tuple[str, str], ...] = ()

    def of(self, name: str) -> str:
        """Return the rule of one gauge by its OpenTelemetry name."""
        return dict(self.by_name).get(name, self.default)


@dataclass(slots=True)
class Total:
    """The sum of one series over the processes, as of one reading; `values` are the parts of its first cell."""

    row: int = -1  # of a counter
    reading: int = 0
    cells: list[float] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    time: float = 0.0
    exemplars: dict[int, Exemplar] = field(default_factory=dict)

    def begin(self, reading: int) -> bool:
        """Say whether this is the first part in a reading, and begin at zero then."""
        if self.reading == reading:
            return False
        self.reading = reading
        self.values.clear()
        return True

    def add_distribution(self, reading: int, words: Cells, first: int) -> None:
        """Add one process's part of a histogram, whose cells begin at `first`."""
        cells = self.cells
        if self.begin(reading):
            for index in range(1, len(cells)):
                cells[index] = words[first + index]
        else:
            for index in range(1, len(cells)):
                cells[index] += words[first + index]
        self.values.append(words[first])

    def add_gauge(self, reading: int, rule: str, value: float, time: float) -> None:
        """Let one process's value of a gauge, whose `time` is its rank by age, count by the gauge's rule."""
        if self.begin(reading):
            self.cells[0], self.time = value, time
        elif rule == "sum":
            self.cells[0] += value
        elif rule in ("min", "max"):
            self.cells[0] = min(self.cells[0], value) if rule == "min" else max(self.cells[0], value)
        elif time >= self.time:
            self.cells[0], self.time = value, time


@dataclass(slots=True)
class Part:
    """One series of one process: where its cells begin, and the total that it belongs to."""

    kind: str
    rule: str
    first: int
    total: Total


class Plan(Protocol):
    """What a source asks of the one that adds it up."""

    rules: GaugeRules

    def total(self, stream: Stream, labels: Labels) -> Total:
        """Return the total of one series, the same one at every call."""


class Source:
    """One process's file or memory, and what of it has been understood.

    Counters, of which there are most, stand by themselves.
    """

    def __init__(self, name: str, reader: CellReader) -> None:
        self.name = name
        self.reader = reader
        self.counters = Columns()
        self.parts: list[Part] = []
        self.absorbed: set[str] = set()
        self.exemplars: list[tuple[Total, int, int]] = []
        self._streams: dict[int, Stream] = {}
        self._known = 0

    @property
    def pid(self) -> str:
        """Process id of the owner, as its file is named by it."""
        return self.name.partition("-")[0]

    def read(self, plan: Plan) -> Cells:
        """Return the words of this moment, with the parts up to date."""
        words = self.reader.read()
        entries = self.reader.entries
        for entry in entries[self._known :]:
            kind, number, what = decoded(entry.text)
            if kind == "stream":
                self._streams[number] = what
            elif kind == "series" and number in self._streams:
                stream = self._streams[number]
                if entry.cells < stream.cells:
                    raise ForeignFileError("an entry has too few cells")
                self._add(plan, stream, what, entry.first)
            elif kind == "exemplars" and number in self._streams:
                total = plan.total(self._streams[number], what)
                self.exemplars.append((total, entry.first, entry.cells // streams.EXEMPLAR_CELLS))
            elif kind == "absorbed":
                self.absorbed.update(name for name, _ in what)
            self._known += 1
        # Only now: one that cannot be understood is to be met again at the next reading.
        entries.clear()
        self._known = 0
        self._read_exemplars(words)
        return words

    def streams(self) -> Iterable[Stream]:
        """Return what the owner has measured or observed."""
        return self._streams.values()

    def totals(self) -> Iterator[Total]:
        """Yield the total of every series that is no counter."""
        yield from (part.total for part in self.parts)

    def _add(self, plan: Plan, stream: Stream, labels: Labels, first: int) -> None:
        if stream.kind == streams.COUNTER:
            self.counters.add(plan.total(stream, labels).row, first)
            return
        rule = plan.rules.of(stream.name) if stream.kind in GAUGES else ""
        total = plan.total(stream, (*freed(labels, "pid"), ("pid", self.pid)) if rule == "each" else labels)
        self.parts.append(Part(stream.kind, rule, first, total))

    def _read_exemplars(self, words: Cells) -> None:
        ids = memoryview(words.obj).cast("Q") if self.exemplars else None
        for total, first, slots in self.exemplars:
            for slot in range(slots):
                at = first + slot * streams.EXEMPLAR_CELLS
                time, known = words[at + 1], total.exemplars.get(slot)
                if ids is not None and time and (known is None or time > known.time):
                    trace_id = f"{ids[at + 2]:016x}{ids[at + 3]:016x}"
                    total.exemplars[slot] = Exemplar(words[at], time, trace_id, f"{ids[at + 4]:016x}")

"""Many processes, one truth: the cells of every process of a group become the families of one page.

What counts of whom: counters and histograms of the living and the dead; up-down counters and observed gauges of the
living; a gauge that was set by its rule, by default what was set most recently, by whomever. `folding` says what
becomes of the files of the dead.
"""

from __future__ import annotations

import fcntl
import logging
import os
from pathlib import Path
from time import time
from typing import Any, Final

from otel_distro.metrics import streams
from otel_distro.metrics.columns import Columns, sums
from otel_distro.metrics.descriptors import locked
from otel_distro.metrics.families import (
    COUNTER,
    GAUGE,
    Families,
    Labels,
    Value,
    described,
    labels_in,
    labels_of,
    scope_attributes,
)
from otel_distro.metrics.folding import FOLDED, exact_sum, fold
from otel_distro.metrics.limits import Limits
from otel_distro.metrics.shared import SUFFIX, CellFile, CellReader, Cells, is_alive
from otel_distro.metrics.shown import family_kind, plain, value_of
from otel_distro.metrics.sources import GAUGES, MOST_RECENT, GaugeRules, Source, Total
from otel_distro.metrics.store import CellStore
from otel_distro.metrics.streams import Stream

RULES: Final = (MOST_RECENT, "sum", "min", "max", "each")
_DISTRIBUTIONS: Final = (streams.HISTOGRAM, streams.EXPONENTIAL)

_logger = logging.getLogger(__name__)


class Merger:
    """Reads all processes of a group; not thread-safe, and to be made anew in a forked child.

    `folder` is None where the process stands alone.
    """

    def __init__(
        self,
        store: CellStore,
        folder: Path | None = None,
        rules: GaugeRules | None = None,
        limits: Limits | None = None,
    ) -> None:
        self.rules = rules or GaugeRules()
        self._limits = limits
        self.skipped = 0
        self.living = 1
        self._store = store
        self._folder = folder
        self._reading = 0
        self._rows = 0
        self._counted: list[tuple[Columns, Cells]] = []
        self._sources: dict[Any, Source] = {}
        self._totals: dict[Stream, dict[Labels, Total]] = {}
        self._living: set[Stream] = set()
        self._warned: set[str] = set()

    def total(self, stream: Stream, labels: Labels) -> Total:
        """Return the total of one series, the same one at every call."""
        labels = labels_in(family_kind(stream), labels)
        totals = self._totals.setdefault(stream, {})
        found = totals.get(labels)
        if found is None:
            found = totals[labels] = Total(cells=[0.0] * stream.cells)
            if stream.kind == streams.COUNTER:
                found.row = self._rows
                self._rows += 1
        return found

    def add_to(self, families: Families, *, scope_labels: bool) -> None:
        """Read every process and put the sums into the families."""
        self._reading += 1
        self._living = set()
        self._read_memory()
        dead = False
        if self._folder is not None:
            try:
                with locked(self._folder, fcntl.LOCK_SH):
                    dead = self._read_folder(self._folder)
            except OSError as error:
                self._warn_once("", f"the page shows this process alone: {self._folder}: {error.strerror or error}")
                self._read_own_file()
        counted = sums(self._counted, self._rows)
        self._counted = []
        # What processes have that live stands before what ended ones had: after a reload, a bucket may be another one.
        for stream, totals in sorted(self._totals.items(), key=lambda item: item[0] not in self._living):
            if stream.kind == streams.COUNTER:
                for total in totals.values():
                    value = counted[total.row]
                    if value is not None:
                        total.reading = self._reading
                        total.cells[0] = value
            self._put(families, stream, totals, scope_labels=scope_labels)
        if self._folder is not None:
            self._put_own(families)
            if dead:
                self.fold(self._folder)

    def _put_own(self, families: Families) -> None:
        for name, what, number in (
            ("otel_distro_processes", "Processes that share this page.", self.living),
            ("otel_distro_skipped_files", "Files of shared metrics that could not be read.", self.skipped),
        ):
            family = families.family(described(name, GAUGE, "", what, additive=True), name)
            if family is not None:
                families.put(family, (), number, name)

    def fold(self, folder: Path) -> None:
        """Fold what lasts of the dead processes into one file, unless another process is at the folder just now."""
        try:
            with locked(folder, fcntl.LOCK_EX | fcntl.LOCK_NB):
                fold(folder, self._limits)
        except BlockingIOError:
            return
        except (OSError, ValueError) as error:
            self._warn_once("fold", f"the metrics of ended processes cannot be folded: {error}")

    def close(self) -> None:
        """Give all descriptors back."""
        for source in self._sources.values():
            source.reader.close()
        self._sources = {}

    def _read_memory(self) -> None:
        for file in (self._store.file, self._store.overflow):
            if file is not None and file.path is None:
                self._read_mapped(file)

    def _read_own_file(self) -> None:
        """Read what this process has mapped, where the folder is not there to be read any more."""
        self.living = 1
        if self._store.file is not None and self._store.file.path is not None:
            self._read_mapped(self._store.file)

    def _read_mapped(self, file: CellFile) -> None:
        source = self._sources.get(id(file))
        if source is None:
            source = self._sources[id(file)] = Source(f"{os.getpid()}-memory", CellReader(file))
        self._sum(source.read(self), source, alive=True)

    def _read_folder(self, folder: Path) -> bool:
        found: dict[Any, Source] = {}
        dead = []
        self.living = 0
        self.skipped = 0
        names = sorted(entry.name for entry in os.scandir(folder) if entry.name.endswith(SUFFIX))
        if FOLDED in names:
            names.remove(FOLDED)
            names.insert(0, FOLDED)
        absorbed: set[str] = set()
        for name in names:
            path = folder / name
            alive = name != FOLDED and is_alive(path)
            self.living += alive
            if name in absorbed:
                dead.append(name)  # a folding was interrupted before it could remove it
                continue
            try:
                status = path.stat()
                key = (name, status.st_ino, status.st_ctime_ns if name == FOLDED else 0)
                source = self._sources.get(key) or Source(name, CellReader(path))
                found[key] = source
                words = source.read(self)
            except (OSError, ValueError) as error:
                self.skipped += 1
                self._warn_once(name, f"{path} is left out of the metrics: {error}; remove it if nobody needs it")
                continue
            absorbed |= source.absorbed
            self._sum(words, source, alive=alive)
            if not alive and name != FOLDED:
                dead.append(name)
        own = self._store.file
        if own is not None and own.removed and own.path is not None and own.path.name not in absorbed:
            self.living += 1
            self._read_mapped(own)
        memory = {key: source for key, source in self._sources.items() if isinstance(key, int)}
        gone = [source for key, source in self._sources.items() if key not in found and key not in memory]
        self._sources = {**memory, **found}
        for source in gone:
            source.reader.close()
        if gone:
            self._drop_totals()
        return bool(dead)

    def _drop_totals(self) -> None:
        """Forget the series that no file has any more."""
        used = {id(total) for source in self._sources.values() for total in source.totals()}
        for stream, totals in list(self._totals.items()):
            if stream.kind == streams.COUNTER:
                continue  # they last, and their rows are counted on
            kept = {labels: total for labels, total in totals.items() if id(total) in used}
            if kept:
                self._totals[stream] = kept
            else:
                del self._totals[stream]

    def _sum(self, words: Cells, source: Source, *, alive: bool) -> None:
        self._counted.append((source.counters, words))
        if alive:
            self._living.update(source.streams())
        reading = self._reading
        now = time()  # after the words were read, none of which is of later then
        for part in source.parts:
            kind, first, total = part.kind, part.first, part.total
            if kind in _DISTRIBUTIONS:
                total.add_distribution(reading, words, first)
            elif kind in GAUGES:
                lasts = kind == streams.GAUGE and part.rule in ("", MOST_RECENT)
                if words[first + 1] and (alive or lasts):
                    total.add_gauge(reading, part.rule, words[first], streams.rank(words[first + 1], now))
            elif (alive or kind == streams.OBSERVED_COUNTER) and (kind == streams.UP_DOWN or words[first + 1]):
                total.begin(reading)
                total.values.append(words[first])

    def _put(self, families: Families, stream: Stream, totals: dict[Labels, Total], *, scope_labels: bool) -> None:
        kind = family_kind(stream)
        gauge = stream.kind in GAUGES
        empty = described(stream.name, kind, stream.unit, stream.help, additive=not gauge)
        reading = self._reading
        present = any(total.reading == reading for total in totals.values())
        lives = stream in self._living
        family = families.family(empty, stream.name, lives=lives) if present else None
        if family is None:
            return
        name, version, url, attributes = stream.scope
        scope = labels_of(scope_attributes(name, version, url, dict(attributes))) if scope_labels else ()
        simple = kind in (COUNTER, GAUGE)
        for labels, total in totals.items():
            if total.reading != reading:
                continue
            if total.values:
                total.cells[0] = total.values[0] if len(total.values) == 1 else exact_sum(total.values)
            shown = tuple(sorted({**dict(labels), **dict(scope)}.items())) if scope else labels
            try:
                value: Value = plain(total.cells[0]) if simple else value_of(stream, total.cells)
            except (ValueError, OverflowError):
                self._warn_once(stream.name, f"metric {stream.name!r} has a count that is none in {dict(shown)}")
                continue
            is_shown = families.put(family, shown, value, stream.name, lives=lives)
            if is_shown and total.exemplars and stream.kind in (streams.COUNTER, streams.HISTOGRAM):
                family.exemplars.setdefault(shown, {}).update(total.exemplars)

    def _warn_once(self, name: str, message: str) -> None:
        if name not in self._warned:
            self._warned.add(name)
            _logger.warning("%s", message)

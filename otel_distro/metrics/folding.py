"""What ended processes have left, folded into one file, so that a thousand recycled workers cost as much as one.

The new file is written under another name, says which files it has absorbed, and takes the old one's place by renaming;
then those files are removed. Whenever that is interrupted, each value counts once. Sums of fractions are kept exactly,
as a series of doubles whose sum they are: else the page's sum, which is rounded once, could differ by its last digit
after a folding, and a counter that goes down by its last digit has restarted in Prometheus's eyes.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, field
from pathlib import Path
from time import time
from typing import Final, TypeAlias

from otel_distro.metrics import streams
from otel_distro.metrics.families import Labels
from otel_distro.metrics.limits import Limits, write_full
from otel_distro.metrics.shared import SUFFIX, CellFile, CellReader, ForeignFileError, is_alive
from otel_distro.metrics.store import CellStore
from otel_distro.metrics.streams import Stream, decoded, series_text

FOLDED: Final = f"folded{SUFFIX}"
LASTING: Final = (streams.COUNTER, streams.HISTOGRAM, streams.EXPONENTIAL, streams.OBSERVED_COUNTER, streams.GAUGE)


@dataclass(slots=True)
class _Lasting:
    """What lasts of one series: all its cells, and every value that its first cell is the sum of."""

    cells: list[float]
    values: list[float] = field(default_factory=list)


_Sums: TypeAlias = dict[tuple[Stream, Labels], _Lasting]


def fold(folder: Path, limits: Limits | None = None) -> None:
    """Write the lasting values of all ended processes and of the last such file into a new one, and remove theirs.

    With `limits`, say which instruments have all the series that they may have. For who has the folder's lock alone.
    Raises OSError, and ForeignFileError where the last such file is damaged.
    """
    old = folder / FOLDED
    sums: _Sums = {}
    absorbed_before = _add_lasting(sums, old) if old.exists() else set()
    absorbed = []
    for name in sorted(entry.name for entry in os.scandir(folder) if entry.name.endswith(SUFFIX)):
        if name == FOLDED or is_alive(folder / name):
            continue
        if name not in absorbed_before:
            try:
                _add_lasting(sums, folder / name)
            except (OSError, ValueError):
                continue  # left where it is: the page has warned of it
        absorbed.append(name)
    if absorbed:
        _write(folder, sums, absorbed)
        for name in absorbed:
            (folder / name).unlink(missing_ok=True)
        if limits is not None:
            write_full(folder, sums, limits)


def exact_sum(values: list[float]) -> float:
    """Return the sum, rounded once: the same in every order, and never less for a value that is greater."""
    try:
        return math.fsum(values)
    except (ValueError, OverflowError):  # infinities, or a sum beyond every double
        return sum(values)


def _parts(values: list[float]) -> list[float]:
    """Return few doubles with exactly the same sum."""
    parts: list[float] = []
    rest = list(values)
    while True:
        try:
            part = math.fsum(rest)
        except (ValueError, OverflowError):
            return [sum(values)]
        if not math.isfinite(part):
            return [part]
        if not part:
            return parts or [0.0]
        parts.append(part)
        rest.append(-part)


def _write(folder: Path, sums: _Sums, absorbed: list[str]) -> None:
    """Put a new file in the place of the last one; raises OSError where there is no room, and all stays as it is."""
    new = folder / "folding"
    for leftover in (new, new.with_suffix(".new")):
        leftover.unlink(missing_ok=True)
    file = CellFile(new)
    try:
        store = CellStore(lambda: file, spills=False)
        file.add(series_text(0, tuple((name, "") for name in absorbed), "absorbed"), 0)
        for (stream, labels), lasting in sums.items():
            first, *more = _parts(lasting.values)
            _fill(store.cells(stream, labels), [first, *lasting.cells[1:]])
            for part in more:
                # Counts once, in the first entry; an observed value is there by its time.
                rest = lasting.cells[1:] if stream.kind == streams.OBSERVED_COUNTER else []
                _fill(store.cells(stream, labels), [part, *rest])
        new.replace(folder / FOLDED)
    except OSError:
        new.unlink(missing_ok=True)
        raise
    finally:
        file.close()


def _fill(cells: memoryview[float], values: list[float]) -> None:
    for index, value in enumerate(values):
        cells[index] = value


def _add_lasting(sums: _Sums, path: Path) -> set[str]:
    """Add what lasts of a file's values, all or nothing; return the names of the files that it has absorbed."""
    reader = CellReader(path)
    try:
        words = reader.read()
    finally:
        reader.close()
    known: dict[int, Stream] = {}
    absorbed: set[str] = set()
    found: list[tuple[Stream, Labels, list[float]]] = []
    for entry in reader.entries:
        kind, number, what = decoded(entry.text)
        if kind == "stream":
            known[number] = what
        elif kind == "absorbed":
            absorbed.update(name for name, _ in what)
        elif kind == "series":
            if number not in known or entry.cells < known[number].cells:
                raise ForeignFileError("an entry is damaged")
            stream = known[number]
            found.append((stream, what, list(words[entry.first : entry.first + stream.cells])))
    for stream, labels, cells in found:
        # An observed value without a time was not there at the last observation.
        if stream.kind in LASTING and (stream.kind != streams.OBSERVED_COUNTER or cells[1]):
            _add(sums, stream, labels, cells)
    return absorbed


def _add(sums: _Sums, stream: Stream, labels: Labels, cells: list[float]) -> None:
    before = sums.get((stream, labels))
    if before is None:
        sums[stream, labels] = _Lasting(cells, [cells[0]])
    elif stream.kind == streams.GAUGE:
        now = time()
        if streams.rank(cells[1], now) >= streams.rank(before.cells[1], now):
            sums[stream, labels] = _Lasting(cells, [cells[0]])
    else:
        before.values.append(cells[0])
        if stream.kind == streams.OBSERVED_COUNTER:
            before.cells[1] = max(before.cells[1], cells[1])
        else:
            before.cells[1:] = [a + b for a, b in zip(before.cells[1:], cells[1:], strict=True)]

"""How many series an instrument may have and how long a label value may be; what is over is counted.

Each process has its limit. As a service that recycles its workers would so have none, those that begin when ended ones
have left as many series as an instrument may have add no others: who folds what the ended have left writes down which
these are, as hashes in one file of the folder, and who makes a new series looks there. Nearly always there is no file.

Source of the overflow series: OpenTelemetry specification, "Metrics SDK: Cardinality limits".
"""

from __future__ import annotations

import json
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from pathlib import Path
from time import monotonic
from typing import Any, Final

from otel_distro.metrics.descriptors import open_own
from otel_distro.metrics.families import Labels, labels_of
from otel_distro.metrics.naming import label_name
from otel_distro.metrics.streams import Stream, series_text

OVERFLOW_KEY: Final = "otel.metric.overflow"
OVERFLOW: Final = {OVERFLOW_KEY: True}
OVERFLOW_LABEL: Final = label_name(OVERFLOW_KEY)
LONGEST_VALUE: Final = 1024
DEFAULT_LIMIT: Final = 2000
FULL_FILE: Final = "full.json"
_LOOK_AFTER: Final = 1.0  # seconds between two looks at the file
_OVERFLOW_LABELS: Final = labels_of(OVERFLOW)
# Every key that becomes the overflow label ends in this word.
_OVERFLOW_END: Final = "overflow"
# A whole number of so many bits has less than 1,024 digits.
_MOST_BITS: Final = 3 * LONGEST_VALUE


class Limits:
    """The limits of one process, by instrument name, and how often each was reached.

    `overflowed` counts measurements, `cut_values` label values, each time that one came. Thread-safe: a count that two
    threads raise at once may miss one, a limit never lets a series more through. `full` knows the instruments that have
    no room in the group, whose folder is `folder`.
    """

    def __init__(
        self,
        default: int = DEFAULT_LIMIT,
        by_instrument: Mapping[str, int] | None = None,
        folder: Path | None = None,
    ) -> None:
        self.full = Full(folder)
        self._folder = folder
        self._default = default
        self._by_instrument = dict(by_instrument or {})
        self.overflowed: Counter[str] = Counter()
        self.cut_values: Counter[str] = Counter()

    def of(self, instrument: str) -> int:
        """Return how many series the instrument may have beside its overflow series."""
        return self._by_instrument.get(instrument, self._default)

    def after_fork(self) -> None:
        """Begin counting at zero in a forked child: the parent shows what it has counted itself."""
        self.full = Full(self._folder)
        self.overflowed.clear()
        self.cut_values.clear()


def fitted(attributes: Mapping[str, Any]) -> tuple[dict[str, Any], int]:
    """Return the attributes as a series may have them, and how many values had to be cut for that.

    A value whose text is longer than 1 kB becomes the first 1 kB of that text, in whole characters. A label that only
    the overflow series may have is left out.
    """
    fitting = dict(attributes)
    cut = 0
    for key, value in attributes.items():
        if key.endswith(_OVERFLOW_END) and label_name(key) == OVERFLOW_LABEL:
            del fitting[key]
            continue
        text = _long_text(value)
        if text is not None:
            fitting[key] = text.encode("utf-8", "replace")[:LONGEST_VALUE].decode("utf-8", "ignore")
            cut += 1
    return fitting, cut


def _long_text(value: Any) -> str | None:
    """Return the text that a value shows as where it is too long, else None."""
    if isinstance(value, str):
        return value if len(value) > LONGEST_VALUE // 4 and _size(value) > LONGEST_VALUE else None
    if value is None or isinstance(value, (bool, float)):
        return None
    if isinstance(value, int):
        return hex(value) if value.bit_length() > _MOST_BITS else None
    try:
        text = json.dumps(value, default=str)
    except ValueError:
        # A whole number in it has more digits than Python writes.
        text = " " * (LONGEST_VALUE + 1)
    return text if len(text) > LONGEST_VALUE else None


def _size(value: str) -> int:
    return len(value) if value.isascii() else len(value.encode("utf-8", "replace"))


def write_full(folder: Path, series: Iterable[tuple[Stream, Labels]], limits: Limits) -> None:
    """Write down which series the full instruments have, or that none is full; for who folds. Raises OSError."""
    by_stream: dict[Stream, list[Labels]] = defaultdict(list)
    for stream, labels in series:
        if labels != _OVERFLOW_LABELS:
            by_stream[stream].append(labels)
    full = {
        _digest(stream.encoded(0)): [_digest(series_text(0, labels)) for labels in all_labels]
        for stream, all_labels in by_stream.items()
        if len(all_labels) >= limits.of(stream.name)
    }
    if not full:
        (folder / FULL_FILE).unlink(missing_ok=True)
        return
    new = folder / f"{FULL_FILE}.new"
    new.unlink(missing_ok=True)  # of a folding that was interrupted
    # Readable for the workers where root folds, and no link that one of them has put there is followed.
    with open(open_own(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC), "w", encoding="ascii") as file:
        file.write(json.dumps(full))
    new.replace(folder / FULL_FILE)


class Full:
    """What a process knows of the full instruments of its group; `folder` is None where it stands alone.

    Thread-safe and fork-safe: it holds no lock, and what it knows is replaced whole. The file is looked at once a
    second at most; one that cannot be read says nothing, and what it has said stays where that is for want of a right.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._path = folder and folder / FULL_FILE
        self._look_at = float("-inf")
        self._stamp: Any = None
        self._series: dict[str, frozenset[str]] = {}

    def refuses(self, stream: Stream, attributes: Mapping[str, Any], limit: int) -> bool:
        """Say whether an instrument with this limit is full and these attributes are a series that it lacks."""
        if self._path is None:
            return False
        if monotonic() >= self._look_at:
            self.look()
        if not self._series:
            return False
        known = self._series.get(_digest(stream.encoded(0)), ())
        return len(known) >= limit and _digest(series_text(0, labels_of(attributes))) not in known

    def look(self) -> None:
        """Look at the file now, as for a process that may not read it later."""
        if self._path is None:
            return
        self._look_at = monotonic() + _LOOK_AFTER
        try:
            found = os.stat(self._path)
            stamp = (found.st_mtime_ns, found.st_size, found.st_ino)
            if stamp != self._stamp:
                read = json.loads(self._path.read_text(encoding="ascii"))
                self._series = {stream: frozenset(series) for stream, series in read.items()}
                self._stamp = stamp
        except PermissionError:
            return  # this process has become another user since it looked
        except (OSError, ValueError, AttributeError, TypeError):
            self._series, self._stamp = {}, None


def _digest(text: str) -> str:
    return blake2b(text.encode(), digest_size=8).hexdigest()

"""The cells of this process: one file in the folder of its group, or its own memory where there is no folder."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from itertools import count

from otel_distro.metrics.families import Labels
from otel_distro.metrics.shared import CellFile, Cells
from otel_distro.metrics.streams import EXEMPLAR_CELLS, Stream, series_text

_logger = logging.getLogger(__name__)


class CellStore:
    """Gives each series its cells; the file is made with the first one.

    Thread-safe. In a forked child call `after_fork` before anything else: the child begins with a file of its own. A
    folder or disk that takes no more gives one warning; what comes after is kept in the memory of this process alone,
    or raises OSError where nothing is to be kept there (`spills`). Who takes that warning may measure in turn, and so
    may a finalizer or signal handler in the midst of anything here: the lock is reentrant, and what is written before
    it is known here may be there twice.
    """

    def __init__(self, new_file: Callable[[], CellFile] | None = None, *, spills: bool = True) -> None:
        self._new_file = new_file
        self._spills = spills
        self._lock = threading.RLock()
        self._numbers: dict[tuple[CellFile, Stream], int] = {}
        self._next_number = count()
        self._is_removed = False
        self._inherited: list[CellFile] = []
        self.file: CellFile | None = None
        self.overflow: CellFile | None = None

    def cells(self, stream: Stream, labels: Labels) -> Cells:
        """Return fresh cells, all zero, for one series."""
        return self._add(stream, labels, "series", stream.cells)

    def exemplar_cells(self, stream: Stream, labels: Labels) -> Cells:
        """Return fresh cells for the exemplars of a series that has its own cells already."""
        return self._add(stream, labels, "exemplars", stream.buckets * EXEMPLAR_CELLS)

    def open(self) -> None:
        """Make the file now; a folder that takes none is warned of, and memory stands for it."""
        self._put(lambda file: file.add('["open",0,[]]', 0))

    def reserve(self) -> None:
        """Make the file while this process may, still empty; where that cannot be, the first measurement says so."""
        with self._lock, suppress(OSError):
            if self._new_file is not None:
                self._opened()

    def hold(self) -> None:
        """Keep the file this process's, whatever the application has closed."""
        if self.file is not None:
            with suppress(OSError):  # it has been removed as well
                self.file.hold()

    def watch(self) -> None:
        """Warn, once, where somebody has removed the file, or moved it away."""
        file = self.file
        if not self._is_removed and file is not None and file.removed:
            self._is_removed = True
            _logger.warning(
                "metrics are not shared with other processes any more: somebody has removed %s or moved it; "
                "start the service again, and let nothing remove files of that folder while it runs",
                file.path,
            )

    def close(self) -> None:
        """Release the file's lock: the process ends, and its values are a dead one's."""
        for file in (self.file, self.overflow):
            if file is not None:
                file.close()

    def after_fork(self) -> None:
        """Forget the parent's file, whose memory is still mapped and must not be written to."""
        self._lock = threading.RLock()
        for file in (self.file, self.overflow):
            if file is not None:
                file.forget()
                self._inherited.append(file)
        self.file = self.overflow = None
        self._is_removed = False
        self._numbers = {}

    def _add(self, stream: Stream, labels: Labels, what: str, cells: int) -> Cells:
        def add(file: CellFile) -> Cells:
            number = self._numbers.get((file, stream))
            if number is None:
                number = next(self._next_number)
                # Before it is known: no series may come before its stream.
                file.add(stream.encoded(number), 0)
                self._numbers[file, stream] = number
            return file.add(series_text(number, labels, what), cells)

        return self._put(add)

    def _put(self, add: Callable[[CellFile], Cells]) -> Cells:
        with self._lock:
            if self.overflow is not None:
                return add(self.overflow)
            try:
                return add(self._opened())
            except OSError as error:
                if not self._spills:
                    raise
                spare = CellFile(None)
                before = self.overflow
                if before is None:
                    self.overflow = spare
                added = add(before or spare)
                # Last, when all stands: a handler of the application may count what it is given.
                if before is None:
                    self._warn(error)
                return added

    def _opened(self) -> CellFile:
        if self.file is None:
            made = self._new_file() if self._new_file else CellFile(None)
            if self.file is None:
                self.file = made
            else:
                made.close()
        return self.file

    def _warn(self, error: OSError) -> None:
        where = self.file.path if self.file and self.file.path else "the folder of shared metrics"
        # As who was root when the folder was made.
        denied = isinstance(error, PermissionError)
        mend = "name a folder of the user of this process" if denied else "make room, or name another folder"
        _logger.warning(
            "metrics cannot be shared with other processes any more: %s: %s; new series are kept in this process "
            "alone; %s by OTEL_DISTRO_PROMETHEUS_DIR",
            where,
            error.strerror or error,
            mend,
        )

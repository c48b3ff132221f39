"""The files of a pattern, each under a name that no rotation gives to another one while it is read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from otel_distro.analyzer.files import Identity, look_for

_OPEN: Final = Path("/proc/self/fd")  # Linux: who opens a name in it opens the very file, whatever it is called by now
_MOST: Final = 64  # files held open; the usual limit of a process is 1024
_LOOKS: Final = 10


class HeldFiles:
    """The files of one pattern; for one thread.

    A rotation that numbers its files gives the name of each to the next one: who lists them and opens one after the
    other reads one twice and another never. So the newest are held open, and links in `folder` stand for them; those
    beyond that number go by their own names, of which `have_moved` tells whether they still stand for the same files.
    """

    def __init__(self, pattern: str, folder: Path, stack: ExitStack) -> None:
        self._pattern = pattern
        self._folder = folder
        self._stack = stack
        self._paths: dict[Identity, Path] = {}
        self._open: dict[Identity, int] = {}
        self._most = _MOST if _OPEN.is_dir() else 0
        # A file that is renamed during a look may be missed by it, and is found by the next one.
        for number in range(_LOOKS):
            if not self._look() and number:
                break
        for gone in [file for file, number in self._open.items() if not os.fstat(number).st_nlink]:
            if _identity(self._paths[gone]) != gone:  # not every file system counts the names of a file
                del self._paths[gone], self._open[gone]  # it may have been gzipped meanwhile, and be there twice

    @property
    def files(self) -> list[Path]:
        """The files as they were found last, for people."""
        return list(self._paths.values())

    def sources(self) -> list[Path]:
        """Return the names by which the files are to be read."""
        return [self._source(file, path) for file, path in self._paths.items()]

    def have_moved(self) -> bool:
        """Return whether the name of a file that was not held open has become another one's."""
        return any(_identity(path) != file for file, path in self._paths.items() if file not in self._open)

    def _look(self) -> bool:
        """List the files and return whether there was a new one; the newest are opened first."""
        new: list[tuple[float, Path]] = []
        for file, (changed, path) in look_for(self._pattern).items():
            if file in self._paths:
                self._paths[file] = path
            else:
                new.append((changed, path))
        for _, path in sorted(new, reverse=True):
            self._add(path)
        return bool(new)

    def _add(self, path: Path) -> None:
        """Take a file, whichever it is by now; one that is gone is found by the next look."""
        try:
            if len(self._open) < self._most:
                stream = path.open("rb")
                status = os.fstat(stream.fileno())
                file = status.st_dev, status.st_ino
                if file in self._open:
                    stream.close()
                else:
                    self._open[file] = self._stack.enter_context(stream).fileno()
                self._paths[file] = path
                return
        except FileNotFoundError:
            return
        except OSError:  # nobody may read it, or too many are open: its reader says so
            pass
        if known := _identity(path):
            self._paths[known] = path

    def _source(self, file: Identity, path: Path) -> Path:
        number = self._open.get(file)
        if number is None:
            return path
        link = self._folder / f"held-{number}{'.gz' if path.suffix == '.gz' else '.log'}"
        link.unlink(missing_ok=True)
        link.symlink_to(_OPEN / str(number))
        return link


@contextmanager
def held(pattern: str, folder: Path) -> Iterator[HeldFiles]:
    """Give the files of a pattern, held open until the end of the block.

    Raises:
        StoreError: no file matches, or the path is a folder.
    """
    with ExitStack() as stack:
        yield HeldFiles(pattern, folder, stack)


def _identity(path: Path) -> Identity | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino

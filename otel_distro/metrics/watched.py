"""Files that a variable names: read whole, read again when they change, and never a secret in a message."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final, Generic, TypeVar

from otel_distro.errors import InputError

T = TypeVar("T")
_Stamp = tuple[int, int, int]

MOST_BYTES: Final = 1 << 20

_logger = logging.getLogger(__name__)


class NamedFile:
    """One file that a variable names; `mend` says what to name instead of one that cannot be used.

    A relative path counts from the folder of this moment. Safe to use from any thread.
    """

    def __init__(self, variable: str, value: str, mend: str) -> None:
        self.variable = variable
        self.mend = mend
        self._value = value
        # An application that changes its folder later, as a daemon does, still means this file.
        self.path = os.path.abspath(value)

    def stamp(self) -> _Stamp | None:
        """Return what changes when the file does, or None where there is none."""
        try:
            found = os.stat(self.path)
        except (OSError, ValueError):
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino

    def read(self) -> bytes:
        """Return the whole file; raises InputError where it is no readable file of at most 1 MiB."""
        try:
            found = os.stat(self.path)
            # A pipe or a device could keep the application waiting for ever.
            usable = stat.S_ISREG(found.st_mode) and found.st_size <= MOST_BYTES
            content = Path(self.path).read_bytes() if usable else b""
        except OSError as error:
            raise self.error(f"cannot be read ({error.strerror or type(error).__name__})") from None
        except ValueError:
            raise self.error("is no path") from None
        if not usable:
            raise self.error("is no regular file of at most 1 MiB")
        return content

    def error(self, problem: str) -> InputError:
        """Return the error that says what is wrong with the file, and the mend."""
        return InputError(f"{self.variable}={self._shown()} {problem}; {self.mend}")

    def _shown(self) -> str:
        # Who has set the secret itself in place of a file's name must not find it in the log.
        folder = os.path.dirname(self._value)
        if os.path.exists(self.path) or (folder not in ("", "/") and os.path.isdir(folder)):
            return repr(self._value)
        return "(not shown: it names nothing in an existing folder and may be a secret itself)"


class Watched(Generic[T]):
    """What was loaded from files, loaded again when one of them has changed.

    While a changed file cannot be used, which is one warning, the last good content stands. Safe to use from any thread
    and, as it holds no lock, in a forked child. The first load raises the InputError of `load`.
    """

    def __init__(self, files: tuple[NamedFile | None, ...], load: Callable[[], T]) -> None:
        self._files = [file for file in files if file]
        self._load = load
        # The stamp is older than the content: a change in between is seen the next time.
        stamps = self._stamps()
        self._state = (stamps, load())

    def value(self) -> T:
        """Return what the files hold now, as far as they can be used; never raises InputError."""
        stamps = self._stamps()
        before, value = self._state
        if stamps != before:
            self._state = (stamps, value)
            try:
                value = self._load()
            except InputError as error:
                _logger.warning("%s; until then what was read there before stays in force", error)
            else:
                self._state = (stamps, value)
        return value

    def _stamps(self) -> list[_Stamp | None]:
        return [file.stamp() for file in self._files]

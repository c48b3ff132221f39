"""A ledger that an application under test keeps by itself, outside of all telemetry: what telemetry is held to.

One line an entry, one `write` to an append-only file: what is written stays when the process is killed, and lines of
several processes do not mix.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path


class Ledger:
    """A file with one line for each entry; safe for any number of threads, greenlets and processes."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def write(self, text: str) -> None:
        """Add an entry; it is in the file when the call returns."""
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(descriptor, f"{text}\n".encode())
        finally:
            os.close(descriptor)

    def entries(self) -> list[str]:
        """Return all entries of this moment."""
        return self.path.read_text().splitlines() if self.path.exists() else []

    def by_process(self) -> Counter[int]:
        """Return how many entries each process has made, where each entry begins with its process id."""
        return Counter(int(entry.split()[0]) for entry in self.entries())

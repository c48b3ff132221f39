"""A disk of a few megabytes that a test can fill to the last byte: a tmpfs in a mount namespace of its own."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from typing_extensions import Self

from tests.processes import AppProcess

QUEUE: Final = "exporter_elasticsearch__logs"  # the file of agent.yaml's queue, as file_storage names it


class SmallDisk:
    """A file system of `megabytes`, as a context manager; needs no rights but user namespaces (Linux).

    It lives as long as the block, whatever is killed inside of it.
    """

    def __init__(self, folder: Path, megabytes: int) -> None:
        """Prepare it; programs that run `inside` find it at `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._megabytes = megabytes

    def __enter__(self) -> Self:
        mount = f"mount -t tmpfs -o size={self._megabytes}m tmpfs '{self._folder}' && echo mounted && exec sleep 100000"
        self._holder = AppProcess(["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount])
        self._holder.wait_for_output("mounted")
        return self

    def __exit__(self, *error: object) -> None:
        self._holder.kill()

    def inside(self, command: Sequence[str | Path]) -> Sequence[str | Path]:
        """Return the command that runs this one where the disk is."""
        holder = f"--target={self._holder.pid}"
        return ["nsenter", holder, "--user", "--mount", "--preserve-credentials", *command]

    @property
    def path(self) -> Path:
        """Where this process finds the disk."""
        return Path(f"/proc/{self._holder.pid}/root{self._folder}")

    def run(self, script: str) -> None:
        """Run a script of the shell in the folder of which the disk is."""
        subprocess.run(self.inside(["sh", "-ec", f"cd '{self._folder.parent}'\n{script}"]), check=True, timeout=30)

    def fill(self) -> None:
        """Take every block that is left."""
        with suppress(OSError), (self.path / "foreign").open("ab", buffering=0) as file:
            while file.write(b"x" * 4096):
                pass

    def free(self) -> None:
        """Give back what `fill` has taken."""
        (self.path / "foreign").unlink(missing_ok=True)

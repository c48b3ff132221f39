"""Where a server is looked for: a variable that names it, PATH, and then whatever fetches it into the cache."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.services import cache
from tests.services.errors import ServiceError


@dataclass(frozen=True)
class Wanted:
    """What is looked for: the programs under the names they are known by, each with the file names it may have.

    `fetch` returns the folder with the programs, from the cache or fetched into it; `mend` ends the error's text.
    """

    name: str
    variable: str
    programs: Mapping[str, Sequence[str]]
    fetch: Callable[[], Path]
    mend: str


def locate(wanted: Wanted) -> dict[str, Path]:
    """Return the path of each program: from the variable, from PATH when all are there, from the cache, or fetched.

    The variable names the first program, with the others beside it, or the folder they are in (itself or its `bin`).
    Raises ServiceError naming what was tried and the mend.
    """
    named = os.environ.get(wanted.variable)
    if named:
        return _named(wanted, Path(named).expanduser().absolute())
    on_path = {program: _on_path(names) for program, names in wanted.programs.items()}
    found = {program: path for program, path in on_path.items() if path is not None}
    if len(found) == len(wanted.programs):
        return found
    try:
        folder = wanted.fetch()
    except ServiceError as error:
        listed = " with ".join(wanted.programs)
        raise ServiceError(
            f"{wanted.name}: not found. Tried ${wanted.variable} (unset), PATH (no {listed}), the cache {cache.root()} "
            f"(empty), and fetching it ({error}). {wanted.mend}, or set {wanted.variable} to its path."
        ) from None
    return {program: _in(folder, names) for program, names in wanted.programs.items()}


def _named(wanted: Wanted, path: Path) -> dict[str, Path]:
    folder = path.parent
    if path.is_dir():
        folder = path / "bin" if (path / "bin").is_dir() else path
    found = {program: _in(folder, names) for program, names in wanted.programs.items()}
    if not path.is_dir():
        found[next(iter(found))] = path  # it may be called anything
    for program in found.values():
        if not os.access(program, os.X_OK) or program.is_dir():
            raise ServiceError(f"{wanted.variable}={path} cannot be used: {program} is not a program that can be run")
    return found


def _on_path(names: Sequence[str]) -> Path | None:
    return next((Path(path) for name in names if (path := shutil.which(name))), None)


def _in(folder: Path, names: Sequence[str]) -> Path:
    """Return the first of the files that is there; the first name where none is."""
    return next((folder / name for name in names if (folder / name).is_file()), folder / names[0])

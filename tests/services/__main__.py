"""Get the real servers: `python -m tests.services [name ...]` prints one `name=path` line a program at its end."""

from __future__ import annotations

import pkgutil
import sys
from importlib import import_module
from pathlib import Path

import tests.services
from tests.services.errors import ServiceError


def servers() -> dict[str, dict[str, object]]:
    """Return the modules of this folder that know how to `find` a server, by name: one file a server, no list."""
    names = [module.name for module in pkgutil.iter_modules(tests.services.__path__) if module.name != "__main__"]
    modules = {name: vars(import_module(f"tests.services.{name}")) for name in names}
    return {name: content for name, content in modules.items() if "find" in content}


def main(wanted: list[str]) -> int:
    """Find or fetch the servers of these names (none: all); 1 when one cannot be had, 2 for a name that is unknown."""
    known = servers()
    unknown = [name for name in wanted if name not in known]
    if unknown:
        print(f"no such server: {', '.join(unknown)}; known: {', '.join(known)}", file=sys.stderr)
        return 2
    programs: dict[str, Path] = {}
    for name in wanted or known:
        find = known[name]["find"]
        assert callable(find)
        try:
            programs.update(find())
        except ServiceError as error:
            print(error, file=sys.stderr)
            return 1
    for program, path in programs.items():
        print(f"{program}={path}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

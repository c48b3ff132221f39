"""Read a package's sources and say who imports whom: every import that can happen at run time, lazy ones included."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Import:
    """One import: `importer` and `imported` are dotted module names, `name` what is taken from the module, if any."""

    importer: str
    imported: str
    name: str
    line: int

    @property
    def full_name(self) -> str:
        """The dotted name of what arrives."""
        return f"{self.imported}.{self.name}" if self.name else self.imported


def modules(package: Path) -> dict[str, ast.Module]:
    """Return the syntax tree of every module of the package, by dotted name; a folder is named by itself."""
    found = {}
    for file in sorted(package.rglob("*.py")):
        parts = file.relative_to(package.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = ast.parse(file.read_text(), str(file))
    return found


def imports(trees: dict[str, ast.Module]) -> list[Import]:
    """Return all run-time imports; what stands under `if TYPE_CHECKING:` is none.

    `from package import thing` is an import of `package.thing` where that is a module.
    """
    packages = {name.rpartition(".")[0] for name in trees}
    found = []
    for importer, tree in trees.items():
        home = importer if importer in packages else importer.rpartition(".")[0]
        for node in _run_time_nodes(tree):
            for imported, name in _imported(node, home):
                full = f"{imported}.{name}"
                target, taken = (full, "") if name and full in trees else (imported, name)
                found.append(Import(importer, target, taken, getattr(node, "lineno", 0)))
    return found


def circles(edges: set[tuple[str, str]]) -> list[list[str]]:
    """Return one way round for every node that can reach itself, each circle once."""
    found: dict[frozenset[str], list[str]] = {}
    for start in sorted({importer for importer, _ in edges}):
        way = _way(edges, start, start)
        if way:
            found.setdefault(frozenset(way), way)
    return list(found.values())


def _way(edges: set[tuple[str, str]], start: str, goal: str) -> list[str]:
    seen: set[str] = set()
    ways = [[start]]
    while ways:
        way = ways.pop(0)
        for importer, imported in sorted(edges):
            if importer != way[-1] or imported in seen:
                continue
            if imported == goal:
                return [*way, goal]
            seen.add(imported)
            ways.append([*way, imported])
    return []


def _run_time_nodes(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            for other in child.orelse:
                yield other
                yield from _run_time_nodes(other)
            continue
        yield child
        yield from _run_time_nodes(child)


def _imported(node: ast.AST, home: str) -> Iterator[tuple[str, str]]:
    if isinstance(node, ast.Import):
        yield from ((alias.name, "") for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        parents = home.split(".")[: len(home.split(".")) - node.level + 1] if node.level else []
        module = ".".join([*parents, *([node.module] if node.module else [])])
        yield from ((module, alias.name) for alias in node.names)
    elif isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == "import_module":
        first = node.args[0] if node.args else None
        if isinstance(first, ast.Constant) and isinstance(first.value, str):
            yield first.value, ""

"""The package keeps to its house: imports go one way; environment and OpenTelemetry's private parts have one home."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.import_graph import Import, circles, imports, modules
from tests.processes import ROOT

PACKAGE = "otel_distro"
# Who is below whom: a room imports only from rooms of its own number and of smaller ones. A new room gets its number.
RANKS = {
    "errors": 0,
    "internals": 0,
    "context": 0,
    "redaction": 0,
    "redaction_patterns": 0,
    "variables": 0,
    "settings": 1,
    "metrics": 2,
    "monitoring": 2,
    "logs": 2,
    "propagation": 2,
    "tracing": 2,
    "attributes": 2,
    "otlp_bytes": 2,
    "otlp_logs": 2,
    "otlp_metrics": 2,
    "otlp_spans": 2,
    "span_masking": 2,
    "web": 3,
    "business": 4,
    "decorators": 4,
    "connections": 3,
    "delivery": 3,
    "ending": 4,
    "exporters": 4,
    "instrumentors": 4,
    "testing": 4,
    "uwsgi": 4,
    "distro": 5,
    "doctor": 6,
    "cli": 7,
}
# Reads what the others wrote and shares with them only the shape of a log.
ANALYZER_NEEDS = {"errors", "settings", "logs.document"}
ROOMS = {*RANKS, "analyzer"}
TOPS = ("distro", "doctor", "cli")
ENVIRONMENT = {"os.environ", "os.environb", "os.getenv", "os.getenvb", "os.putenv", "os.unsetenv"}
CHANGES = {"setdefault", "update", "pop", "popitem", "clear"}
ENVIRONMENT_READER = f"{PACKAGE}.settings"
LAUNCHER = f"{PACKAGE}.cli.launch"  # hands the environment on to the program that it becomes, and has to be quick
ENVIRONMENT_HOMES = (ENVIRONMENT_READER, f"{PACKAGE}.distro", LAUNCHER)
PRIVATE_HOME = f"{PACKAGE}.internals"


def wrong_directions(trees: dict[str, ast.Module]) -> list[str]:
    """Return what each import that goes against the direction does, with its place."""
    wrong = []
    for found in _inside(trees):
        importer, imported = _path(found.importer), _path(found.imported)
        reason = _reason_against(importer, imported)
        if reason:
            wrong.append(f"{found.importer}:{found.line} imports {found.full_name}: {reason}")
    return wrong


def _reason_against(importer: str, imported: str) -> str:
    room, other = importer.partition(".")[0], imported.partition(".")[0]
    rules = (
        (not imported, "take it from the module that has it"),
        (room not in ROOMS or other not in ROOMS, f"{room!r} or {other!r} has no place in RANKS"),
        (room == other, ""),
        (room == "analyzer" and imported in ANALYZER_NEEDS, ""),
        (room == "analyzer", f"the analyzer needs only {', '.join(sorted(ANALYZER_NEEDS))}"),
        (room == "monitoring" and other != "errors", "the rules and alerts need nothing of a running service"),
        (other == "monitoring" and room != "cli", "only the command line writes rules and alerts"),
        (other in TOPS and room not in TOPS, f"nothing imports {other}"),
        (other == "analyzer" and room != "cli", "only the command line asks the analyzer"),
        (RANKS.get(other, 0) > RANKS.get(room, 0), f"{other} is above {room}"),
    )
    return next((reason for applies, reason in rules if applies), "")


def import_circles(trees: dict[str, ast.Module]) -> list[str]:
    """Return the circles among modules and, where these have none, among rooms."""
    edges = {(found.importer, found.imported) for found in _inside(trees) if found.importer != found.imported}
    rooms = {(_path(one).partition(".")[0], _path(other).partition(".")[0]) for one, other in edges}
    return [" -> ".join(way) for way in circles(edges) or circles({(a, b) for a, b in rooms if a != b})]


def environment_uses(trees: dict[str, ast.Module]) -> list[str]:
    """Return each use of the process environment outside of its homes, and each change of it in the reading one."""
    wrong = []
    for module, tree in trees.items():
        for node in ast.walk(tree):
            names = [] if module in ENVIRONMENT_HOMES else _environment_names(node)
            wrong += [f"{module}:{getattr(node, 'lineno', 0)} uses {name}" for name in names]
        if module == ENVIRONMENT_READER:
            wrong += [f"{module}:{line} changes the environment" for line in _environment_changes(tree)]
    return wrong


def _environment_names(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Attribute):
        return [ast.unparse(node)] if ast.unparse(node) in ENVIRONMENT else []
    if isinstance(node, ast.ImportFrom) and node.module == "os":
        return [f"os.{alias.name}" for alias in node.names if f"os.{alias.name}" in ENVIRONMENT]
    return []


def _environment_changes(tree: ast.Module) -> list[int]:
    return [
        node.lineno
        for node in ast.walk(tree)
        if (isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load))
        or (isinstance(node, ast.Attribute) and node.attr in CHANGES)
        if ast.unparse(node.value) == "os.environ"
    ]


def private_imports(trees: dict[str, ast.Module]) -> list[str]:
    """Return each import of a private part of OpenTelemetry outside of its home."""
    return [
        f"{found.importer}:{found.line} imports {found.full_name}"
        for found in imports(trees)
        if not f"{found.importer}.".startswith(f"{PRIVATE_HOME}.")
        and found.full_name.startswith("opentelemetry.")
        and _private(found.full_name)
    ]


def _private(dotted: str) -> bool:
    return any(part.startswith("_") and not part.endswith("__") for part in dotted.split("."))


def _inside(trees: dict[str, ast.Module]) -> list[Import]:
    """Return the imports between modules of the package; its own top, which only names what is public, stands apart."""
    inside = [found for found in imports(trees) if found.importer != PACKAGE and _within(found.imported)]
    return [
        found
        for found in inside
        if found.imported != PACKAGE or (found.name or _taken_from_top(trees[found.importer])) != "__version__"
    ]


def _taken_from_top(tree: ast.Module) -> str:
    """Return what a module that says `import otel_distro` uses of it."""
    attributes = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    return ", ".join(sorted({node.attr for node in attributes if ast.unparse(node.value) == PACKAGE}))


def _within(module: str) -> bool:
    return f"{module}.".startswith(f"{PACKAGE}.")


def _path(module: str) -> str:
    return module.removeprefix(PACKAGE).removeprefix(".")


CHECKS = {
    "direction": wrong_directions,
    "circles": import_circles,
    "environment": environment_uses,
    "private": private_imports,
}


@pytest.mark.parametrize("check", CHECKS)
def test_the_package_keeps_to_its_house(check: str) -> None:
    assert CHECKS[check](modules(ROOT / PACKAGE)) == []


@pytest.mark.parametrize(
    ("check", "module", "source"),
    [
        ("direction", "metrics/a.py", "from otel_distro.web.flask import hook"),
        ("direction", "metrics/a.py", "def lazy():\n    import otel_distro.web"),
        ("direction", "metrics/a.py", "from ..web import flask"),
        ("direction", "metrics/a.py", "from otel_distro import web"),
        ("direction", "metrics/a.py", "from otel_distro import counter"),
        ("direction", "metrics/a.py", "import otel_distro\notel_distro.counter('x')"),
        ("direction", "metrics/a.py", "import importlib\nimportlib.import_module('otel_distro.web')"),
        ("direction", "context.py", "from otel_distro.settings import Settings"),
        ("direction", "analyzer/a.py", "from otel_distro.logs.json import encode"),
        ("direction", "analyzer/a.py", "from otel_distro.context import user_id"),
        ("direction", "logs/a.py", "from otel_distro.analyzer import model"),
        ("direction", "monitoring/a.py", "from otel_distro.settings import Settings"),
        ("direction", "distro.py", "from otel_distro.monitoring import files"),
        ("direction", "business.py", "from otel_distro.distro import configure"),
        ("direction", "testing.py", "from otel_distro.cli import main"),
        ("direction", "utils.py", "from otel_distro.errors import InputError"),
        ("circles", "metrics/a.py", "import otel_distro.metrics.b"),
        ("circles", "logs/a.py", "import otel_distro.metrics.c"),
        ("environment", "web/a.py", "import os\nos.environ.get('X')"),
        ("environment", "web/a.py", "from os import getenv"),
        ("environment", "settings.py", "import os\nos.environ['X'] = ''"),
        ("environment", "settings.py", "import os\nos.environ.setdefault('X', '')"),
        ("private", "metrics/a.py", "from opentelemetry.sdk.metrics._internal import Meter"),
        ("private", "metrics/a.py", "from opentelemetry.sdk import _logs"),
        ("private", "metrics/a.py", "def lazy():\n    import opentelemetry._logs"),
    ],
)
def test_a_module_that_breaks_the_house_is_found(check: str, module: str, source: str, tmp_path: Path) -> None:
    house = {"metrics/b.py": "from otel_distro.metrics import a", "metrics/c.py": "def f():\n import otel_distro.logs"}
    _write(tmp_path, house)
    assert CHECKS[check](modules(tmp_path / PACKAGE)) == []
    _write(tmp_path, {module: source})
    assert len(CHECKS[check](modules(tmp_path / PACKAGE))) == 1


def test_what_the_house_allows_is_not_found(tmp_path: Path) -> None:
    allowed = {
        "__init__.py": "def __getattr__(name):\n    from otel_distro.distro import configure\n    return configure",
        "settings.py": "import os\nfrom otel_distro.errors import InputError\nos.environ.get('X')",
        "internals.py": "from opentelemetry.sdk._logs import LoggerProvider",
        "metrics/a.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from otel_distro.web import flask",
        "web/flask.py": "from otel_distro.metrics.a import x\nfrom opentelemetry.trace import __all__",
        "analyzer/a.py": "from otel_distro.logs.document import FIELDS\nfrom . import model",
        "analyzer/model.py": "",
        "logs/document.py": "",
        "distro.py": "import os\nfrom otel_distro.web import flask\nos.environ['X'] = ''",
        "cli/main.py": "from otel_distro.analyzer import a\nfrom otel_distro import __version__, distro",
        "business.py": "import otel_distro\nprint(otel_distro.__version__)",
    }
    _write(tmp_path, allowed)
    trees = modules(tmp_path / PACKAGE)
    assert {name: check(trees) for name, check in CHECKS.items()} == {name: [] for name in CHECKS}


def _write(folder: Path, files: dict[str, str]) -> None:
    for name, source in files.items():
        file = folder / PACKAGE / name
        file.parent.mkdir(parents=True, exist_ok=True)
        for package in (file.parent, *file.parent.parents):
            if package == folder:
                break
            (package / "__init__.py").touch()
        file.write_text(source)

"""How servers are built and fetched, with stand-ins for Go and Maven: what failed is gone on with the next time."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.services import alertmanager, cache, collector, elasticsearch, prometheus3
from tests.services.errors import ServiceError

# Each notes its call, does what the program would do, and fails while there is a file `broken` beside it.
GO = """#!/bin/sh
here=$(dirname "$0")
echo "$*" >> "$here/calls"
case $1 in
install)
  for package; do
    case $package in *@v*) program=${package##*/}; cp "$here/program" "$GOBIN/${program%@*}";; esac
  done;;
build)
  if [ -e "$here/broken" ]; then echo 'x.go:1: undefined: y' >&2; exit 1; fi
  grep -q ebpf-profiler go.sum || exit 2
  cp "$here/program" "../otelcol";;
esac
"""
MAVEN = """#!/bin/sh
here=$(dirname "$0")
mkdir -p "$PWD/elasticsearch-9.5.3/bin" "$PWD/marks"
if [ -e "$here/broken" ]; then
  echo half > "$PWD/elasticsearch-9.5.3/half"
  echo '[ERROR] connection reset'
  exit 1
fi
cp "$here/program" "$PWD/elasticsearch-9.5.3/bin/elasticsearch"
"""


@pytest.fixture(autouse=True)
def stand_ins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "path"
    folder.mkdir()
    for name, text in (("go", GO), ("mvn", MAVEN), ("program", "#!/bin/sh\ntest -e builder.yaml\n")):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    for tool in ("cp", "dirname", "grep", "mkdir"):
        (folder / tool).symlink_to(str(shutil.which(tool)))
    monkeypatch.setenv("PATH", str(folder))  # nothing else, so that no real server is found
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "cache"))
    for module in (alertmanager, collector, elasticsearch, prometheus3):
        monkeypatch.delenv(module.VARIABLE, raising=False)
    return folder


def test_a_compilation_that_fails_shows_the_compilers_words_and_the_next_run_ends_it(stand_ins: Path) -> None:
    (stand_ins / "broken").touch()
    with pytest.raises(ServiceError, match=r"(?s)otelcol: not found.*go build .*x\.go:1: undefined: y"):
        collector.find()
    (stand_ins / "broken").unlink()
    program = collector.find()["otelcol"]
    assert os.access(program, os.X_OK)
    assert sorted(path.name for path in program.parent.iterdir()) == ["builder.yaml", "otelcol"]
    assert collector.find()["otelcol"] == program
    calls = (stand_ins / "calls").read_text()
    assert (calls.count("install"), calls.count("build -trimpath")) == (2, 2)


def test_other_components_are_another_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = collector.find()["otelcol"]
    changed = tmp_path / "builder.yaml"
    changed.write_text(collector.COMPONENTS.read_text() + "# one more\n")
    monkeypatch.setattr(collector, "COMPONENTS", changed)
    after = collector.find()["otelcol"]
    assert after != before
    assert after.parent.name.startswith(collector.VERSION)


def test_half_an_unpacked_server_is_not_taken_for_a_whole_one(stand_ins: Path) -> None:
    (stand_ins / "broken").touch()
    with pytest.raises(ServiceError, match="connection reset"):
        elasticsearch.find()
    (stand_ins / "broken").unlink()
    home = elasticsearch.find()["elasticsearch"]
    assert sorted(str(path.relative_to(home)) for path in home.rglob("*")) == ["bin", "bin/elasticsearch"]


@pytest.mark.parametrize("module", [alertmanager, collector, prometheus3])
def test_without_go_the_error_says_so(
    module: object, stand_ins: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ServiceError, match=r"go not found: .* is built with it\)\. Install Go"):
        vars(module)["find"]()


def test_programs_of_a_module_are_built_at_once_and_those_of_prometheus_3_get_their_names(stand_ins: Path) -> None:
    assert [path.name for path in alertmanager.find().values()] == ["alertmanager", "amtool"]
    assert [path.name for path in prometheus3.find().values()] == ["prometheus3", "promtool3"]
    assert (stand_ins / "calls").read_text().count("install") == 2

"""Which Java is taken: the server's own first, then those that are named, and none that is too old."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.services import java
from tests.services.errors import ServiceError


def java_home(folder: Path, version: str) -> Path:
    folder.mkdir(parents=True)
    (folder / "release").write_text(f'IMPLEMENTOR="Somebody"\nJAVA_VERSION="{version}"\n')
    return folder


@pytest.fixture(autouse=True)
def _only_named_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(java, "SYSTEM", tmp_path / "jvm")
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in ("ES_JAVA_HOME", "JAVA_HOME"):
        monkeypatch.delenv(name, raising=False)


def test_the_servers_own_is_taken_before_the_named_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", str(java_home(tmp_path / "named", "25.0.3")))
    assert java.home(tmp_path / "server") == tmp_path / "named"
    own = java_home(tmp_path / "server" / "jdk", "24")
    assert java.home(tmp_path / "server") == own


def test_one_that_is_too_old_is_passed_over_for_the_newest_of_the_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JAVA_HOME", str(java_home(tmp_path / "old", "17.0.15")))
    java_home(tmp_path / "jvm" / "java-9", "9")
    java_home(tmp_path / "jvm" / "java-21", "21.0.1")
    newest = java_home(tmp_path / "jvm" / "java-25", "25.0.3")
    assert java.home(tmp_path / "server") == newest


def test_without_any_the_error_says_where_it_was_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", str(java_home(tmp_path / "old", "1.8.0_402")))
    with pytest.raises(ServiceError, match=r"no Java 21 or newer found in .*\$JAVA_HOME, PATH or .*jvm.*set JAVA_HOME"):
        java.home(tmp_path / "server")


def test_security_wants_a_compiler(tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match="has no javac"):
        java.compile_classes(java_home(tmp_path / "jre", "25"), tmp_path / "A.java", "", tmp_path)
